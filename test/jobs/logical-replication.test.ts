import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { logicalReplication } from '../../jobs/logical-replication.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkNodes, Looks } from './check-nodes.ts';

describe.each(majors)('logical-replication, of a subscription on PostgreSQL %i', { timeout: 60_000 }, (major) => {
  let publisher: Database;
  let subscriber: Database;
  let looks: Looks;
  beforeAll(async () => {
    [publisher, subscriber] = [await createDatabase(major), await createDatabase(major)];
    await publisher.run("alter system set wal_retrieve_retry_interval = '100ms'");
    await publisher.run('select pg_reload_conf()');
  });
  failOnLeaks(() => publisher);
  beforeEach(async () => {
    for (const database of [publisher, subscriber]) await database.run('create table orders (id integer primary key)');
    await publisher.run('insert into orders values (1)');
    await publisher.run('create publication shop for table orders');
    // Nobody's privileges but those that everybody has.
    looks = new Looks(logicalReplication, () => ({ main: subscriber.url('plain') }));
  });
  afterEach(async () => {
    const { rows } = await subscriber.run("select from pg_stat_subscription where subname = 'crm'");
    if (rows.length > 0) await drop('crm');
    await publisher.run('drop publication shop');
    for (const database of [publisher, subscriber]) await database.run('drop table orders');
  });

  /** Its slot is made beforehand: a subscription that makes one in its own cluster would wait for itself. */
  async function subscribe(options = ''): Promise<void> {
    await publisher.run("select pg_create_logical_replication_slot('crm', 'pgoutput')");
    await subscriber.run(
      `create subscription crm connection '${conninfo()}' publication shop with (create_slot = false${options})`,
    );
  }
  const conninfo = (port = publisher.server.port) =>
    `host=${publisher.server.host} port=${port} dbname=${publisher.name} user=postgres`;
  async function drop(name: string): Promise<void> {
    await subscriber.run(`alter subscription ${name} disable`);
    await subscriber.run(`alter subscription ${name} set (slot_name = none)`);
    await subscriber.run(`drop subscription ${name}`);
    await until('the slots to be dropped', async () => {
      await publisher.run(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots
         where database = '${publisher.name}' and not active`,
      );
      const { rows } = await publisher.run(`select from pg_replication_slots where database = '${publisher.name}'`);
      return rows.length === 0;
    });
  }

  const toBeWell = (thresholds = {}) =>
    until('the subscription to be well', async () => {
      const result = await looks.look(thresholds);
      if (result.outcome !== 'ok') throw new Error(JSON.stringify(result));
      return true;
    });
  const found = (thresholds = {}) =>
    until('a finding', async () => {
      const { findings } = await looks.look(thresholds);
      return findings[0];
    });
  const foundFor = (trouble: string) =>
    until(trouble, async () => {
      const [finding] = (await looks.look()).findings;
      if (finding?.facts['trouble'] !== trouble) throw new Error(JSON.stringify(finding));
      return finding;
    });

  it('finds nothing in one that is applied, whoever asks', async () => {
    await subscribe();
    await toBeWell({ notReadySeconds: 0, errorSeconds: 0 });
    for (const user of ['postgres', 'monitor', 'plain']) {
      const { result } = await checkNodes(logicalReplication, { main: subscriber.url(user) });
      expect(result).toMatchObject({ outcome: 'ok', findings: [], unjudged: [] });
    }
  });

  it('finds one whose publisher cannot be reached, until it can', async () => {
    await subscribe();
    await toBeWell();
    await subscriber.run(`alter subscription crm connection '${conninfo(1)}'`);
    const finding = await found();
    expect(finding).toMatchObject({
      database: subscriber.name,
      fingerprint: `${subscriber.name}.subscription crm`,
      severity: 'warning',
      subject: { kind: 'subscription', name: 'crm' },
      facts: { slot: 'crm', publications: ['shop'] },
    });
    expect(finding.summary).toContain('the slot crm on its publisher');
    expect(JSON.stringify(finding)).not.toContain('dbname=');
    expect(['no-worker', 'errors']).toContain(finding.facts['trouble']);
    await subscriber.run(`alter subscription crm connection '${conninfo()}'`);
    await toBeWell({ errorSeconds: -1 });
  });

  it('finds one whose worker starts anew again and again over a row that is there already, until it is gone', async () => {
    await subscribe();
    await toBeWell({ notReadySeconds: 0 });
    await subscriber.run('insert into orders values (2)');
    await publisher.run('insert into orders values (2)');
    const finding = await foundFor(major >= 15 ? 'errors' : 'no-worker');
    expect(finding).toMatchObject({ severity: 'warning', facts: { errors: major >= 15 ? expect.any(Number) : null } });
    if (major >= 18) expect(finding.summary).toMatch(/Conflicts so far: \d+ insert_exists\./);
    await subscriber.run('delete from orders where id = 2');
    await until('the row', async () => (await subscriber.run('select from orders where id = 2')).rows.length === 1);
    await toBeWell({ errorSeconds: -1 });
  });

  it('finds a table that does not become ready, and does not know since when at a first look', async () => {
    const holder = await subscriber.client();
    await holder.query('begin; lock table orders in exclusive mode');
    await subscribe();
    const first = await until('a first look at it', async () => {
      const { result } = await checkNodes(logicalReplication, { main: subscriber.url('plain') });
      return result.outcome === 'cannot-judge' && result;
    });
    expect(first.unjudged).toMatchObject([{ reason: expect.stringContaining('is not known at a first look') }]);
    const finding = await foundLate();
    expect(finding).toMatchObject({
      severity: 'warning',
      title: 'subscription crm has tables that do not become ready',
      facts: { trouble: 'not-ready', tableCount: 1, notReadyCount: 1 },
    });
    expect(finding.summary).toMatch(/1 of 1 table is not ready: public.orders (has not begun|is being copied), for 1/);
    expect((await looks.look()).findings).toEqual([]);
    await holder.query('rollback');
    await toBeWell({ notReadySeconds: 1 });
  });
  const foundLate = () =>
    until('it to be late', async () => {
      const [finding] = (await looks.look({ notReadySeconds: 1 })).findings;
      return finding?.facts['trouble'] === 'not-ready' && finding;
    });

  it('notes one that somebody has disabled, at the lowest severity', async () => {
    await subscribe();
    await subscriber.run('alter subscription crm disable');
    expect(await foundFor('disabled')).toMatchObject({ severity: 'info', title: 'subscription crm is disabled' });
    await subscriber.run('alter subscription crm enable');
    await toBeWell();
  });

  if (major >= 15)
    it('warns of one that an error has disabled', async () => {
      await subscribe(', disable_on_error = true');
      await toBeWell({ notReadySeconds: 0 });
      await subscriber.run('insert into orders values (2)');
      await publisher.run('insert into orders values (2)');
      const finding = await foundFor('disabled-by-errors');
      expect(finding).toMatchObject({ severity: 'warning', facts: { errors: expect.any(Number) } });
      expect(finding.summary).toContain('alter subscription "crm" enable;');
    });

  it('does not mistake one for that of the same name in another database', async () => {
    await subscribe();
    await toBeWell({ notReadySeconds: 0 });
    const other = await createDatabase(major);
    const named = "crm connection 'host=127.0.0.1 port=1' publication shop with (connect = false, slot_name = none)";
    await other.run(`create subscription ${named}`);
    expect((await looks.look()).outcome).toBe('ok');
    const { result } = await checkNodes(logicalReplication, { main: other.url('plain') });
    await other.run('drop subscription crm');
    expect(result).toMatchObject({ outcome: 'cannot-judge', findings: [], covered: [] });
    expect(result.reason).toContain('another database has one of the same name');
  });

  it('cannot judge one from a standby, where no worker runs', async () => {
    await subscribe();
    const replica = await standby(major);
    const seen = await until('the subscription on the standby', async () => {
      const { result } = await checkNodes(logicalReplication, { main: replica.url(subscriber.name, 'plain') });
      return result.unjudged.length > 0 && result;
    });
    expect(seen).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(seen.reason).toContain('a standby does not show whether their workers run');
  });
});
