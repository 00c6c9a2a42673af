import type pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { xminHorizon } from '../../jobs/xmin-horizon.ts';
import { bind } from '../../src/remedy/runbook/bind.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob, pidOf } from './check-job.ts';
import { checkNodes } from './check-nodes.ts';

describe.each(majors)('xmin-horizon on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table orders (id integer, v integer)');
    await database.run('grant all on orders to app');
  });
  failOnLeaks(() => database);

  /** A share of autovacuum_freeze_max_age that is one transaction: slots do not say for how long they hold it. */
  const anyAge = { minSeconds: 0, criticalPercent: 1e-7 };
  const check = (thresholds: Record<string, number> = anyAge, user = 'monitor') =>
    checkJob(xminHorizon, database, { thresholds, user });
  const find = async () => (await check()).findings[0] ?? null;
  const found = (holder: string) =>
    until(`${holder} to be found`, async () => {
      const finding = await find();
      return String(finding?.facts['holder']).startsWith(holder) && finding;
    });
  const gone = (holder: string) =>
    until(`${holder} to be gone`, async () => !String((await find())?.facts['holder']).startsWith(holder));
  async function burn() {
    for (let number = 0; number < 3; number++) await database.run('insert into orders values (1, 1)');
  }
  async function session(...statements: string[]): Promise<pg.Client> {
    const client = await database.client('app', 'reports');
    for (const statement of statements) await client.query(statement);
    return client;
  }

  it.each([
    ['holds a snapshot', ['begin isolation level repeatable read', 'select 1']],
    ['has an xid', ['begin', 'insert into orders values (1, 1)']],
  ])('finds a session that %s, until it ends', async (_, statements) => {
    const client = await session(...statements);
    await burn();
    const finding = await found(`pid ${pidOf(client)} (reports, role app, database ${database.name})`);
    expect(finding).toMatchObject({
      severity: 'critical',
      subject: { kind: 'backend', pid: pidOf(client) },
      runbooks: [{ name: 'terminate-session' }],
      facts: { ageXids: expect.any(Number), ageSeconds: expect.any(Number), state: 'idle in transaction' },
    });
    const runbook = (await loadRunbooks(runbooksFolder)).get('terminate-session');
    const [step] = runbook ? bind(runbook, finding.runbooks[0]?.params ?? {}, major * 10_000) : [];
    expect((await database.run(step?.sql ?? '')).rowCount).toBe(1);
    await client.end();
    await gone(`pid ${pidOf(client)}`);
  });

  it('fires only for one that is old enough', async () => {
    const client = await session('begin isolation level repeatable read', 'select 1');
    await burn();
    expect((await check({})).findings).toEqual([]);
    expect((await check({ minSeconds: 0 })).findings).toMatchObject([{ severity: 'warning' }]);
    expect((await check({ minSeconds: 0, criticalSeconds: 0 })).findings).toMatchObject([{ severity: 'critical' }]);
    await client.end();
  });

  it('finds a prepared transaction, and says what ends it', async () => {
    await database.run("begin; insert into orders values (2, 2); prepare transaction 'it''s old'");
    await burn();
    const finding = await found("prepared transaction it's old (role postgres");
    expect(finding).toMatchObject({ subject: { kind: 'prepared-transaction', gid: "it's old" }, runbooks: [] });
    expect(finding.summary).toContain("`rollback prepared 'it''s old'`");
    await database.run("rollback prepared 'it''s old'");
    await gone('prepared transaction');
  });

  it('finds a slot that nobody uses', async () => {
    await database.run("select pg_create_logical_replication_slot('left_over', 'pgoutput')");
    await burn();
    const finding = await found('replication slot left_over, which nobody uses');
    expect(finding).toMatchObject({ subject: { kind: 'replication-slot', name: 'left_over' }, runbooks: [] });
    expect(finding.facts['kind']).toBe('catalog slot');
    await database.run("select pg_drop_replication_slot('left_over')");
    await gone('replication slot');
  });

  it('finds the standby whose session holds it by feedback', async () => {
    const replica = await openDatabase(await standby(major));
    await tell(replica, 'on');
    const reader = await replica.client();
    await reader.query('begin isolation level repeatable read');
    await reader.query('select 1');
    await until('feedback', async () => {
      await burn();
      return String((await find())?.facts['holder']).startsWith('a session on the standby ');
    });
    expect((await find())?.summary).toContain('long-transactions finds the session');
    expect((await find())?.summary).toContain('none of the nodes that are watched, and answer, is that standby');
    await reader.end();
    await tell(replica, 'off');
    await gone('a session on the standby');
  });

  it('follows it to the very session on a standby that is watched, and offers to end that', async () => {
    const replica = await openDatabase(await standby(major));
    await tell(replica, 'on');
    const nodes = { one: database.url('monitor'), two: replica.url('monitor') };
    const look = async () => (await checkNodes(xminHorizon, nodes, { thresholds: anyAge })).result.findings[0] ?? null;
    const reader = await replica.client('app', 'reports');
    await reader.query('begin isolation level repeatable read');
    await reader.query("select 'secret'");
    const finding = await until('the session', async () => {
      await burn();
      const seen = await look();
      return seen?.node === 'two' && seen;
    });
    expect(finding).toMatchObject({
      title: `pid ${pidOf(reader)} on the standby two keeps vacuum from removing dead rows`,
      subject: { kind: 'backend', pid: pidOf(reader) },
      facts: { role: 'app', application: 'reports', query: 'select $1', ageXids: expect.any(Number) },
      runbooks: [{ name: 'terminate-session' }],
    });
    expect(finding.summary).toContain('By its hot_standby_feedback the standby makes the primary keep them.');
    const runbook = (await loadRunbooks(runbooksFolder)).get('terminate-session');
    const [step] = runbook ? bind(runbook, finding.runbooks[0]?.params ?? {}, major * 10_000) : [];
    expect((await replica.run(step?.sql ?? '')).rowCount).toBe(1);
    await reader.end();
    await until('it to be gone', async () => (await look())?.node !== 'two');
    await tell(replica, 'off');
    await gone('a session on the standby');
  });

  // Before 13 a standby takes another slot only when it starts.
  if (major >= 13)
    it('follows it over the slot of a standby too', async () => {
      const replica = await openDatabase(await standby(major));
      await database.run("select pg_create_physical_replication_slot('replica', true)");
      await replica.run("alter system set primary_slot_name = 'replica'");
      await tell(replica, 'on');
      const nodes = { one: database.url('monitor'), two: replica.url('monitor') };
      const reader = await replica.client('app', 'reports');
      await reader.query('begin isolation level repeatable read');
      await reader.query('select 1');
      const alone = await until('the slot', async () => {
        await burn();
        const finding = await find();
        return finding?.facts['holder'] === 'replication slot replica, used by walreceiver' && finding;
      });
      expect(alone.summary).toContain('A standby uses it. Which session that is, is not known');
      await until('the session', async () => {
        await burn();
        const { findings } = (await checkNodes(xminHorizon, nodes, { thresholds: anyAge })).result;
        return findings[0]?.node === 'two' && findings[0].title.startsWith(`pid ${pidOf(reader)} on the standby two`);
      });
      await reader.end();
      await replica.run('alter system reset primary_slot_name');
      await tell(replica, 'off');
      await until('the slot to be free', () =>
        database.run("select pg_drop_replication_slot('replica')").catch(() => false),
      );
    });

  async function tell(replica: Database, feedback: string): Promise<void> {
    await replica.run(`alter system set hot_standby_feedback = ${feedback}`);
    await replica.run("alter system set wal_receiver_status_interval = '1s'");
    await replica.run('select pg_reload_conf()');
  }

  it('leaves its own sessions alone', async () => {
    const own = await database.client('monitor', 'pgorderly/detect');
    await own.query('begin isolation level repeatable read; select 1');
    await burn();
    expect(String((await find())?.facts['holder'])).not.toContain(`pid ${pidOf(own)} `);
    await own.end();
  });

  it('does not call a server well whose sessions it cannot see', async () => {
    expect(await check(anyAge, 'plain')).toMatchObject({ outcome: 'cannot-judge', findings: [], covered: [] });
  });
});
