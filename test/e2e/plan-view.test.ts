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
  await watched.run('create index orders_id on orders (id)');
  slack = await startSlack();
  bot = await startBot({
    slack,
    stateUrl: state.url(),
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
    maintainUrl: watched.url('keeper'),
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
