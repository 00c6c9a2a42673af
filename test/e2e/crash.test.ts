import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BotProcess, spawnBot } from '../support/bot.ts';
import { auditKinds, untilRun, untilVerifying } from '../support/decision.ts';
import { makeRowLockStorm, type Storm } from '../support/illness.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

let slack: StrictSlack;
let watched: Database;
let state: Database;
let storm: Storm;
let proxy: Proxy;
let bots: BotProcess[];

beforeEach(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
  const { host, port } = watched.server;
  proxy = await startProxy({ path: `${host}/.s.PGSQL.${port}` });
  bots = [];
  storm = await makeRowLockStorm(watched);
});

afterEach(async () => {
  for (const bot of bots) await bot.stop('SIGKILL');
  await proxy.close();
  await storm.end();
  await slack.stop();
});

/** A replica; its acts go through the proxy where the test wants to hold them. */
async function replica(throughProxy = false): Promise<BotProcess> {
  const direct = watched.url('actor');
  const signalUrl = throughProxy ? `postgres://actor@127.0.0.1:${proxy.port}/${watched.name}` : direct;
  const bot = await spawnBot({ slack, stateUrl: state.url(), monitorUrl: watched.url('monitor'), signalUrl });
  bots.push(bot);
  return bot;
}

async function approve(): Promise<string> {
  const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
  await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
  return card.ts;
}

/**
 * Approves, and keeps the run's row locked, so that its worker waits where it would store that it is about to act. The
 * acting connection is slow meanwhile: the guards take long enough for the row to be locked behind their back.
 */
