import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { pidOf } from './check-job.ts';
import { findingOf, LockScene, rootOf, waitersOf } from './lock-scene.ts';

/** Each look compares roots and victims with those of pg_blocking_pids. */
describe.each(majors)('lock-chains on PostgreSQL %i', (major) => {
  let database: Database;
  let elsewhere: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
    elsewhere = await createDatabase(major);
    await database.run('create table orders (id integer primary key, v integer)');
  });
  beforeEach(async () => {
    await database.run('truncate orders');
    await database.run('insert into orders select g, 0 from generate_series(1, 10) g');
  });
  failOnLeaks(() => database);
  // After the scene's sessions have ended.
  afterEach(() => database.run('drop schema if exists shop; drop role if exists shared_role'));
  const scene = new LockScene(() => database);
  const isolated = 'begin isolation level serializable';

  it('blames no serializable transaction for what it has read', async () => {
    const bystander = await scene.session([isolated, 'select v from orders']);
    const reader = await scene.session([isolated, 'select v from orders', 'commit']);
    const { rows } = await database.run("select distinct pid from pg_locks where mode = 'SIReadLock'");
    expect(rows.map(({ pid }) => pid).sort()).toEqual([bystander, reader].map(pidOf).sort());
    const holder = await scene.session([isolated, 'select v from orders', 'update orders set v = 1 where id = 1']);
    await scene.waiter(isolated, 'update orders set v = 2 where id = 1');
    expect((await scene.look({ waiting: 1 })).map(rootOf)).toEqual([pidOf(holder)]);
    const truncating = await scene.waiter('truncate orders');
    expect((await scene.look({ waiting: 2 })).map(rootOf).sort()).toEqual([bystander, holder].map(pidOf).sort());
    await scene.cancel(truncating);
  });

  it('names those who hold a weak lock that was on no shared list before', async () => {
    const reader = await scene.holder('select v from orders where id = 1');
    const writer = await scene.holder('update orders set v = 1 where id = 1');
    const { rows } = await database.run(
      "select distinct pid from pg_locks where relation = 'orders'::regclass and granted and fastpath",
    );
    expect(rows.map(({ pid }) => pid).sort()).toEqual([reader, writer].map(pidOf).sort());
    const alter = await scene.waiter('alter table orders add column late integer');
    const findings = await scene.look({ waiting: 1 });
    expect(findings.map(rootOf).sort()).toEqual([reader, writer].map(pidOf).sort());
    expect(waitersOf(findings[0])).toMatchObject([{ pid: pidOf(alter), object: 'public.orders' }]);
  });

  it.each([
    ['one number', '(-42)', 'advisory lock -42'],
    ['two numbers', '(7, -42)', 'advisory lock (7, -42)'],
  ])('names an advisory lock of %s and who holds it, with or without a transaction', async (_, key, object) => {
    await scene.session([`select pg_advisory_lock${key}`], elsewhere);
    const idle = await scene.session([`select pg_advisory_lock_shared${key}`]);
    const within = await scene.holder(`select pg_advisory_xact_lock_shared${key}`);
    const waiter = await scene.waiter(`select pg_advisory_lock${key}`);
    const behind = await scene.waiter(`select pg_advisory_xact_lock_shared${key}`);
    const findings = await scene.look({ waiting: 2 });
    expect(findings.map(rootOf).sort()).toEqual([idle, within].map(pidOf).sort());
    for (const finding of findings) {
      expect(waitersOf(finding).map(({ pid }) => pid)).toEqual([waiter, behind].map(pidOf));
      expect(finding.facts).toMatchObject({ object, victimCount: 2 });
    }
    expect(findingOf(findings, idle).facts['notOffered']).toMatchObject({ why: expect.stringContaining('advisory') });
  });

  it.each([
    ['create index concurrently', 'create index concurrently on orders (v)'],
    ['reindex concurrently', 'reindex table concurrently orders'],
  ])('names the old transactions that %s waits for as that, not as a lock that they hold', async (_, statement) => {
    const older = await scene.session(['begin isolation level repeatable read', 'select 1 from pg_class']);
    const waiter = await scene.waiter(statement);
    const behind = await scene.waiter('alter table orders add column late integer');
    const [finding, ...others] = await scene.look({ waiting: 2 });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ subject: { pid: pidOf(older) }, facts: { object: 'older transactions' } });
    expect(waitersOf(finding).map(({ pid, object }) => [pid, object])).toEqual([
      [pidOf(waiter), 'older transactions'],
      [pidOf(behind), 'public.orders'],
    ]);
    expect(finding?.evidence).toContain(statement);
    expect(finding?.summary).not.toContain('holding a lock on older transactions');
    await scene.cancel(behind);
    await scene.cancel(waiter);
  });

  it('names who locks a schema by making something in it, and who waits for it', async () => {
    await database.run('create schema shop');
    const maker = await scene.holder('create table shop.made ()');
    const dropper = await scene.waiter('drop schema shop');
    const commenter = await scene.waiter("comment on schema shop is 'late'");
    const [finding] = await scene.look({ waiting: 2 });
    expect(finding).toMatchObject({ subject: { pid: pidOf(maker) }, facts: { victimCount: 2 } });
    expect(waitersOf(finding).map(({ pid }) => pid)).toEqual([dropper, commenter].map(pidOf));
  });

  it('is one trouble where a role that all databases share is waited for in one of them', async () => {
    await database.run('create role shared_role');
    const owner = await scene.session(['begin', 'create table owned ()', 'alter table owned owner to shared_role']);
    const here = await scene.waiter('drop role shared_role');
    const there = await scene.session([], elsewhere);
    await scene.waits(there, "comment on role shared_role is 'late'");
    const [finding, ...others] = await scene.look({ waiting: 2 });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      subject: { pid: pidOf(owner) },
      fingerprint: expect.stringMatching(/^database 0 /),
    });
    expect(waitersOf(finding).map(({ pid }) => pid)).toEqual([here, there].map(pidOf));
  });

  it('names the one who shares a lock as root where another that has it too wants more', async () => {
    const sharing = await scene.holder('lock table orders in share mode');
    const upgrading = await scene.holder('lock table orders in share mode');
    await scene.waits(upgrading, 'update orders set v = 1');
    const [finding, ...others] = await scene.look({ waiting: 1 });
    expect(others).toEqual([]);
    expect(waitersOf(finding)).toMatchObject([{ pid: pidOf(upgrading), blockedBy: [pidOf(sharing)] }]);
  });

  it('names the one outside of a deadlock of two who keeps one of them waiting too', async () => {
    const sharing = await scene.holder('select pg_advisory_xact_lock_shared(1)');
    const one = await scene.holder('select pg_advisory_xact_lock_shared(1)');
    const other = await scene.holder('select pg_advisory_xact_lock_shared(1)', 'update orders set v = 1 where id = 1');
    await scene.waits(one, 'update orders set v = 2 where id = 1');
    await scene.waits(other, 'select pg_advisory_xact_lock(1)');
    const findings = await scene.look({ waiting: 2 });
    const pids = waitersOf(findingOf(findings, sharing)).map(({ pid }) => pid);
    expect(pids.sort()).toEqual([one, other].map(pidOf).sort());
  });

  it('puts who has a lock already before those who queue for a stronger one', async () => {
    const sharing = await scene.holder('lock table orders in share mode');
    const reader = await scene.holder('select v from orders where id = 1');
    const alter = await scene.waiter('alter table orders add column late integer');
    await scene.waits(reader, 'update orders set v = 1 where id = 1');
    const [finding] = await scene.look({ waiting: 2 });
    const blockers = new Map(waitersOf(finding).map(({ pid, blockedBy }) => [pid, [...blockedBy].sort()]));
    expect(blockers.get(pidOf(reader))).toEqual([pidOf(sharing)]);
    expect(blockers.get(pidOf(alter))).toEqual([sharing, reader].map(pidOf).sort());
  });

  it('queues those who want one row behind its holder, by the tuple', async () => {
    const holder = await scene.holder('select v from orders where id = 1 for update');
    const waiters = [];
    for (let count = 0; count < 3; count++)
      waiters.push(await scene.waiter('begin', 'select v from orders where id = 1 for update'));
    const finding = findingOf(await scene.look({ waiting: 3 }), holder);
    expect(waitersOf(finding).map(({ pid }) => pid)).toEqual(waiters.map(pidOf));
    expect(new Set(waitersOf(finding).map(({ object }) => object))).toEqual(new Set(['a row of public.orders']));
  });

  it.each(['share', 'key share'])('says that one more may hold a row that two lock for %s', async (strength) => {
    const holders = [1, 2].map(() => scene.holder(`select v from orders where id = 1 for ${strength}`));
    const [one, other] = await Promise.all(holders);
    const waiter = await scene.waiter('delete from orders where id = 1');
    const [finding, ...others] = await scene.look({ waiting: 1 });
    expect(others).toEqual([]);
    expect(waitersOf(finding)).toMatchObject([{ pid: pidOf(waiter), blockedBy: [finding && rootOf(finding)] }]);
    expect(finding?.summary).toContain('At least this one holds the row; 1 other session');
    expect(finding?.runbooks[0]?.does).toContain('frees at most 1 waiting session');
    const shown = one && finding && rootOf(finding) === pidOf(one) ? one : other;
    await shown?.query('commit');
    // The waiter goes on to the second, and there is no third.
    const [next] = await scene.look({ waiting: 1 });
    expect(next && rootOf(next)).toBe(pidOf((shown === one ? other : one) ?? {}));
    expect(next?.summary).not.toContain('At least');
  });
});
