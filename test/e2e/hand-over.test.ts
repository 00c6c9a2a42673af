import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { type Hold, holdIn, ledger, readIndexes } from '../runbooks/reindex-phases.ts';
import { startBot } from '../support/bot.ts';
import { auditKinds } from '../support/decision.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

let slack: StrictSlack;
let watched: Database;
let state: Database;
let bots: Service[];
let hold: Hold;

failOnLeaks(() => watched);
beforeEach(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  await watched.run(ledger);
  slack = await startSlack();
  bots = [];
  hold = await holdIn('building index', watched);
});
afterEach(async () => {
  await hold.release();
  for (const bot of bots) await bot.stop();
  await slack.stop();
});

/** With the service's own timing: what is not handed over goes unnoticed for most of a minute. */
async function start(): Promise<void> {
  const bot = await startBot({
    slack,
    stateUrl: state.url(),
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
    maintainUrl: watched.url('keeper'),
  });
  bots.push(bot);
  await until('it to be connected', () => slack.connected === bots.length);
}

/** Asked for by one, approved by another; the time stamp of its card. */
async function rebuild(): Promise<string> {
  const text = 'run reindex-index-concurrently shop index=public.ledger_amount';
  await slack.command({ user: 'U0TOM', channel: 'C0OPS', text });
  const card = await slack.waitForMessage('C0OPS', (one) => textOf(one).includes('Fix: reindex-index-concurrently'));
  await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
  await hold.reached();
  return card.ts;
}

function cardSays(ts: string, words: RegExp): Promise<string> {
  return until(`the card to say ${words}`, async () => {
    const card = (await slack.messages('C0OPS')).find((one) => one.ts === ts);
    return card && words.test(textOf(card)) && textOf(card);
  });
}

async function acting(): Promise<number[]> {
  const { rows } = await watched.run("select pid from pg_stat_activity where application_name like 'pgorderly/run/%'");
  return rows.map(({ pid }) => pid);
}

async function progress(): Promise<{ phase: string; seconds: number } | null> {
  const { rows } = await state.run('select progress from pgorderly.runs');
  return JSON.parse(rows[0].progress);
}

it('a rebuild outlives a deploy: the next one adopts it at once, shows how far it is, and ends it', async () => {
  await start();
  const ts = await rebuild();
  const pids = await acting();
  await cardSays(ts, /building index/);
  await start();
  const stoppedAt = Date.now();
  await bots.shift()?.stop();
  expect(Date.now() - stoppedAt).toBeLessThan(8_000);
  const before = (await progress())?.seconds ?? 0;
  const isGoingOn = async () => ((await progress())?.seconds ?? 0) > before;
  await until('the next one to adopt it, and to go on telling', isGoingOn, 15_000);
  await cardSays(ts, /lost its worker[\s\S]*building index/);
  expect(await acting()).toEqual(pids);
  await hold.release();
  const said = await cardSays(ts, /Before → after: size \d+ kB → 16 kB/);
  expect(said).toContain('done');
  expect(await readIndexes(watched)).toEqual({ ledger_amount: true, ledger_pkey: true });
  expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
  expect(slack.violations).toEqual([]);
});
