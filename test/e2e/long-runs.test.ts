import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import type { BlockAction } from '../../src/demo/slack-control.ts';
import type { RunProgress } from '../../src/state/runs.ts';
import { startBot } from '../support/bot.ts';
import { auditKinds } from '../support/decision.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type SlackMessage, type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const channel = 'C0OPS';
const [mira, tom, ana] = ['U0MIRA', 'U0TOM', 'U0ANA'];
const progress: RunProgress = {
  phase: 'building index: scanning table',
  phaseSince: 0,
  percent: 62,
  etaSeconds: 430,
  waitsFor: 'pid 812 (reporting, idle in transaction for 15 min)',
  seconds: 664,
};

let slack: StrictSlack;
let watched: Database;
let state: Database;
let bot: Service;

/** A window that opens the day after tomorrow. */
function laterWindow(): string {
  const day = new Intl.DateTimeFormat('en-US', { weekday: 'short', timeZone: 'UTC' });
  return `${day.format(Date.now() + 2 * 86_400_000)} 00:00-01:00`;
}

/** Mira and Tom may approve, Ana may not. */
async function start(windows: string): Promise<void> {
  bot = await startBot({
    slack,
    stateUrl: state.url(),
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
    maintainUrl: watched.url(),
    target: `    windows: [${windows}]`,
    timing: { leaseSeconds: 15, sweepSeconds: 0.3, patienceSeconds: 5 },
  });
  await until('the bot to be connected', () => slack.connected === 1);
}

beforeAll(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  await watched.run('create table orders (id integer primary key)');
  slack = await startSlack();
  await start(`"${laterWindow()}"`);
});
afterAll(async () => {
  await bot?.stop();
  await slack?.stop();
});
beforeEach(() => expect(slack.violations).toEqual([]));

describe('maintenance outside its windows', () => {
  it('is approved for later, withdrawn, and asked for again', async () => {
    const { card, id } = await propose();
    expect(await press(tom, card, 'approve')).toMatch(
      /^Approved: R-\d+ reindex-index-concurrently on shop starts \w+ \d+ \w+ 00:00 \(UTC\), since shop is outside its windows \(.*\)\. `\/pg stop R-\d+` withdraws it\.$/,
    );
    await shows(card, `reindex-index-concurrently (R-${id}) starts`);
    expect(await command(ana, 'runs')).toMatch(/^R-\d+ .* · scheduled: starts \w+ \d+ \w+ 00:00 \(UTC\)/);
    expect(await command(ana, `stop R-${id}`)).toMatch(
      /^Not done: you may not stop R-\d+ .*\. These may: <@U0MIRA>, <@U0TOM>\.$/,
    );
    expect(await press(tom, card, 'stop')).toMatch(
      /^Withdrawn: R-\d+ reindex-index-concurrently on shop will not run\.$/,
    );
    await shows(card, `(R-${id}) withdrawn by <@U0TOM>`);
    expect(await command(mira, `stop R-${id}`)).toMatch(/^Nothing to stop: R-\d+ .*: it has ended \(withdrawn\)\.$/);
    expect(await press(ana, card, 'ask-again')).toMatch(/^Asked for: R-\d+ /);
    await state.run("update pgorderly.runs set state = 'denied' where state = 'proposed'");
  });

  it('begins by itself once the configuration has no window any more', async () => {
    const { card, id } = await propose();
    await press(tom, card, 'approve');
    await shows(card, `(R-${id}) starts`);
    await bot.stop();
    await start('');
    await until('its end', async () => ['succeeded', 'refused', 'failed'].includes(await stateOf(id)));
    const lines = await until('the thread', async () => {
      const text = (await slack.thread(channel, card.ts)).map(textOf).join('\n');
      return text.includes('begins: its window is open') && text;
    });
    expect(lines).toMatch(/approved by <@U0TOM>; it waits, since shop is outside its windows/);
    expect(await auditKinds(state)).toMatchObject({ 'run.due': 1 });
  });
});

