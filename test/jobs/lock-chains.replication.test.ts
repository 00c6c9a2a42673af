import pg from 'pg';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { pidOf } from './check-job.ts';
import { LockScene, rootOf, waitersOf } from './lock-scene.ts';

/** Each look compares roots and victims with those of pg_blocking_pids. */
describe.each(majors)('lock-chains on PostgreSQL %i', (major) => {
  let primary: Database;
  let replica: Database;
  beforeAll(async () => {
    primary = await createDatabase(major);
    await primary.run('create table orders (id integer primary key, v integer)');
    replica = await openDatabase(await standby(major), 'postgres');
    await replica.run("alter system set max_standby_streaming_delay = '-1'");
    await replica.run('alter system set hot_standby_feedback = on');
    await replica.run('select pg_reload_conf()');
    await until('the table on the standby', async () => {
      replica = await openDatabase(replica.server, primary.name);
      return (await replica.run("select 'orders'::regclass")).rows.length > 0;
    });
  });
  failOnLeaks(() => primary);

  describe('of walsenders', () => {
    const scene = new LockScene(() => primary);

    it('sees one that waits for the writers to end before it can make a slot', async () => {
      const writer = await scene.holder('insert into orders values (1)');
      const walsender = await scene.session([], { client: () => decode(primary) });
      await scene.waits(walsender, 'CREATE_REPLICATION_SLOT late TEMPORARY LOGICAL pgoutput');
      const [finding, ...others] = await scene.look({ waiting: 1 });
      expect(others).toEqual([]);
      expect(finding).toMatchObject({ subject: { pid: pidOf(writer) }, facts: { object: 'an open transaction' } });
      expect(waitersOf(finding)[0]?.pid).toBe(pidOf(walsender));
    });

    it('does not offer to stop one that holds a lock', async () => {
      const walsender = await scene.session(['begin', 'select v from orders'], { client: () => decode(primary) });
      await scene.waiter('alter table orders add column late integer');
      const [finding] = await scene.look({ waiting: 1 });
      expect(finding).toMatchObject({ subject: { pid: pidOf(walsender) }, runbooks: [] });
      expect(finding?.facts['notOffered']).toMatchObject({ why: expect.stringContaining('walsender') });
    });

    it('does not blame one for the xmin that its standby feeds back', async () => {
      const [reader, older] = [
        await replica.client(),
        await scene.session(['begin isolation level repeatable read', 'select v from orders']),
      ];
      await reader.query('begin isolation level repeatable read');
      await reader.query('select v from orders');
      await until('feedback', async () => {
        const { rows } = await primary.run('select from pg_stat_replication where backend_xmin is not null');
        return rows.length > 0;
      });
      const indexing = await scene.waiter('create index concurrently late on orders (v)');
      expect((await scene.look({ waiting: 1 })).map(rootOf)).toEqual([pidOf(older)]);
      await older.query('commit');
      expect(await scene.look({ waiting: 0 })).toEqual([]);
      await indexing.query('drop index late');
      await reader.end();
    });
  });

  describe('of a standby', () => {
    const scene = new LockScene(() => replica);

    it('names the startup process, which holds what was locked on the primary', async () => {
      const locker = await scene.session(['begin', 'lock table orders'], primary);
      const startup = await startupWith('granted');
      const reader = await scene.waiter('select v from orders');
      const [finding, ...others] = await scene.look({ waiting: 1 });
      expect(others).toEqual([]);
      expect(finding && rootOf(finding)).toBe(startup);
      expect(finding).toMatchObject({ title: '1 session waits behind a lock taken on the primary', runbooks: [] });
      expect(finding?.summary).toContain(`pid ${startup} (startup) replays WAL, holding a lock on public.orders`);
      expect(waitersOf(finding)).toMatchObject([{ pid: pidOf(reader), blockedBy: [startup] }]);
      await locker.query('rollback');
    });

    it('says that replay is held up where the startup process waits for a reader', async () => {
      const reader = await scene.holder('select v from orders');
      const locker = await scene.session(['begin', 'lock table orders'], primary);
      const startup = await startupWith('not granted');
      // Before 14 only statements date a wait, and this process has none.
      const [alone] = (await scene.check()).findings;
      expect(alone?.summary.includes('for how long is not known')).toBe(major < 14);
      const second = await scene.waiter('select v from orders');
      // pg_blocking_pids knows only backends: of this process it says nothing.
      const [finding, ...others] = (await scene.check()).findings;
      expect(others).toEqual([]);
      expect(finding).toMatchObject({ subject: { pid: pidOf(reader) }, facts: { object: 'public.orders' } });
      expect(new Map(waitersOf(finding).map(({ pid, blockedBy }) => [pid, blockedBy]))).toEqual(
        new Map([
          [startup, [pidOf(reader)]],
          [pidOf(second), [startup]],
        ]),
      );
      expect(finding?.summary).toContain('nothing is replayed here meanwhile');
      await reader.query('commit');
      await locker.query('rollback');
    });

    /** Nobody waits for the record of a lock: it is sent when something else is. */
    async function startupWith(state: string): Promise<number> {
      await primary.run('select pg_switch_wal()');
      return until(`the lock to be ${state}`, async () => {
        const { rows } = await replica.run(
          `select pid from pg_locks join pg_stat_activity using (pid) where relation = 'orders'::regclass and backend_type = 'startup' and ${state}`,
        );
        return rows[0]?.pid as number | undefined;
      });
    }
  });

  // Before 16 one worker of a subscription applies all.
  if (major < 16) return;
  describe('of a subscriber', () => {
    const scene = new LockScene(() => subscriber);
    let subscriber: Database;
    beforeAll(async () => {
      subscriber = await createDatabase(major);
      await subscriber.run('create table events (line text)');
      await primary.run('create table events (line text)');
      await primary.run(`alter database ${primary.name} set logical_decoding_work_mem = '64kB'`);
    });
    afterEach(async () => {
      await subscriber.run('drop subscription events');
      await primary.run('drop publication events');
    });

    it('names the worker that applies a transaction which is still open, not the one that waits for more of it', async () => {
      await primary.run('create publication events for table events');
      await primary.run("select pg_create_logical_replication_slot('events', 'pgoutput')");
      await subscriber.run(
        `create subscription events connection '${primary.url()}' publication events with (create_slot = false, streaming = parallel, copy_data = false)`,
      );
      const writer = await scene.session(['begin'], primary);
      await writer.query("insert into events select repeat('x', 500) from generate_series(1, 5000)");
      const worker = await until('the worker to hold a lock', async () => {
        const { rows } = await subscriber.run(
          "select pid from pg_locks where relation = 'events'::regclass and mode = 'RowExclusiveLock' and granted",
        );
        return rows[0]?.pid as number | undefined;
      });
      const waiter = await scene.waiter('begin', 'lock table events');
      const [finding, ...others] = (await scene.check()).findings;
      expect(others).toEqual([]);
      expect(finding && rootOf(finding)).toBe(worker);
      expect(waitersOf(finding).map(({ pid, blockedBy }) => [pid, blockedBy])).toEqual([[pidOf(waiter), [worker]]]);
      await writer.query('rollback');
    });
  });
});

async function decode({ url }: Database): Promise<pg.Client> {
  const options = { connectionString: url(), application_name: 'test', replication: 'database' };
  const client = new pg.Client(options);
  client.on('error', () => {
    // Its end is part of the test.
  });
  await client.connect();
  return client;
}
