import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import type { Server } from '../../src/demo/server.ts';
import { type BotOptions, readiness, spawnBot, startBot } from '../support/bot.ts';
import { untilRun } from '../support/decision.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { pgbouncerAvailable, startPgbouncer } from '../support/pgbouncer.ts';
import { isRedisHere, startRedis } from '../support/redis.ts';
import { createDatabase, type Database, newest, ownServer } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const timing = { leaseSeconds: 2, sweepSeconds: 0.5, patienceSeconds: 5 };

let slack: StrictSlack;
let state: Database;
let watched: Database;
const stops: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await slack.stop();
});

function optionsOf(more: Partial<BotOptions>): BotOptions {
  const urls = { stateUrl: state.url(), monitorUrl: watched.url('monitor'), signalUrl: watched.url('actor') };
  return { slack, ...urls, timing, ...more };
}

async function start(more: Partial<BotOptions> = {}): Promise<Service> {
  const bot = await startBot(optionsOf(more));
  stops.push(() => bot.stop());
  await until('the bot to be connected', () => slack.connected > 0);
  return bot;
}

async function otherServer(settings: Record<string, string> = {}): Promise<Server> {
  const server = await ownServer(newest, settings);
  stops.push(() => server.remove());
  return server;
}

/** A second target, `broken`, whose one node has that URL. */
function alsoWatching(url: string): Partial<BotOptions> {
  return { targets: `  - name: broken\n    channel: C0DBA\n    nodes: [{ url: ${JSON.stringify(url)}, name: main }]` };
}

async function untilChecked(target: string, outcome: string): Promise<void> {
  await until(`${target} to be ${outcome}`, async () => {
    const { rows } = await state.run('select outcome from pgorderly.checks where target = $1', [target]);
    return rows[0]?.outcome === outcome;
  });
}

async function status(): Promise<string[]> {
  slack.answers.length = 0;
  await slack.command({ user: 'U0MIRA', channel: 'C0OPS', text: 'status' });
  const answer = await until('the status', () => slack.answers[0]);
  return answer.text.split('\n');
}

/** Trouble on the well target is found, offered, approved; what its run came to. */
async function approveFix() {
  const storm = await makeRowLockStorm(watched);
  stops.push(() => storm.end());
  const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
  await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
  return untilRun(state, 'the run to end', (run) => ['succeeded', 'failed', 'refused', 'unknown'].includes(run.state));
}

describe('one of two targets', () => {
  const cases: { it: string; url: () => string | Promise<string>; outcome: string; says: RegExp }[] = [
    {
      it: 'that cannot be reached',
      url: () => 'postgres://monitor@127.0.0.1:1/shop',
      outcome: 'error',
      says: /refused the connection/,
    },
    {
      it: 'with a wrong password',
      url: () => watched.server.tcpUrl(watched.name, 'locked').replace('locked@', 'locked:hush-hush@'),
      outcome: 'error',
      says: /password/,
    },
    {
      it: 'whose role is no member of pg_monitor',
      url: async () => (await otherServer()).url('postgres', 'plain'),
      outcome: 'cannot-judge',
      says: /grant pg_monitor to "plain"/,
    },
  ];

  for (const { it: which, url, outcome, says } of cases)
    it(`${which} is told as ⚪ with what to do, never 🟢, and the other is cared for`, async () => {
      await start(alsoWatching(await url()));
      await untilChecked('broken', outcome);
      await untilChecked('shop', 'ok');
      const lines = await status();
      const broken = lines.filter((line) => line.includes('broken'));
      expect(broken).toHaveLength(1);
      expect(broken[0]).toMatch(/^⚪/);
      expect(broken[0]).toMatch(says);
      expect(broken[0]).not.toContain('hush-hush');
      expect(lines.find((line) => line.includes('shop ·'))).toMatch(/^🟢/);
      expect(await approveFix()).toMatchObject({ state: 'succeeded' });
    });
});

describe('an action URL', () => {
  it('without pg_signal_backend is refused, with the GRANT', async () => {
    await watched.run('grant pg_read_all_stats to plain');
    stops.push(() => watched.run('revoke pg_read_all_stats from plain'));
    await start({ signalUrl: watched.url('plain') });
    const run = await approveFix();
    expect(run).toMatchObject({ state: 'refused', sent_at: null });
    expect(run.outcome).toContain('grant pg_signal_backend to plain');
  });

  it.skipIf(!pgbouncerAvailable())('that goes through a pooler is refused', async () => {
    const pooler = await startPgbouncer(watched.server);
    stops.push(() => pooler.stop());
    await start({ signalUrl: pooler.url(watched.name, 'actor') });
    const run = await approveFix();
    expect(run).toMatchObject({ state: 'refused', sent_at: null });
    expect(run.outcome).toContain('pooler');
  });
});

describe('the state database', () => {
  it('that is down at the start ends it with 1 and says what to do', async () => {
    const bot = await spawnBot(optionsOf({ stateUrl: 'postgres://postgres@127.0.0.1:1/state' }), 'installed');
    const code = await new Promise((resolve) => bot.child.once('exit', resolve));
    expect(code).toBe(1);
    expect(bot.output()).toMatch(/the state database did not answer.*ECONNREFUSED[\s\S]*Check state.url/);
    await bot.stop();
  });

  it('that a newer version has migrated is refused', async () => {
    await (await startBot(optionsOf({}))).stop();
    await state.run("insert into pgorderly.migrations (name, run_on) values ('9999_future', now())");
    const bot = await spawnBot(optionsOf({}), 'installed');
    const code = await new Promise((resolve) => bot.child.once('exit', resolve));
    expect(code).toBe(1);
    expect(bot.output()).toMatch(/9999_future[\s\S]*Start the newer pgorderly/);
    await bot.stop();
  });

  it('that goes away and comes back is waited for; then all goes on', async () => {
    const own = await otherServer({ synchronous_commit: 'on' });
    const bot = await start({ stateUrl: own.url() });
    await until('readiness', async () => (await readiness(bot.httpPort)).ready);
    await own.stop('immediate');
    await until('readyz to say so', async () => (await readiness(bot.httpPort)).parts['state']?.ok === false);
    const storm = await makeRowLockStorm(watched);
    stops.push(() => storm.end());
    await own.run();
    const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
    await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
    await storm.through;
    await until('readiness again', async () => (await readiness(bot.httpPort)).ready);
  });
});

describe.skipIf(!isRedisHere)('Redis', () => {
  it('that goes away and comes back is told by readyz; then checks and runs go on', async () => {
    const redis = await startRedis();
    const bot = await start({ redisUrl: redis.url });
    await untilChecked('shop', 'ok');
    await redis.stop();
    await until('readyz to say so', async () => (await readiness(bot.httpPort)).parts['queue']?.ok === false);
    const again = await startRedis(Number(new URL(redis.url).port));
    stops.unshift(() => again.stop());
    await until('readiness again', async () => (await readiness(bot.httpPort)).ready);
    expect(await approveFix()).toMatchObject({ state: 'succeeded' });
  });
});
