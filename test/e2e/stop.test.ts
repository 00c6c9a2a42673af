import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BotOptions, type BotProcess, readiness, spawnBot } from '../support/bot.ts';
import { auditKinds, untilRun, untilVerifying } from '../support/decision.ts';
import { makeRowLockStorm, type Storm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { isRedisHere, startRedis } from '../support/redis.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

let slack: StrictSlack;
let watched: Database;
let state: Database;
let proxy: Proxy;
let bots: BotProcess[];
let storm: Storm | null;
let thaw: () => void;

/** State and watched databases are on one server: no session of ours is left on either. */
failOnLeaks(() => watched);

beforeEach(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
  const { host, port } = watched.server;
  proxy = await startProxy({ path: `${host}/.s.PGSQL.${port}` });
  bots = [];
  storm = null;
  thaw = () => undefined;
});

afterEach(async () => {
  for (const bot of bots) await bot.stop('SIGKILL');
  thaw();
  await proxy.close();
  await storm?.end();
  await slack.stop();
});

async function start(as: 'impatient' | 'installed', more: Partial<BotOptions> = {}): Promise<BotProcess> {
  const urls = { stateUrl: state.url(), monitorUrl: watched.url('monitor'), signalUrl: watched.url('actor') };
  const bot = await spawnBot({ slack, ...urls, ...more }, as);
  bots.push(bot);
  await until('the bot to be connected', () => bot.output().includes('slack connected'));
  return bot;
}

function throughProxy(database: Database, user: string): string {
  return `postgres://${user}@127.0.0.1:${proxy.port}/${database.name}`;
}

function portOf(bot: BotProcess): number {
  return Number(/"port":(\d+)/.exec(bot.output())?.[1]);
}

async function approve(): Promise<void> {
  const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
  await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
}

/** A run whose signal was sent to a backend that does not heed it before it is thawed. */
async function beginRun(): Promise<void> {
  storm = await makeRowLockStorm(watched);
  const { rootPid } = storm;
  process.kill(rootPid, 'SIGSTOP');
  thaw = () => {
    thaw = () => undefined;
    process.kill(rootPid, 'SIGCONT');
  };
  await approve();
  await untilVerifying(watched);
}

async function lastCheck(): Promise<string> {
  const { rows } = await state.run('select max(finished_at)::text as at from pgorderly.checks');
  return rows[0].at;
}

describe('the service', () => {
  it('is not ready from SIGTERM on, checks no more, ends the run under way, and exits with 0', async () => {
    const bot = await start('installed');
    await beginRun();
    const port = portOf(bot);
    const gone = bot.stop('SIGTERM');
    const said = await until('readyz to say so', async () => {
      const { ready, parts } = await readiness(port);
      return parts['service']?.ok === false && { ready, service: parts['service'] };
    });
    expect(said).toEqual({ ready: false, service: { ok: false, detail: 'stopping' } });
    await until('Slack to be left', () => slack.connected === 0);
    const before = await lastCheck();
    thaw();
    expect(await gone).toBe(0);
    const run = await untilRun(state, 'its verdict', () => true);
    expect(run).toMatchObject({ state: 'succeeded', fence: 1 });
    expect(await lastCheck()).toBe(before);
    expect(bot.output()).toContain('"event":"stopped"');
  });

  it('stops by SIGINT too', async () => {
    const bot = await start('installed');
    expect(await bot.stop('SIGINT')).toBe(0);
    expect(bot.output()).toContain('"event":"stopped"');
  });

  it('ends at once by a second signal', async () => {
    const bot = await start('installed');
    await beginRun();
    bot.child.kill('SIGTERM');
    await until('it to be stopping', () => bot.output().includes('"event":"stopping'));
    expect(await bot.stop('SIGTERM')).toBe(1);
    expect(bot.output()).not.toContain('"event":"stopped"');
    thaw();
  });

  it('hands over the run that it cannot end in time, for another to judge', async () => {
    const bot = await start('impatient', { signalUrl: throughProxy(watched, 'actor') });
    await beginRun();
    proxy.mode('stall');
    expect(await bot.stop('SIGTERM')).toBe(0);
    expect(await untilRun(state, 'the run', () => true)).toMatchObject({ state: 'running', fence: 2 });
    expect(bot.output()).toContain('run handed over');
    thaw();
    await start('impatient');
    const run = await untilRun(state, 'a verdict', (one) => one.state === 'succeeded');
    expect(run.outcome).toContain('its worker was lost');
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
    expect(await bots.at(-1)?.stop('SIGTERM')).toBe(0);
  });

  it('stops in time where the state database says nothing any more', async () => {
    const bot = await start('impatient', { stateUrl: throughProxy(state, 'postgres') });
    proxy.mode('stall');
    expect(await bot.stop('SIGTERM')).toBe(0);
    proxy.cut();
  });

  it.skipIf(!isRedisHere)('stops in time where Redis is gone', async () => {
    const redis = await startRedis();
    const bot = await start('impatient', { redisUrl: redis.url });
    await redis.stop();
    await until('it to notice', () => bot.output().includes('redis connection lost'));
    expect(await bot.stop('SIGTERM')).toBe(0);
  });
});
