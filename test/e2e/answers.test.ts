import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import type { BlockAction } from '../../src/demo/slack-control.ts';
import { type BotOptions, startBot } from '../support/bot.ts';
import { makeRowLockStorm, type Storm } from '../support/illness.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type SlackMessage, type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const channel = 'C0OPS';
const [mira, tom, ana] = ['U0MIRA', 'U0TOM', 'U0ANA'];

let slack: StrictSlack;
let watched: Database;
let state: Database;
let bot: Service;
let storm: Storm | null = null;
const seen: string[] = [];

/** A bot of its own for a group of tests: mira and tom may approve, ana may not. */
function withBot(options: (watched: Database) => Partial<BotOptions>): void {
  beforeAll(async () => {
    [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
    slack = await startSlack();
    bot = await startBot({
      slack,
      stateUrl: state.url(),
      monitorUrl: watched.url('monitor'),
      approvers: [mira, tom],
      ...options(watched),
    });
    await until('the bot to be connected', () => slack.connected === 1);
  });
  afterAll(async () => {
    await bot?.stop();
    await slack?.stop();
  });
}

describe('buttons', () => {
  withBot((database) => ({ signalUrl: database.url('actor') }));

  it('Deny ends the proposal with the name; it comes back only when asked for, and not within the hour', async () => {
    const { card, runId } = await makeTrouble();
    expect(await press(tom, card, 'deny')).toBe(
      `Denied: R-${runId} terminate-session will not run. It is not offered again for an hour.`,
    );
    await shows(card, `R-${runId}) denied by <@U0TOM>`);
    await checksPass(2);
    expect(await runStates()).toEqual(['denied']);
    expect(await press(mira, card, 'ask-again')).toMatch(/was denied within the last hour; it is not offered again/);
    await state.run("update pgorderly.runs set decided_at = decided_at - interval '61 min'");
    expect(await press(mira, card, 'ask-again')).toMatch(/^Asked for: R-\d+ terminate-session .* in <#C0OPS>\.$/);
    await shows(card, 'Approve alone …');
    expect(await press(mira, card, 'approve')).toMatch(/you asked for R-\d+ terminate-session yourself.*type shop/);
    expect(await press(tom, card, 'approve')).toMatch(/^Approved: /);
    await settle();
  });

  it('a click by somebody who may not decide is answered with who may', async () => {
    const { card } = await makeTrouble();
    for (const button of ['approve', 'deny'])
      expect(await press(ana, card, button)).toBe(
        'Not done: you are not among those who may decide this: <@U0MIRA>, <@U0TOM>. Nothing was run. See `/pg help approve`.',
      );
    expect(await runStates()).toEqual(['proposed']);
    await press(tom, card, 'approve');
    await settle();
  });

  it('a late click ends the offer at once, and the card lets it be asked for again', async () => {
    const { card, runId } = await makeTrouble();
    await state.run('update pgorderly.runs set expires_at = clock_timestamp() where id = $1', [runId]);
    expect(await press(mira, card, 'approve')).toMatch(
      /^Not done: this offer has expired; its card lets you ask again\./,
    );
    await shows(card, `(R-${runId}) expired`);
    expect(await pressAs(mira, card, 'approve', `${runId}:x`)).toMatch(/^Your click changed nothing, .*expired/);
    expect(await press(ana, card, 'ask-again')).toMatch(/^Asked for: /);
    await shows(card, 'Approve');
    expect(await pressAs(ana, card, 'ask-again', String(runId))).toMatch(
      /^Not done: R-\d+ .* is proposed for the same/,
    );
    expect(await press(mira, card, 'approve')).toMatch(/^Approved: /);
    await settle();
  });

  it('a click on another plan than the one that stands, or on one that was tampered with, runs nothing', async () => {
    const { card, runId } = await makeTrouble();
    expect(await pressAs(mira, card, 'approve', `${runId}:${'0'.repeat(64)}`)).toMatch(
      /^Not done: the plan has changed/,
    );
    expect(await pressAs(mira, card, 'approve', '99999:x')).toMatch(/^There is no run R-99999/);
    expect(await pressAs(mira, card, 'approve', '')).toMatch(/Nothing was/);
    await state.run("update pgorderly.runs set plan = plan || ' ' where id = $1", [runId]);
    expect(await press(mira, card, 'approve')).toMatch(/^Not done: the stored plan of R-\d+ is not the one/);
    await state.run('update pgorderly.runs set plan = rtrim(plan) where id = $1', [runId]);
    expect(await runStates()).toEqual(['proposed']);
    expect(await press(mira, card, 'approve')).toMatch(/^Approved: /);
    await settle();
    expect(await pressAs(mira, card, 'ask-again', String(runId))).toMatch(
      /^Not done: R-\d+ .* is succeeded; only what/,
    );
  });

  it('while paused Approve is refused with who paused and why; only approvers resume', async () => {
    const { card } = await makeTrouble();
    expect(await command(ana, 'pause deploy <!channel>')).toMatch(/^Paused: no new action starts/);
    await shows(card, 'actions are paused');
    expect(await press(tom, card, 'approve')).toBe(
      'Not done: actions are paused by <@U0ANA>: deploy &lt;!channel&gt;; approvers end it with `/pg resume`. Nothing was run. See `/pg help approve`.',
    );
    expect(await command(tom, 'pause')).toMatch(/^Actions are paused already, by <@U0ANA>: deploy/);
    expect(await command(ana, 'status')).toMatch(/^⏸ Actions are paused by <@U0ANA>/);
    expect(await command(ana, 'resume')).toMatch(/^Not done: only approvers may resume.*<@U0MIRA>/);
    expect(await command(mira, 'resume')).toMatch(/^Resumed/);
    expect(await command(mira, 'resume')).toMatch(/^Actions are not paused; nothing was changed/);
    await until('the card to forget it', async () => !textOf(await current(card)).includes('paused'));
    expect(await press(tom, card, 'approve')).toMatch(/^Approved: /);
    await settle();
  });

  it('Acknowledge shows the name once, Details the facts and every statement', async () => {
    const { card, runId } = await makeTrouble();
    await slack.click({ user: ana, channel, ts: card.ts, actionId: 'details' });
    const details = await until('the details', async () => {
      const text = textOf({ blocks: (await slack.modal())?.blocks ?? [] });
      return text.includes('_verify_') && text;
    });
    expect(details).toMatch(
      /victimCount[\s\S]*R-\d+ terminate-session[\s\S]*_precondition_[\s\S]*_act_[\s\S]*_verify_/,
    );
    await slack.closeView(ana);
    const alertId = buttonsOf(card).find((one) => one.action_id === 'acknowledge')?.value ?? '';
    expect(await press(ana, card, 'acknowledge')).toBe(`You acknowledged A-${alertId}.`);
    await shows(card, 'Acknowledged by <@U0ANA>');
    expect(await pressAs(tom, card, 'acknowledge', alertId)).toBe(`A-${alertId} is acknowledged already, by <@U0ANA>.`);
    await state.run("update pgorderly.runs set sent_at = sent_at - interval '1 h'");
    expect(await press(tom, card, 'approve')).toMatch(`Approved: R-${runId}`);
    await settle();
    expect(await pressAs(tom, card, 'acknowledge', alertId)).toBe(`Nothing to acknowledge: A-${alertId} is resolved.`);
  });
});

describe('a runbook by hand', () => {
  withBot((database) => ({ signalUrl: database.url('actor') }));

  it('is confirmed as seen by no detector; its asker alone types where and why, and the channel is told', async () => {
    const session = await watched.client('app', 'billing');
    await session.query('begin');
    const { rows } = await session.query('select pg_backend_pid() as pid');
    expect(await command(mira, `run terminate-session shop pid=${rows[0].pid}`)).toMatch(
      /^Asked for: R-1 terminate-session on shop\. It runs once it is approved on its card in <#C0OPS>\.$/,
    );
    const card = await slack.waitForMessage(channel, (one) => textOf(one).includes('no detector sees this'));
    expect(textOf(card)).toContain(`pid ${rows[0].pid} (billing, role app, idle in transaction)`);
    expect(buttonsOf(card)[0]).toMatchObject({
      action_id: 'approve',
      confirm: { title: { text: 'No detector sees this' } },
    });
    expect(await press(mira, card, 'approve')).toMatch(/^Not done: you asked for R-1 terminate-session yourself/);

    await slack.click({ user: mira, channel, ts: card.ts, actionId: 'approve-alone' });
    await until('the modal', () => slack.modal());
    expect((await slack.submitView(mira, typed('shpo', 'on call alone'))).errors).toEqual({
      target: "you typed another name than the target's, which is shop",
    });
    expect((await slack.submitView(mira, typed('shop', '   '))).errors).toEqual({ reason: 'a reason is needed' });
    expect((await state.run('select from pgorderly.approvals')).rowCount).toBe(0);
    slack.answers.length = 0;
    expect((await slack.submitView(mira, typed('shop', 'on call <!here> alone'))).errors).toBeNull();
    expect(await nextAnswer()).toMatch(/^Approved: R-1/);
    await shows(card, 'approved by <@U0MIRA> alone (on call &lt;!here&gt; alone)');
    await until('the thread', async () => {
      const lines = (await slack.thread(channel, card.ts)).map(textOf).join('\n');
      return /approved by <@U0MIRA>, alone, reason: on call &lt;!here&gt; alone[\s\S]*verify/.test(lines);
    });
    await expect(session.query('select 1')).rejects.toThrow();
    expect(slack.violations).toEqual([]);
  });

  it.each([
    ['pid=1', /^Not done: (no session has pid 1 on primary|pid 1 has no xact_start)/],
    ['pid=abc', /^Not done: terminate-session: pid is "abc", expected an integer\. Write the process id/],
    ['', /^Not done: terminate-session: its pid is missing\. Write the process id/],
    ['pid=99999999', /^Not done: no session has pid 99999999 on primary/],
    ['pid=1 node=standby', /^Not done: shop has no node "standby"\. Write node=primary\./],
    ['colour=red', /^Not done: terminate-session: its pid is missing/],
  ])('with the parameters %s says what is wrong, and asks for nothing', async (params, answer) => {
    expect(await command(ana, `run terminate-session shop ${params}`)).toMatch(answer);
    expect(await command(ana, `run terminate-session shop ${params}`)).toMatch(/Nothing was run\.$/);
    expect((await state.run('select from pgorderly.runs where id > 1')).rowCount).toBe(0);
  });

  it('does not end a session that has no transaction, nor take a parameter that there is not', async () => {
    const session = await watched.client('app', 'idle');
    const { rows } = await session.query('select pg_backend_pid() as pid');
    const run = `run terminate-session shop pid=${rows[0].pid}`;
    expect(await command(mira, run)).toMatch(/has no xact_start: it is idle/);
    await session.query('begin');
    expect(await command(mira, `${run} target=x`)).toMatch(/"target" is not one of its parameters/);
    await session.query('rollback');
  });
});

describe('a wrong command', () => {
  withBot((database) => ({ signalUrl: database.url('actor') }));

  it.each([
    ['frobnicate', 'There is no command "frobnicate". There are: help'],
    ['stauts', 'There is no command "stauts". Did you mean `/pg status`?'],
    ['check lock-chain', 'Did you mean `/pg check lock-chains`?'],
    ['check lock-chains shopp', 'Did you mean `/pg check lock-chains shop`?'],
    ['run', 'say which runbook'],
    ['run terminate-sesion shop pid=1', 'Did you mean `/pg run terminate-session`?'],
    ['run terminate-session shoq pid=1', 'Did you mean `/pg run terminate-session shop`?'],
    ['run terminate-session shop 4711', '"4711" is not name=value'],
    ['help nonsense', 'There is no help on "nonsense"'],
    ['runs please', 'runs takes nothing more'],
    ['<!channel> *x*', 'There is no command "&lt;!channel&gt;"'],
  ])('/pg %s is told its writer alone what is wrong, with an example', async (text, says) => {
    const before = await publicMessages();
    const answer = await command(ana, text);
    expect(answer).toContain(says);
    expect(answer).toMatch(/For example: `\/pg [^`]+`$/);
    expect(await publicMessages()).toBe(before);
    expect(slack.violations).toEqual([]);
  });

  it('and a right one is answered to its writer alone too', async () => {
    const before = await publicMessages();
    expect(await command(ana, '')).toMatch(
      /finds trouble on PostgreSQL[\s\S]*\/pg check lock-chains shop[\s\S]*Targets: shop/,
    );
    expect(await command(ana, 'help approve')).toMatch(/^A fix runs once enough of the people/);
    expect(await command(ana, 'runs')).toMatch(/^No runs yet/);
    expect(await command(ana, 'status')).toMatch(/^1 target, 0 alerts firing/);
    expect(await command(ana, 'check all')).toMatch(/^🟢 shop · lock-chains ok/);
    expect(await publicMessages()).toBe(before);
  });
});

describe('where two must approve', () => {
  withBot((database) => ({ signalUrl: database.url('actor'), people: 2 }));

  it('a person who presses twice is told, and counts once', async () => {
    const { card } = await makeTrouble();
    expect(await press(mira, card, 'approve')).toMatch(
      /^Your approval of R-1 terminate-session is recorded; 1 more needed/,
    );
    await shows(card, 'needs 1 more of');
    expect(await press(mira, card, 'approve')).toMatch(
      /^Not done: you have approved it already; another person is needed/,
    );
    expect(await runStates()).toEqual(['proposed']);
    expect(await press(tom, card, 'approve')).toMatch(/^Approved: /);
    await shows(card, 'approved by <@U0MIRA>, <@U0TOM>');
    await settle();
  });

  it('the no of one who has said yes ends it', async () => {
    const { card } = await makeTrouble();
    await press(mira, card, 'approve');
    expect(await press(mira, card, 'deny')).toMatch(/^Denied: /);
    await shows(card, 'denied by <@U0MIRA>');
    expect((await runStates()).at(-1)).toBe('denied');
    await storm?.end();
    expect(slack.violations).toEqual([]);
  });
});

describe('a target that is observe-only', () => {
  withBot(() => ({}));

  it('shows what would help without offering it, and refuses it by hand', async () => {
    storm = await makeRowLockStorm(watched);
    const card = await slack.waitForMessage(channel, (one) => textOf(one).includes('2 sessions wait'));
    expect(textOf(card)).toContain('Fix: terminate-session');
    expect(textOf(card)).toContain('Not offered here');
    expect(buttonsOf(card).map((one) => one.action_id)).not.toContain('approve');
    expect(await command(mira, `run terminate-session shop pid=${storm.rootPid}`)).toMatch(
      /^Not done: shop is observe-only for runbooks of class signal\. Its configuration needs nodes\[\]\.actions\.signal, .*grant pg_signal_backend to /,
    );
    await storm.end();
    expect(slack.violations).toEqual([]);
  });
});

async function makeTrouble(): Promise<{ card: SlackMessage; runId: number }> {
  storm = await makeRowLockStorm(watched);
  const card = await slack.waitForMessage(
    channel,
    (one) => !seen.includes(one.ts) && buttonsOf(one).some((button) => button.action_id === 'approve'),
  );
  seen.push(card.ts);
  const [runId] = (buttonsOf(card)[0]?.value ?? '').split(':');
  return { card, runId: Number(runId) };
}

/** The trouble is cured, its alert resolved, and Slack had nothing to refuse. */
async function settle(): Promise<void> {
  await storm?.through;
  await until('the alert to be resolved', async () => {
    const { rows } = await state.run("select from pgorderly.alerts where state <> 'resolved'");
    return rows.length === 0;
  });
  await storm?.end();
  expect(slack.violations).toEqual([]);
}

/** Presses a button as it stands on the card now; what the clicker alone is told. */
async function press(user: string, card: SlackMessage, actionId: string): Promise<string> {
  slack.answers.length = 0;
  await until(`the button ${actionId}`, async () =>
    buttonsOf(await current(card)).some((button) => button.action_id === actionId),
  );
  await slack.click({ user, channel, ts: card.ts, actionId });
  return nextAnswer(user);
}

/** Presses a button that the card shows no longer, or never did. */
async function pressAs(user: string, card: SlackMessage, actionId: string, value: string): Promise<string> {
  slack.answers.length = 0;
  const action = { type: 'button', action_id: actionId, block_id: 'stale', value };
  await slack.control.interact({ channel, messageTs: card.ts, user, action });
  return nextAnswer(user);
}

async function command(user: string, text: string): Promise<string> {
  slack.answers.length = 0;
  await slack.command({ user, channel, text });
  return nextAnswer(user);
}

async function nextAnswer(user?: string): Promise<string> {
  const answer = await until('the answer', () => slack.answers[0]);
  if (user) expect(slack.answers.map((one) => one.user)).toEqual([user]);
  expect(answer.replaces).toBe(false);
  return answer.text;
}

async function current(card: SlackMessage): Promise<SlackMessage> {
  return (await slack.messages(channel)).find((one) => one.ts === card.ts) ?? card;
}

async function shows(card: SlackMessage, words: string): Promise<void> {
  await until(`the card to show ${words}`, async () => {
    const message = await current(card);
    return JSON.stringify(buttonsOf(message)).includes(words) || textOf(message).includes(words);
  });
}

function buttonsOf(message: SlackMessage): (BlockAction & { confirm?: unknown })[] {
  return (message.blocks ?? []).flatMap((block) =>
    block.type === 'actions' ? (block as unknown as { elements: BlockAction[] }).elements : [],
  );
}

function typed(target: string, reason: string) {
  const field = (value: string) => ({ type: 'plain_text_input', value });
  return { target: { target: field(target) }, reason: { reason: field(reason) } };
}

/** Of the newest alert, in order. */
async function runStates(): Promise<string[]> {
  const { rows } = await state.run(
    'select state from pgorderly.runs where alert_id = (select max(id) from pgorderly.alerts) order by id',
  );
  return rows.map((row) => row.state);
}

async function checksPass(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed++) {
    const finished = async () =>
      String((await state.run('select max(finished_at) as at from pgorderly.checks')).rows[0].at.getTime());
    const before = await finished();
    await until('another check', async () => (await finished()) !== before);
  }
}

async function publicMessages(): Promise<number> {
  return (await slack.messages(channel)).filter((one) => !one.ephemeral_to).length;
}
