import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockChains } from '../../jobs/lock-chains.ts';
import type { Finding } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob, pidOf } from './check-job.ts';

type Options = Parameters<typeof checkJob>[2];

interface Waiter {
  pid: number;
  blockedBy: number[];
  waitSeconds: number;
  mode: string;
  object: string;
}

const everything = { minWaitSeconds: 0, criticalWaitSeconds: 300, criticalVictims: 20 };
const waitersOf = (finding: Finding) => finding.facts['waiters'] as Waiter[];
const byNumber = (pids: number[]) => [...pids].sort((a, b) => a - b);

describe.each(majors)('lock-chains on PostgreSQL %i', (major) => {
  let database: Database;
  let clients: pg.Client[] = [];
  let waiting: Promise<unknown>[] = [];
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table orders (id integer primary key, v integer)');
    await database.run('create table other (id integer primary key)');
  });
  beforeEach(async () => {
    await database.run('truncate orders, other');
    await database.run('insert into orders select g, 0 from generate_series(1, 10) g');
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    // Whatever a failed test left waiting: its end frees the others.
    await database.run('select pg_terminate_backend(pid) from pg_stat_activity where pid = any ($1)', [
      clients.map(pidOf),
    ]);
    await Promise.allSettled(waiting);
    await Promise.allSettled(clients.map((client) => client.end()));
    clients = [];
    waiting = [];
  });

  async function session(...statements: string[]): Promise<pg.Client> {
    const client = await database.client();
    clients.push(client);
    for (const statement of statements) await client.query(statement);
    return client;
  }

  /** A session whose last statement has to wait; returns once it does. */
  async function waiter(statement: string, ...before: string[]): Promise<pg.Client> {
    const client = await session(...before);
    const running = client.query(statement);
    running.catch(() => undefined);
    waiting.push(running);
    await until(`${statement} to wait`, async () => {
      const { rows } = await database.run('select 1 from pg_locks where not granted and pid = $1', [pidOf(client)]);
      return rows.length > 0;
    });
    return client;
  }

  async function findAll(options?: Options): Promise<Finding[]> {
    const result = await checkJob(lockChains, database, { thresholds: everything, ...options });
    expect(result.outcome).not.toBe('error');
    return result.findings.filter(({ database: name }) => name === database.name);
  }

  /** Right after a lock has changed hands those who wait may not have queued again yet: hence `victims`. */
  const findOf = (root: pg.Client, options?: Options, victims = 1): Promise<Finding> =>
    until(`a finding of this root with ${victims} victims`, async () => {
      const found = await findAll(options);
      const ofRoot = found.find(({ subject }) => subject.kind === 'backend' && subject.pid === pidOf(root));
      return ofRoot && Number(ofRoot.facts['victimCount']) >= victims && ofRoot;
    });

  it('names the true roots of a queue and all who wait for each, until they are gone', async () => {
    const reader = await session('begin', 'select v from orders where id = 1');
    const writer = await session('begin', 'update orders set v = 1 where id = 1');
    const second = await waiter('update orders set v = 2 where id = 1');
    const third = await waiter('update orders set v = 3 where id = 1');
    const alter = await waiter('alter table orders add column if not exists extra integer');
    const select = await waiter("select v from orders where id = 2 and 'secret' <> ''");
    const [ofWriter, ofReader, ...others] = [await findOf(writer), await findOf(reader), ...(await findAll()).slice(2)];
    expect(others).toEqual([]);
    expect(byNumber(waitersOf(ofReader).map((one) => one.pid))).toEqual(byNumber([alter, select].map(pidOf)));
    const all = [second, third, alter, select].map(pidOf);
    expect(byNumber(waitersOf(ofWriter).map((one) => one.pid))).toEqual(byNumber(all));
    for (const { pid, blockedBy } of waitersOf(ofWriter)) {
      const { rows } = await database.run('select pg_blocking_pids($1) as pids', [pid]);
      expect(byNumber(blockedBy)).toEqual(byNumber(rows[0].pids));
    }
    expect(ofWriter.facts).toMatchObject({ victimCount: 4, object: 'public.orders' });
    expect(ofWriter.title).toBe('4 sessions wait behind one idle transaction');
    expect(ofWriter.runbooks.map((offer) => offer.name)).toEqual(['cancel-queued-ddl', 'terminate-session']);
    expect(ofWriter.runbooks[0]?.params['pid']).toBe(String(pidOf(alter)));
    expect(ofWriter.runbooks[1]?.params['pid']).toBe(String(pidOf(writer)));
    expect(ofWriter.evidence).toMatch(/alter table .*← makes every reader wait/);
    expect(ofWriter.evidence).toContain('select v from orders where id = $1 and $2 <> $3');
    expect(ofWriter.evidence).not.toContain('secret');

    await database.run('select pg_cancel_backend($1)', [pidOf(alter)]);
    await until('the reader to go on', async () => (await findAll()).length === 1);
    expect(waitersOf(await findOf(writer)).map((one) => one.pid)).toEqual(
      expect.arrayContaining([second, third].map(pidOf)),
    );
    await writer.query('rollback');
    await reader.query('rollback');
    await until('everybody to go on', async () => (await findAll()).length === 0);
  });

  it('does not count what ran before the wait, or says that it cannot know', async () => {
    const writer = await session('begin', 'update orders set v = 1 where id = 1');
    await waiter('with slow as materialized (select pg_sleep(1.2)) update orders set v = 2 from slow where id = 1');
    const { facts } = await findOf(writer);
    const wait = Number(facts['longestWaitSeconds']);
    if (major >= 14) expect(wait).toBeLessThan(1.1);
    else expect(wait).toBeGreaterThan(1.1);
    expect(facts['waitSource']).toBe(major >= 14 ? 'waitstart' : 'query_start');
    await writer.query('rollback');
  });

  it('names the prepared transaction that each waits for', async () => {
    await session('begin', 'insert into other values (1)', "prepare transaction 'row-''holder'");
    await session('begin', 'lock table orders in share mode', "prepare transaction 'table-holder'");
    const onRow = await waiter('insert into other values (1)');
    const onTable = await waiter('update orders set v = 2 where id = 1');
    const found = (await findAll()).map(({ subject, facts, database: name, runbooks }) => {
      const [first] = facts['waiters'] as Waiter[];
      return { subject, pid: first?.pid, blockedBy: first?.blockedBy, object: first?.object, name, runbooks };
    });
    expect(found).toHaveLength(2);
    const shared = { blockedBy: [0], name: database.name, runbooks: [] };
    expect(found).toContainEqual({
      subject: { kind: 'prepared-transaction', gid: "row-'holder" },
      pid: pidOf(onRow),
      object: 'a row of public.other',
      ...shared,
    });
    expect(found).toContainEqual({
      subject: { kind: 'prepared-transaction', gid: 'table-holder' },
      pid: pidOf(onTable),
      object: 'public.orders',
      ...shared,
    });
    await database.run("rollback prepared 'row-''holder'");
    await database.run("rollback prepared 'table-holder'");
    await until('everybody to go on', async () => (await findAll()).length === 0);
  });

  it.each([
    ['changes', 'update orders set v = v + 1 where id = 1'],
    ['locks', 'select v from orders where id = 1 for update'],
  ])('is one trouble while each holder of a hot row %s it for a moment', async (_, statement) => {
    const first = await session('begin', statement);
    for (let waiters = 0; waiters < 3; waiters++) await waiter(statement, 'begin');
    const before = await findOf(first, {}, 3);
    await first.query('commit');
    // Whose turn it is then is not certain: one that comes later may overtake at a row that has changed.
    const after = await until('the next root', async () => {
      const found = await findAll();
      return found.length === 1 && found[0]?.facts['victimCount'] === 2 && found[0];
    });
    expect(after.subject).not.toEqual(before.subject);
    expect(after.fingerprint).toBe(before.fingerprint);
  });

  it('does not offer to stop a holder that got the row a moment ago, however long others have waited', async () => {
    const first = await session('begin', 'select v from orders where id = 1 for update');
    const second = await waiter('select v from orders where id = 1 for update', 'begin');
    await waiter('select v from orders where id = 1 for update');
    await waiter('select v from orders where id = 1 for update');
    const thresholds = { ...everything, minWaitSeconds: 1 };
    await until('a long wait', async () => Number((await findOf(first)).facts['longestWaitSeconds']) > 2.2);
    expect((await findOf(first, { thresholds })).runbooks.map((offer) => offer.name)).toEqual(['terminate-session']);
    await first.query('commit');
    await waiting[0];
    const found = await findOf(second, { thresholds }, 2);
    expect(found.runbooks).toEqual([]);
    expect(found.facts['notOffered']).toMatchObject({ why: expect.stringContaining('only about') });
    if (major >= 14) expect(found.summary).toContain('Who wants it: test (role postgres) 3 sessions.');
    await second.query('rollback');
  });

  it('does without names where pg_class is locked, and stays the same trouble', async () => {
    const writer = await session('begin', 'update orders set v = 1 where id = 1');
    await waiter('update orders set v = 2 where id = 1');
    const reader = new Reader({ name: 'main', url: database.url('monitor') });
    const named = await findOf(writer, { reader });
    const locker = await session('begin', 'lock table pg_class');
    const nameless = await checkJob(lockChains, database, { thresholds: everything, reader });
    await locker.query('rollback');
    await reader.close();
    const [finding] = nameless.findings.filter((one) => one.database === database.name);
    expect(finding?.fingerprint).toBe(named.fingerprint);
    expect(finding?.facts['object']).toMatch(/^a row of relation \d+$/);
    await writer.query('rollback');
  });

  it('counts a parallel query once', async () => {
    await database.run('create table if not exists big as select generate_series(1, 20000) as i');
    await database.run(
      "create or replace function peek(integer) returns integer language plpgsql parallel safe as 'begin perform 1 from other; return $1; end'",
    );
    const locker = await session('begin', 'lock table other');
    const settings = 'set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0';
    const leader = await session(
      settings,
      'set max_parallel_workers_per_gather = 2',
      'set parallel_leader_participation = off',
    );
    const counting = leader.query('select count(peek(i)) from big');
    counting.catch(() => undefined);
    waiting.push(counting);
    const finding = await until('the workers to wait', async () => (await findAll())[0] ?? null);
    expect(finding.subject).toMatchObject({ pid: pidOf(locker) });
    expect(waitersOf(finding)).toMatchObject([{ pid: pidOf(leader), blockedBy: [pidOf(locker)] }]);
    await locker.query('rollback');
    await counting;
  });

  it('sees those who wait in other databases than its own', async () => {
    const elsewhere = await createDatabase(major);
    const holder = await session('begin', 'update orders set v = 1 where id = 1');
    await waiter('alter table orders add column if not exists late integer');
    const result = await checkJob(lockChains, elsewhere, { thresholds: everything });
    const finding = result.findings.find(({ subject }) => subject.kind === 'backend' && subject.pid === pidOf(holder));
    expect(finding).toMatchObject({ database: database.name, fingerprint: (await findOf(holder)).fingerprint });
    expect(finding?.facts['object']).toMatch(/^relation \d+$/);
    await holder.query('rollback');
  });

  it('names a deadlock and whoever is behind it, and leaves it to the server', async () => {
    const one = await session('begin', 'set deadlock_timeout = 10000', 'update orders set v = 1 where id = 1');
    const other = await waiter('update orders set v = 1 where id = 1', 'begin', 'update orders set v = 1 where id = 2');
    const closing = one.query('update orders set v = 1 where id = 2');
    closing.catch(() => undefined);
    waiting.push(closing);
    await until('the cycle', async () => {
      const { rows } = await database.run('select pg_blocking_pids($1) as a, pg_blocking_pids($2) as b', [
        pidOf(one),
        pidOf(other),
      ]);
      return rows[0].a.length > 0 && rows[0].b.length > 0;
    });
    const behind = await waiter('update orders set v = 1 where id = 1');
    const [found, ...others] = await findAll();
    expect(others).toEqual([]);
    const cycle = byNumber([one, other].map(pidOf));
    expect(found).toMatchObject({ runbooks: [], facts: { cycle, behind: [pidOf(behind)] } });
    expect(found?.title).toBe('2 sessions wait for each other: a deadlock');
  });

  it('shows a protected root without a runbook', async () => {
    const writer = await session('begin', 'update orders set v = 1 where id = 1');
    await waiter('update orders set v = 2 where id = 1');
    const finding = await findOf(writer, { protectedBecause: () => "is Patroni's connection" });
    expect(finding.runbooks).toEqual([]);
    expect(finding.summary).toContain("is not offered to be stopped: it is Patroni's connection.");
    await writer.query('rollback');
  });

  it('shows a blind role what it can see, and is never well for it', async () => {
    expect(await checkJob(lockChains, database, { user: 'plain' })).toMatchObject({
      outcome: 'cannot-judge',
      covered: [],
    });
    const writer = await session('begin', 'update orders set v = 1 where id = 1');
    await waiter('update orders set v = 2 where id = 1');
    const result = await checkJob(lockChains, database, { user: 'plain', thresholds: everything });
    const [finding] = result.findings.filter((one) => one.database === database.name);
    expect(finding).toMatchObject({ runbooks: [], subject: { pid: pidOf(writer) } });
    expect(waitersOf(finding as Finding)).toHaveLength(1);
    expect(result.unjudged[0]?.remedy).toBe('grant pg_monitor to "plain";');
    await writer.query('rollback');
  });
});