describe('a run that another worker carries out', () => {
  it('shows how far it is, and is stopped by those who may', async () => {
    const { card, id } = await carriedOut();
    await shows(card, 'building index: scanning table 62 %');
    await shows(card, 'Waits for pid 812 (reporting, idle in transaction for 15 min)');
    expect(await press(ana, card, 'stop')).toMatch(/^Not done: you may not stop/);
    expect(await stopOf(id)).toEqual({ stop_by: null, stop_reason: null });
    expect(await command(tom, `stop R-${id} the shop is slow <!here>`)).toMatch(
      /^Stopping R-\d+ reindex-index-concurrently on shop: the shop is slow &lt;!here&gt;; how it ended appears on its card\.$/,
    );
    await shows(card, 'Stopping, asked by <@U0TOM>: the shop is slow &lt;!here&gt;');
    expect(await stopOf(id)).toEqual({ stop_by: tom, stop_reason: 'the shop is slow <!here>' });
    expect(await command(mira, `stop ${id}`)).toMatch(/is being stopped already, asked for by <@U0TOM>\.$/);
    const lines = (await slack.thread(channel, card.ts)).map(textOf).join('\n');
    expect(lines).toMatch(/R-\d+ reindex-index-concurrently on shop is asked to stop, by <@U0TOM>: the shop is slow/);
    expect(await auditKinds(state)).toMatchObject({ 'run.stop-asked': 1 });
    await end(id, 'stopped');
    await shows(card, `(R-${id}) stopped by <@U0TOM>`);
    expect(buttons(await current(card))).toContain('ask-again');
  });

  it('is stopped with all others by a pause, by those who may; everybody pauses', async () => {
    const { id } = await carriedOut();
    expect(await command(ana, 'pause --stop the disk fills up')).toMatch(
      /^Paused: no new action starts[\s\S]*\nNot done: you may not stop R-\d+/,
    );
    expect(await stopOf(id)).toMatchObject({ stop_by: null });
    expect(await command(tom, 'pause —stop')).toMatch(
      /^Actions are paused already, by <@U0ANA>: the disk fills up\.\nStopping R-\d+ .*: all actions are paused;/,
    );
    expect(await stopOf(id)).toEqual({ stop_by: tom, stop_reason: 'all actions are paused' });
    expect(await command(mira, 'resume')).toMatch(/^Resumed/);
    await end(id, 'stopped');
    expect(await command(ana, 'pause --stop')).toMatch(/^Paused: .* Nothing under way had to be stopped\.$/);
    await command(mira, 'resume');
  });

  it('and of which nobody knows how it ended is closed by an approver who looked', async () => {
    const { card, id } = await carriedOut();
    expect(await command(mira, `resolve R-${id} failed x`)).toMatch(
      /^Not done: R-\d+ .* is running; only what ended as unknown is closed by hand\. Nothing was changed\.$/,
    );
    await end(id, 'unknown');
    await shows(card, `/pg resolve R-${id} succeeded`);
    await shows(card, 'i.indisvalid');
    expect(await command(tom, `stop R-${id}`)).toMatch(
      /^Nothing to stop: .*nobody knows how it ended; `\/pg help resolve`/,
    );
    expect(await command(ana, `resolve R-${id} failed I think so`)).toMatch(
      /^Not done: only those who may approve R-\d+ .* may close it: <@U0MIRA>, <@U0TOM>\./,
    );
    expect(await command(mira, `resolve R-${id} succeeded`)).toMatch(/^Not understood: say how you know/);
    expect(await command(mira, `resolve R-${id} succeeded the index is valid`)).toMatch(
      /^Closed: R-\d+ .* is succeeded\.$/,
    );
    await shows(card, 'closed by hand: the index is valid');
    await until('the thread', async () =>
      /succeeded, by the word of <@U0MIRA>: the index is valid/.test(
        (await slack.thread(channel, card.ts)).map(textOf).join(),
      ),
    );
    expect(await auditKinds(state)).toMatchObject({ 'run.resolved': 1, 'run.resolve-refused': 2 });
    expect(await command(mira, 'resolve R-99999 failed x')).toBe('There is no run R-99999. Nothing was changed.');
    expect(await command(mira, 'stop R-99999')).toBe('There is no run R-99999. Nothing was done.');
  });
});

async function propose(): Promise<{ card: SlackMessage; id: number }> {
  const answer = await command(
    mira,
    `run reindex-index-concurrently shop index=public.orders_pkey database=${watched.name}`,
  );
  const id = Number(/^Asked for: R-(\d+)/.exec(answer)?.[1] ?? expect.fail(answer));
  const card = await slack.waitForMessage(channel, (one) => textOf(one).includes(`R-${id} needs`));
  return { card, id };
}

/** As if a worker of another replica were at it, which this one leaves alone for as long as its lease lasts. */
async function carriedOut(): Promise<{ card: SlackMessage; id: number }> {
  const proposed = await propose();
  await state.run(
    `with run as (
       update pgorderly.runs set state = 'running', fence = 1, lease_owner = 'elsewhere', progress = $2,
         lease_until = clock_timestamp() + interval '1 h', sent_at = clock_timestamp() where id = $1 returning id)
     update pgorderly.cards set wanted_version = wanted_version + 1 where run_id = (select id from run)`,
    [proposed.id, JSON.stringify(progress)],
  );
  await shows(proposed.card, 'Stop …');
  return proposed;
}

async function end(id: number, as: 'stopped' | 'unknown'): Promise<void> {
  await state.run(
    `with run as (update pgorderly.runs set state = $2, outcome = 'as the test says' where id = $1 returning id)
     update pgorderly.cards set wanted_version = wanted_version + 1 where run_id = (select id from run)`,
    [id, as],
  );
}

async function stateOf(id: number): Promise<string> {
  return (await state.run('select state from pgorderly.runs where id = $1', [id])).rows[0].state;
}

async function stopOf(id: number): Promise<unknown> {
  return (await state.run('select stop_by, stop_reason from pgorderly.runs where id = $1', [id])).rows[0];
}

async function press(user: string, card: SlackMessage, actionId: string): Promise<string> {
  slack.answers.length = 0;
  await until(`the button ${actionId}`, async () => buttons(await current(card)).includes(actionId));
  await slack.click({ user, channel, ts: card.ts, actionId });
  return nextAnswer();
}

async function command(user: string, text: string): Promise<string> {
  slack.answers.length = 0;
  await slack.command({ user, channel, text });
  return nextAnswer();
}

async function nextAnswer(): Promise<string> {
  return (await until('the answer', () => slack.answers[0])).text;
}

async function current(card: SlackMessage): Promise<SlackMessage> {
  return (await slack.messages(channel)).find((one) => one.ts === card.ts) ?? card;
}

async function shows(card: SlackMessage, words: string): Promise<void> {
  await until(`the card to show ${words}`, async () => {
    const message = await current(card);
    return textOf(message).includes(words) || JSON.stringify(message.blocks ?? []).includes(words);
  });
}

function buttons(message: SlackMessage): string[] {
  return (message.blocks ?? []).flatMap((block) =>
    block.type === 'actions'
      ? (block as unknown as { elements: BlockAction[] }).elements.map((one) => one.action_id ?? '')
      : [],
  );
}
