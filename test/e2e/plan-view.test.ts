import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

let slack: StrictSlack;
let watched: Database;
let bot: Service;

beforeAll(async () => {
  const state = await createDatabase(newest);
  watched = await createDatabase(newest);
  await watched.run('create table orders (id integer, status text); alter table orders owner to app');
  await watched.run('create index orders_id on orders (id); grant create on schema public to app');
  slack = await startSlack();
  bot = await startBot({
    slack,
    stateUrl: state.url(),
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
    maintainUrl: watched.url('keeper'),
    ddlUrl: watched.url('keeper'),
    jobs: '  duplicate-indexes: { thresholds: { minBytes: 0 } }',
    timing: { leaseSeconds: 5, sweepSeconds: 0.3, patienceSeconds: 5 },
  });
  await until('the bot to be connected', () => slack.connected === 1);
});
afterAll(async () => {
  await bot.stop();
  await slack.stop();
});

const channel = 'C0OPS';

/** The modal that is open, once it says that. */
function modalSays(words: string): Promise<string> {
  return until(`the modal to say ${words}`, async () => {
    const text = textOf({ blocks: (await slack.modal())?.blocks ?? [] });
    return text.includes(words) && text;
  });
}

it('opens from the card of a run: statements, size, time, space and the verdict of each guard, as things are now', async () => {
  const text = 'run reindex-index-concurrently shop index=public.orders_id';
  await slack.command({ user: 'U0TOM', channel, text });
  const card = await slack.waitForMessage(channel, (one) => textOf(one).includes('Fix: reindex-index-concurrently'));
  await slack.click({ user: 'U0ANA', channel, ts: card.ts, actionId: 'plan' });
  const shown = await modalSays('Guards');
  expect(shown).toContain('reindex index concurrently "public"."orders_id"');
  expect(shown).toMatch(/\*size\* {2}8\.0 kB/);
  expect(shown).toContain('*Needs*  up to 16 kB free on disk meanwhile, and writes up to 8.0 kB of WAL');
  expect(shown).toContain('✓ a primary');
  expect(shown).not.toContain('✗');
  await slack.closeView('U0ANA');

  await watched.run('reindex index orders_id');
  await slack.click({ user: 'U0ANA', channel, ts: card.ts, actionId: 'plan' });
  expect(await modalSays('✗')).toMatch(/✗ .*orders_id.* (?:rebuilt|file)/);
  await slack.closeView('U0ANA');
  expect(slack.violations).toEqual([]);
});

it('is told by /pg plan, which asks for nothing', async () => {
  const text = 'plan reindex-index-concurrently shop index=public.orders_id';
  await slack.command({ user: 'U0ANA', channel, text });
  const told = textOf(
    await slack.waitForMessage(
      channel,
      (one) => one.ephemeral_to === 'U0ANA' && textOf(one).includes('nothing was run'),
    ),
  );
  expect(told).toContain('reindex index concurrently "public"."orders_id"');
  expect(told).toContain('✓ a primary');
  expect(told).toContain('It may be run now, once it is approved: `/pg run reindex-index-concurrently shop …`');
});

it("opens from a report's line, and proposes what it shows", async () => {
  await watched.run('create index orders_id_again on orders (id)');
  await slack.command({ user: 'U0ANA', channel, text: 'check duplicate-indexes' });
  const found = (one: { text?: string }) => textOf(one).includes('orders_id_again repeats');
  await slack.waitForMessage(channel, (one) => one.ephemeral_to === 'U0ANA' && found(one));
  await slack.command({ user: 'U0ANA', channel, text: 'report' });
  const report = await slack.waitForMessage(channel, (one) => textOf(one).startsWith('📋') && found(one));
  const [, value] = /"action_id":"plan","text":\{[^}]*\},"value":"(alert:\d+)"/.exec(JSON.stringify(report)) ?? [];
  await slack.click({ user: 'U0ANA', channel, ts: report.ts, actionId: 'plan', value: value ?? '' });
  expect(await modalSays('Guards')).toContain('drop index concurrently "public"."orders_id_again"');
  await slack.submitView('U0ANA');
  const card = await slack.waitForMessage(channel, (one) => textOf(one).includes('Fix: drop-index-concurrently'));
  expect(textOf(card)).toMatch(/asked for by <@U0ANA> · for A-\d+/);
  await slack.click({ user: 'U0MIRA', channel, ts: card.ts, actionId: 'approve' });
  const dropped = await until('the index to be gone', async () => {
    const { rows } = await watched.run("select to_regclass('orders_id_again') is null as gone");
    return rows[0].gone;
  });
  expect(dropped).toBe(true);
  await slack.waitForMessage(channel, (one) => textOf(one).includes('Fix: recreate-dropped-index'));
  expect(slack.violations).toEqual([]);
});