async function approveAndHold(): Promise<() => Promise<void>> {
  proxy.delay('to-server', 150);
  await approve();
  const holder = await state.client('postgres', 'test');
  await until('the run to be claimed', async () => {
    await holder.query('begin');
    const { rows } = await holder.query("select id from pgorderly.runs where state = 'running' for update");
    if (rows.length > 0) return true;
    await holder.query('rollback');
    return false;
  });
  await until('its worker to wait for the row', async () => {
    const { rows } = await state.run(
      "select 1 from pg_stat_activity where query like '%set sent_at%' and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  });
  proxy.delay('to-server', 0);
  return async () => {
    await holder.query('rollback');
    await holder.end();
  };
}

/** Lets a worker store that its act is about to be sent, but not hear that it is stored. */
async function holdAnnouncement(): Promise<{ isReached(): Promise<unknown>; release(): Promise<void> }> {
  await state.run(`create function hold() returns trigger language plpgsql
    as $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$`);
  await state.run(`create constraint trigger hold after update on pgorderly.runs deferrable initially deferred
    for each row when (old.sent_at is null and new.sent_at is not null) execute function hold()`);
  const holder = await state.client();
  await holder.query('select pg_advisory_lock(1)');
  return {
    isReached: () =>
      until('the announcement', async () => {
        const waiting = "datname = current_database() and wait_event = 'advisory'";
        return (await state.run(`select from pg_stat_activity where ${waiting}`)).rows.length > 0;
      }),
    release: () => holder.end(),
  };
}

async function isRootAlive(): Promise<boolean> {
  const { rows } = await watched.run('select 1 from pg_stat_activity where pid = $1', [storm.rootPid]);
  return rows.length > 0;
}

describe('a worker that is frozen between its guards and its act', () => {
  it('does nothing when it wakes up late: another worker has done it, once', async () => {
    const late = await replica(true);
    const release = await approveAndHold();
    late.child.kill('SIGSTOP');
    await release();
    await replica();
    await untilRun(state, 'the run to be done by the other', (run) => run.state === 'succeeded');
    expect(await isRootAlive()).toBe(false);
    late.child.kill('SIGCONT');
    await until('the late worker to notice', () => /run broke|belongs to another/.test(late.output()));
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
  });

  it('cannot send its act after the other worker gave the verdict: its session is ended', async () => {
    const late = await replica();
    await until('it to be up', () => late.output().includes('"event":"started"'));
    const hold = await holdAnnouncement();
    await approve();
    await hold.isReached();
    late.child.kill('SIGSTOP');
    await hold.release();
    await untilRun(state, 'the act to be announced', (run) => run.sent_at !== null);
    await replica();
    const run = await untilRun(state, 'a verdict', (one) => one.state === 'failed');
    expect(run.outcome).toContain('nothing was sent again');
    late.child.kill('SIGCONT');
    await until('the late worker to try', () => /"isSent":true.*run broke/.test(late.output()));
    expect(await isRootAlive()).toBe(true);
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.failed': 1 });
  });
});

describe('a bot that is killed', () => {
  it('before its run was claimed: the next one runs it, once', async () => {
    const first = await replica();
    const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
    await first.stop('SIGKILL');
    await state.run("update pgorderly.runs set state = 'approved'");
    await replica();
    await storm.through;
    await untilRun(state, 'the run to be done', (run) => run.state === 'succeeded');
    await slack.waitForMessage('C0OPS', (message) => message.ts === card.ts && textOf(message).includes('🟢'));
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1 });
  });

  it('between its guards and its act: the next one runs it, once', async () => {
    const first = await replica(true);
    const release = await approveAndHold();
    await first.stop('SIGKILL');
    await release();
    await replica();
    await storm.through;
    await untilRun(state, 'the run to be done', (run) => run.state === 'succeeded');
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
  });

  it('after its act was announced, before it reached the server: judged, not sent again', async () => {
    const first = await replica(true);
    const release = await approveAndHold();
    proxy.mode('stall');
    await release();
    await untilRun(state, 'the act to be announced', (run) => run.sent_at !== null);
    await first.stop('SIGKILL');
    await replica();
    const run = await untilRun(state, 'a verdict', (one) => one.state === 'failed');
    expect(run.outcome).toContain('nothing was sent again');
    expect(await isRootAlive()).toBe(true);
  });

  it('after its act, before the verdict: the next one sees on the server that it is done', async () => {
    const first = await replica();
    process.kill(storm.rootPid, 'SIGSTOP');
    await approve();
    await untilVerifying(watched);
    await first.stop('SIGKILL');
    process.kill(storm.rootPid, 'SIGCONT');
    await storm.through;
    await replica();
    const run = await untilRun(state, 'a verdict', (one) => one.state === 'succeeded');
    expect(run.outcome).toContain('its worker was lost');
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
  });

  it('while its card is being posted: the card is there once', async () => {
    slack.fail({ method: 'chat.postMessage', times: 1, with: 'drop-after' });
    const first = await replica();
    await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
    await first.stop('SIGKILL');
    await replica();
    await until('the card to be known', async () => {
      const { rows } = await state.run('select ts from pgorderly.cards where ts is not null');
      return rows.length === 1;
    });
    const cards = (await slack.messages('C0OPS')).filter((message) => !message.thread_ts);
    expect(cards).toHaveLength(1);
  });

  it('before its card was posted: the next one posts it', async () => {
    slack.fail({ method: 'chat.postMessage', times: 1, with: 'stall' });
    const first = await replica();
    await until('the post to be under way', async () => {
      const { rows } = await state.run('select 1 from pgorderly.cards where sending_since is not null');
      return rows.length === 1;
    });
    await first.stop('SIGKILL');
    await replica();
    await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
    expect((await slack.messages('C0OPS')).filter((message) => !message.thread_ts)).toHaveLength(1);
  });

  it('while a line of its thread is being posted: the line is there once', async () => {
    const first = await replica();
    const ts = await approve();
    slack.fail({ method: 'chat.postMessage', times: 1, with: 'drop-after' });
    await until('the steps in the thread', async () => (await slack.thread('C0OPS', ts)).length > 0);
    await first.stop('SIGKILL');
    await replica();
    await until('every line to be known', async () => {
      const { rows } = await state.run('select 1 from pgorderly.thread_lines where ts is null');
      return rows.length === 0;
    });
    const lines = (await slack.thread('C0OPS', ts)).flatMap((message) => textOf(message).split('\n'));
    expect(lines.filter((line) => line.includes('approved by'))).toHaveLength(1);
    expect(new Set(lines).size).toBe(lines.length);
  });
});
