import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { startProxy, type Proxy as TcpProxy } from '../support/proxy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const approvers = ['U0MIRA', 'U0TOM', 'U0ANA'];
const notRecorded = /^Not recorded, nothing was done/;

let slack: StrictSlack;
let watched: Database;
let state: Database;
let proxy: TcpProxy;
let bot: Service;
const seen: string[] = [];

beforeAll(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
  proxy = await startProxy({ path: `${state.server.host}/.s.PGSQL.${state.server.port}` });
  bot = await startBot({
    slack,
    stateUrl: `postgres://postgres@127.0.0.1:${proxy.port}/${state.name}`,
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
    approvers,
  });
});

afterAll(async () => {
  await bot?.stop();
  await proxy?.close();
  await slack?.stop();
});

describe('an Approve while the state database takes 2 s a statement', () => {
  it('is stored and acknowledged within 3 s, and runs', async () => {
    const { storm, press } = await makeTrouble();
    proxy.delay('to-server', 2_000);
    await press('U0MIRA');
    proxy.delay('to-server', 0);
    await storm.through;
    await until('the answer', () => slack.answers.length === 1);
    expect(slack.answers[0]?.text).toMatch(/^Approved: /);
    await settle(storm);
  });

  it('is, of several at once, either recorded or answered "not recorded", and only what is recorded counts', async () => {
    const { storm, press } = await makeTrouble();
    proxy.delay('to-server', 2_000);
    await Promise.all(Array.from({ length: 12 }, (_, index) => press(approvers[index % 3] ?? '')));
    proxy.delay('to-server', 0);
    await storm.through;
    await until('all answers', () => slack.answers.length === 12);
    const lost = slack.answers.filter((answer) => notRecorded.test(answer.text)).length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(12);
    await until('the lost ones to be void', async () => (await inbox()).voided === lost);
    expect((await decisions()).length).toBe(12 - lost);
    await settle(storm);
  });
});

describe('an Approve that was answered "not recorded"', () => {
  it.each<{ it: string; begin: () => void; end: () => void }>([
    {
      it: 'takes 4 s a statement',
      begin: () => proxy.delay('to-server', 4_000),
      end: () => proxy.delay('to-server', 0),
    },
    {
      it: 'answers after 4 s what it did at once',
      begin: () => proxy.delay('to-client', 4_000),
      end: () => proxy.delay('to-client', 0),
    },
    {
      it: 'refuses connections',
      begin: () => {
        proxy.mode('refuse');
        proxy.cut();
      },
      end: () => proxy.mode('pass'),
    },
    {
      it: 'is silent, then cut off',
      begin: () => proxy.mode('stall'),
      end: () => {
        proxy.cut();
        proxy.mode('pass');
      },
    },
  ])(
    'never runs, also when the state database is well again, if that $it',
    async ({ begin, end }) => {
      const { storm, press } = await makeTrouble();
      begin();
      await Promise.all(approvers.map(press));
      await until('all answers', () => slack.answers.length === approvers.length);
      expect(slack.answers.map((answer) => answer.text)).toEqual(
        approvers.map(() => expect.stringMatching(notRecorded)),
      );
      end();
      await until('them to be void', async () => (await inbox()).voided === approvers.length);
      expect(await decisions()).toEqual([]);
      const { rows } = await state.run('select state from pgorderly.runs order by id desc limit 1');
      expect(rows).toEqual([{ state: 'proposed' }]);
      await until('a press again to be recorded', async () => {
        slack.answers.length = 0;
        await press('U0TOM');
        await until('its answer', () => slack.answers.length === 1);
        return slack.answers[0]?.text.startsWith('Approved: ');
      });
      await storm.through;
      await settle(storm);
    },
    60_000,
  );
});

/** A proposal on a card of its own, and how to press its Approve. */
async function makeTrouble() {
  const storm = await makeRowLockStorm(watched);
  const card = await slack.waitForMessage(
    'C0OPS',
    (one) => JSON.stringify(one.blocks ?? []).includes('"approve"') && !seen.includes(one.ts),
  );
  seen.push(card.ts);
  slack.answers.length = 0;
  slack.deliveries.length = 0;
  await state.run('delete from pgorderly.inbox');
  const press = (user: string) => slack.click({ user, channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
  return { storm, press };
}

/** Nothing is left over for the next test; and every click was acknowledged within 3 s. */
async function settle(storm: Awaited<ReturnType<typeof makeRowLockStorm>>): Promise<void> {
  await storm.end();
  expect(slack.deliveries.map((each) => (each.ackMs ?? Infinity) < 3_000)).not.toContain(false);
  expect(slack.violations).toEqual([]);
  await until('the alert to be resolved', async () => {
    const { rows } = await state.run("select from pgorderly.alerts where state <> 'resolved'");
    return rows.length === 0;
  });
  // Else the sixth of these tests would meet the limit of five signals within ten minutes.
  await state.run("update pgorderly.runs set sent_at = sent_at - interval '1 h'");
}

async function inbox(): Promise<{ voided: number }> {
  const { rows } = await state.run('select count(voided_at)::int as voided from pgorderly.inbox');
  return rows[0];
}

/** Audit entries of people about the last run: one for each click that was decided. */
async function decisions(): Promise<string[]> {
  const { rows } = await state.run(
    `select entry::jsonb ->> 'kind' as kind from pgorderly.audit
     where entry::jsonb ->> 'actor' <> 'pgorderly' and entry::jsonb ->> 'run' = (select max(id) from pgorderly.runs)::text`,
  );
  return rows.map((row) => row.kind);
}
