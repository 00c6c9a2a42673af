import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startBot } from '../support/bot.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

let slack: StrictSlack;
let state: Database;
let watched: Database;
let proxies: Proxy[];
const stops: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  const path = `${watched.server.host}/.s.PGSQL.${watched.server.port}`;
  proxies = [await startProxy({ path }), await startProxy({ path })];
  slack = await startSlack();
});

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await slack.stop();
});

/** Four targets: `shop` behind the first proxy, `crm` and `erp` behind the second, `near` beside the bot. */
async function start(): Promise<void> {
  const through = (proxy: Proxy | undefined, database: string) =>
    `postgres://monitor@127.0.0.1:${proxy?.port}/${database}`;
  const [first, second] = proxies;
  const target = (name: string, url: string) =>
    `  - name: ${name}\n    channel: C0OPS\n    nodes: [{ url: ${JSON.stringify(url)}, name: main }]`;
  const bot = await startBot({
    slack,
    stateUrl: state.url(),
    monitorUrl: through(first, watched.name),
    targets: [
      target('crm', through(second, watched.name)),
      target('erp', through(second, 'postgres')),
      target('near', watched.url('monitor')),
    ].join('\n'),
    jobs: '  target-unreachable: { schedule: "*/2 * * * * *", after: 0s }',
    lockChains: '{ enabled: false }',
  });
  stops.push(() => bot.stop());
  await untilOutcomes(['ok', 'ok', 'ok', 'ok']);
}

function breakOff(...which: (Proxy | undefined)[]): void {
  for (const proxy of which) {
    proxy?.mode('refuse');
    proxy?.cut();
  }
}

async function untilOutcomes(expected: string[]): Promise<void> {
  await until(`the outcomes ${expected}`, async () => {
    const { rows } = await state.run('select outcome from pgorderly.checks order by target');
    return rows.map(({ outcome }) => outcome).join() === expected.join();
  });
}

async function alerts(): Promise<{ target: string; fingerprint: string; state: string }[]> {
  return (await state.run('select target, fingerprint, state from pgorderly.alerts order by id')).rows;
}

describe('targets that do not answer', { timeout: 60_000 }, () => {
  it('are one alert about the network where they are more than half of all, and go with it', async () => {
    await start();
    breakOff(...proxies);
    const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('more than half of all'));
    expect(textOf(card)).toContain('3 of 4 targets: crm, erp, shop.');
    await untilOutcomes(['findings', 'error', 'ok', 'error']);
    expect(await alerts()).toEqual([{ target: 'crm', fingerprint: 'most targets', state: 'firing' }]);
    for (const proxy of proxies) proxy.mode('pass');
    await untilOutcomes(['ok', 'ok', 'ok', 'ok']);
    expect(await alerts()).toMatchObject([{ state: 'resolved' }]);
  });

  it('are told by themselves where the others answer', async () => {
    await start();
    breakOff(proxies[0]);
    const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('does not answer'));
    expect(textOf(card)).toContain('shop · node primary does not answer');
    expect(await alerts()).toEqual([{ target: 'shop', fingerprint: 'primary', state: 'firing' }]);
  });
});
