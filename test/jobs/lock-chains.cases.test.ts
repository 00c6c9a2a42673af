import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { pidOf } from './check-job.ts';
import { findingOf, LockScene, rootOf, waitersOf } from './lock-scene.ts';

/** Each look compares roots and victims with those of pg_blocking_pids. */
describe.each(majors)('lock-chains on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table orders (id integer primary key, v integer)');
    await database.run('create table big as select generate_series(1, 20000) as i');
    await database.run('create table parts (id integer)');
    for (const [name, body] of [
      ['peek', 'perform 1 from orders; return $1;'],
      ['sleep', 'perform 1 from parts; perform pg_sleep(60); return $1;'],
    ])
      await database.run(
        `create function ${name}(integer) returns integer language plpgsql parallel safe as 'begin ${body} end'`,
      );
  });
  beforeEach(async () => {
    await database.run('truncate orders');
    await database.run('insert into orders select g, 0 from generate_series(1, 10) g');
  });
  failOnLeaks(() => database);
  const scene = new LockScene(() => database);

  it('has the seven pairs of a queue of five, and names none who only wait', async () => {
    const s0 = await scene.holder('select v from orders where id = 1');
    const s1 = await scene.holder('update orders set v = 1 where id = 1');
    const s2 = await scene.waiter('begin', 'update orders set v = 2 where id = 1');
    const s3 = await scene.waiter('begin', 'update orders set v = 3 where id = 1');
    const s4 = await scene.waiter('alter table orders add column late integer');
    const s5 = await scene.waiter('select v from orders where id = 2');
    const findings = await scene.look({ waiting: 4 });
    const sessions = [s0, s1, s2, s3, s4, s5].map(pidOf);
    const pairs = findings.flatMap(waitersOf).flatMap(({ pid, blockedBy }) => {
      return blockedBy.map((blocker) => `s${sessions.indexOf(pid)} behind s${sessions.indexOf(blocker)}`);
    });
    expect([...new Set(pairs)].sort()).toEqual([
      's2 behind s1',
      's3 behind s2',
      's4 behind s0',
      's4 behind s1',
      's4 behind s2',
      's4 behind s3',
      's5 behind s4',
    ]);
    expect(findings.map(rootOf)).toEqual([pidOf(s1), pidOf(s0)]);
  });

  it('counts the wait, not the statement; where the server does not date it, says that it is at most that', async () => {
    const holder = await scene.holder('update orders set v = 1 where id = 1');
    await scene.waiter(
      'with slow as materialized (select pg_sleep(1.2)) update orders set v = 2 from slow where id = 1',
    );
    const { facts, summary } = findingOf(await scene.look(), holder);
    if (major >= 14) expect(facts['longestWaitSeconds']).toBeLessThan(1.1);
    else expect(facts['longestWaitSeconds']).toBeGreaterThan(1.1);
    expect(summary.includes('for at most')).toBe(major < 14);
  });

  it('names each prepared transaction and each session that hold one lock together', async () => {
    await scene.session(['begin', 'lock table orders in share mode', "prepare transaction 'one'"]);
    const orphan = await scene.session(['begin', 'lock table orders in share mode', "prepare transaction 'two'"]);
    await orphan.end();
    const holder = await scene.holder('lock table orders in share mode');
    await scene.waiter('update orders set v = 1 where id = 1');
    await scene.waiter('update orders set v = 2 where id = 2');
    const findings = await scene.look({ waiting: 2 });
    expect(findings.map(rootOf).sort()).toEqual([pidOf(holder), 'one', 'two'].sort());
    expect(findings.map(({ facts }) => facts['victimCount'])).toEqual([2, 2, 2]);
    expect(findings.find((one) => rootOf(one) === 'one')?.runbooks).toEqual([]);
    await database.run("rollback prepared 'one'");
    await database.run("rollback prepared 'two'");
  });

  it('finds who waits for a row of a prepared transaction that nobody remembers', async () => {
    const orphan = await scene.session([
      'begin',
      'update orders set v = 1 where id = 1',
      "prepare transaction 'orphan'",
    ]);
    await orphan.end();
    const second = await scene.waiter('begin', 'update orders set v = 2 where id = 1');
    const alter = await scene.waiter('alter table orders add column late integer');
    const [finding, ...others] = await scene.look({ waiting: 2 });
    expect(others).toEqual([]);
    expect(finding?.subject).toEqual({ kind: 'prepared-transaction', gid: 'orphan' });
    const blockers = new Map(waitersOf(finding).map(({ pid, blockedBy }) => [pid, blockedBy]));
    expect(blockers.get(pidOf(second))).toEqual([0]);
    expect(blockers.get(pidOf(alter))?.sort()).toEqual([0, pidOf(second)]);
    expect(finding?.summary).toContain("`rollback prepared 'orphan'`");
    await database.run("rollback prepared 'orphan'");
  });

  describe('with a parallel query', () => {
    const parallel = [
      'set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0',
      'set max_parallel_workers_per_gather = 2',
    ];

    it('counts leader and workers that wait for one lock as one session', async () => {
      const locker = await scene.holder('lock table orders');
      const leader = await scene.session(parallel);
      const counting = scene.ask(leader, 'select count(peek(i)) from big');
      await until('leader and workers to wait', async () => {
        const { rows } = await database.run('select distinct pid from pg_locks where not granted');
        return rows.length > 1 && rows.some(({ pid }) => pid === pidOf(leader));
      });
      const findings = await scene.look({ leader, waiting: 1 });
      expect(waitersOf(findingOf(findings, locker))).toMatchObject([
        { pid: pidOf(leader), blockedBy: [pidOf(locker)] },
      ]);
      await locker.query('rollback');
      await counting;
    });

    it('names the leader for locks that only its workers hold', async () => {
      const leader = await scene.session([...parallel, 'set parallel_leader_participation = off']);
      const sleeping = scene.ask(leader, 'select count(sleep(i)) from big');
      const isHeld = async () => (await database.run(`${heldBy}`)).rows.length > 1;
      await until('both workers to hold it', isHeld);
      await scene.waiter('begin', 'lock table parts');
      const [finding] = await scene.look({ waiting: 1 });
      expect(finding).toMatchObject({ subject: { pid: pidOf(leader) }, facts: { root: { pid: pidOf(leader) } } });
      await scene.cancel(leader);
      await sleeping;
    });
  });
});

const heldBy = "select pid from pg_locks where relation = 'parts'::regclass and granted";
