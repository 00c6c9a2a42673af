import { beforeAll, describe, expect, it, test } from 'vitest';
import { type PreparedTransaction, preparedTransactions } from '../../jobs/prepared-transactions.ts';
import type { Judged } from '../../src/model.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob } from './check-job.ts';

describe.each(majors)('prepared-transactions on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table orders (id integer primary key, v integer)');
    await database.run('insert into orders values (1, 1), (2, 2)');
    await database.run('grant all on orders to app');
  });
  failOnLeaks(() => database);

  const check = (thresholds: Record<string, number> = { minSeconds: 0 }, user = 'monitor') =>
    checkJob(preparedTransactions, database, { thresholds, user });
  async function prepare(gid: string, statement: string) {
    const client = await database.client('app');
    await client.query('begin');
    await client.query(statement);
    await client.query(`prepare transaction '${gid}'`);
    await client.end();
  }

  it.each([
    ['monitor', 'critical', true],
    ['plain', 'warning', null],
  ])('finds one as %s, whose session is long gone, until it is ended', async (user, severity, holdsOldestXmin) => {
    await prepare('left', 'update orders set v = 2 where id = 1');
    const [finding, ...others] = (await check({ minSeconds: 0 }, user)).findings;
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      severity,
      database: database.name,
      fingerprint: 'left',
      subject: { kind: 'prepared-transaction', gid: 'left' },
      facts: { owner: 'app', holdsOldestXmin, blocks: 0, relations: 2, modes: ['RowExclusive'] },
      runbooks: [],
    });
    expect(finding?.summary).toContain(`In database ${database.name}, \`commit prepared 'left'\``);
    expect((await check({}, user)).findings).toEqual([]);
    await database.run("rollback prepared 'left'");
    expect(await check()).toMatchObject({ outcome: 'ok', findings: [] });
  });

  it.each([
    ['a row', 'update orders set v = 2 where id = 1', 'update orders set v = 3 where id = 1'],
    ['a table', 'lock table orders in access exclusive mode', 'select * from orders'],
  ])('counts who waits for %s, and for which of them', async (_, statement, waiting) => {
    await prepare('second', statement);
    await prepare('bystander', 'select txid_current()');
    const waiter = await database.client('app');
    const done = waiter.query(waiting);
    const blocks = async () => {
      const { findings } = await check();
      return findings.map(({ fingerprint, facts }) => [fingerprint, facts['blocks']]);
    };
    await until('the waiter', async () => (await blocks()).some(([, count]) => count === 1));
    expect(await blocks()).toEqual([
      ['second', 1],
      ['bystander', 0],
    ]);
    for (const gid of ['second', 'bystander']) await database.run(`rollback prepared '${gid}'`);
    await done;
    await waiter.end();
  });
});

describe('prepared-transactions', () => {
  const base: PreparedTransaction = {
    gid: 'a',
    owner: 'app',
    database: 'shop',
    preparedSeconds: 700,
    ageXids: 5,
    holdsOldestXmin: false,
    relations: 0,
    modes: [],
    blocks: 0,
  };
  test.each<[string, Partial<PreparedTransaction>, string | null]>([
    ['younger than ten minutes', { preparedSeconds: 599, blocks: 3 }, null],
    ['ten minutes', { preparedSeconds: 600 }, 'warning'],
    ['an hour', { preparedSeconds: 3_600 }, 'critical'],
    ['others wait', { blocks: 1 }, 'critical'],
    ['it holds the oldest xmin', { holdsOldestXmin: true }, 'critical'],
  ])('%s', (_, changes, severity) => {
    expect(judge(changes)?.severity ?? null).toBe(severity);
  });

  it('is not said to hold vacuum back where older sessions may be hidden', () => {
    const finding = judge({ holdsOldestXmin: true }, false);
    expect(finding).toMatchObject({ severity: 'warning', impact: null });
    expect(finding?.summary).toContain('Whether it holds vacuum back is hidden from the monitoring role.');
  });

  function judge(changes: Partial<PreparedTransaction>, seesAll = true): Judged | undefined {
    const { findings } = preparedTransactions.judge([{ ...base, ...changes }], {
      thresholds: { minSeconds: 600, criticalSeconds: 3_600 },
      now: new Date(0),
      node: { name: 'main', isStandby: false, role: 'monitor', seesAll },
      protectedBecause: () => null,
      history: () => [],
    });
    return findings[0];
  }
});
