import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { isRedisHere, type RedisServer, startRedis } from '../support/redis.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const approvers = ['U0MIRA', 'U0TOM', 'U0ANA', 'U0EVA', 'U0BEN'];
const crowd = [...approvers, 'U0GUEST'];
const clicks = 20;
/** Five signals within ten minutes are the limit on a target. */
const rounds = 3;

const workspace = {
  users: crowd.map((id) => ({ id, name: id.slice(2).toLowerCase() })),
  channels: [{ id: 'C0OPS', name: 'ops', members: [...crowd, 'U0BOT'] }],
};

interface Setting {
  queue: 'PostgreSQL' | 'Redis';
  people: number;
  delivery: 'each socket in turn' | 'every socket';
}

const settings: Setting[] = [
  { queue: 'PostgreSQL', people: 1, delivery: 'each socket in turn' },
  { queue: 'PostgreSQL', people: 2, delivery: 'every socket' },
  { queue: 'Redis', people: 1, delivery: 'every socket' },
  { queue: 'Redis', people: 2, delivery: 'each socket in turn' },
];

for (const setting of settings) {
  const { queue, people, delivery } = setting;
  const skip = queue === 'Redis' && !isRedisHere;
  describe.skipIf(skip)(`${clicks} clicks at once on two replicas, queue on ${queue}, clicks to ${delivery}`, () => {
    let slack: StrictSlack;
    let watched: Database;
    let state: Database;
    let redis: RedisServer | null = null;
    let bots: Service[] = [];

    beforeAll(async () => {
      [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
      slack = await startSlack({ ...workspace, broadcast: delivery === 'every socket' });
      if (queue === 'Redis') redis = await startRedis();
      const options = {
        slack,
        stateUrl: state.url(),
        monitorUrl: watched.url('monitor'),
        signalUrl: watched.url('actor'),
        approvers,
        people,
        ...(redis ? { redisUrl: redis.url } : {}),
      };
      bots = await Promise.all([startBot(options), startBot(options)]);
      await until('both replicas to be connected', () => slack.connected === 2);
    });

    afterAll(async () => {
      await Promise.all(bots.map((bot) => bot.stop()));
      await redis?.stop();
      await slack?.stop();
    });

    it(`executes once where ${people} must approve, answers every click, and leaves nothing open`, async () => {
      const seen: string[] = [];
      for (let round = 1; round <= rounds; round++) {
        slack.answers.length = 0;
        const storm = await makeRowLockStorm(watched);
        const card = await slack.waitForMessage('C0OPS', (one) => hasApprove(one) && !seen.includes(one.ts));
        seen.push(card.ts);
        await Promise.all(
          Array.from({ length: clicks }, (_, index) =>
            slack.click({
              user: crowd[index % crowd.length] ?? '',
              channel: 'C0OPS',
              ts: card.ts,
              actionId: 'approve',
            }),
          ),
        );
        await storm.through;
        await until('every click to be answered', () => slack.answers.length >= clicks);
        await until('the alert to be resolved', async () => {
          const { rows } = await state.run("select from pgorderly.alerts where state <> 'resolved'");
          return rows.length === 0;
        });
        await expectOnce(state, { round, people });
        expect(slack.answers.map((answer) => answer.user).sort()).toEqual(
          Array.from({ length: clicks }, (_, index) => crowd[index % crowd.length]).sort(),
        );
        const said = slack.answers.map((answer) => answer.text);
        expect(said.filter((text) => text.startsWith('Approved:'))).toHaveLength(1);
        expect(said.filter((text) => text.startsWith('Your approval'))).toHaveLength(people - 1);
        expect(said.filter((text) => text.includes('not among those who may'))).not.toHaveLength(clicks);
        await storm.end();
      }
      expect(slack.violations).toEqual([]);
      expect(slack.acks.every((ack) => (ack.ackMs ?? 0) < 3_000)).toBe(true);
    }, 60_000);
  });
}

function hasApprove(message: { blocks?: unknown[] }): boolean {
  return JSON.stringify(message.blocks ?? []).includes('"action_id":"approve"');
}

/** What the state database and its audit tell of all rounds so far. */
async function expectOnce(state: Database, { round, people }: { round: number; people: number }): Promise<void> {
  const { rows: runs } = await state.run('select state, fence from pgorderly.runs where sent_at is not null');
  expect(runs).toEqual(Array.from({ length: round }, () => ({ state: 'succeeded', fence: 1 })));
  const { rows: open } = await state.run(
    "select state from pgorderly.runs where state not in ('succeeded', 'withdrawn', 'refused')",
  );
  expect(open).toEqual([]);
  const { rows: approvals } = await state.run(
    'select count(*)::int as count from pgorderly.approvals group by run_id order by run_id',
  );
  expect(approvals).toEqual(Array.from({ length: round }, () => ({ count: people })));
  const { rows: kinds } = await state.run(
    "select entry::jsonb ->> 'kind' as kind, count(*)::int as count from pgorderly.audit group by 1",
  );
  const counted = Object.fromEntries(kinds.map((row) => [row.kind, row.count]));
  expect(counted).toMatchObject({ 'run.approved': round, 'run.sent': round, 'run.succeeded': round });
  const { rows: inbox } = await state.run(
    'select count(*)::int as count from pgorderly.inbox where handled_at is not null and answered_at is not null',
  );
  expect(inbox[0].count).toBe(round * clicks);
}
