import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { logicalReplication } from '../../jobs/logical-replication.ts';
import type { CheckResult } from '../../src/model.ts';
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

describe.each(majors)('logical-replication, of published tables on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  beforeEach(() => database.run('create table parts (id integer not null, label text)'));
  afterEach(async () => {
    await database.run('drop publication if exists shop');
    await database.run('drop table parts cascade');
  });

  const check = async (): Promise<CheckResult> =>
    (await checkNodes(logicalReplication, { main: database.url('plain') })).result;
  const titles = async () => (await check()).findings.map(({ title }) => title);
  const fail = 'fail: it is published and has no replica identity';
  const update = () => database.run("update parts set label = 'x'");

  it('finds one without a primary key, whose updates fail, until it has one', async () => {
    await database.run('create publication shop for table parts');
    await expect(update()).rejects.toMatchObject({ code: '55000' });
    const { findings } = await check();
    expect(findings).toMatchObject([
      {
        fingerprint: `${database.name}.public.parts`,
        severity: 'warning',
        title: `updates and deletes of public.parts ${fail}`,
        subject: { kind: 'table', schema: 'public', name: 'parts', table: 'public.parts' },
        facts: { publications: ['shop'], identity: 'd', usableIndex: null },
      },
    ]);
    await database.run('alter table parts add primary key (id)');
    await update();
    expect(await check()).toMatchObject({ outcome: 'ok', findings: [] });
  });

  it('names the index that would do, and what does not do', async () => {
    await database.run('create publication shop for table parts');
    await database.run('create unique index parts_label on parts (label)');
    await database.run('create unique index parts_some on parts (id) where id > 0');
    await database.run('alter table parts add constraint later primary key (id) deferrable');
    await expect(update()).rejects.toMatchObject({ code: '55000' });
    expect((await check()).findings[0]?.facts).toMatchObject({ usableIndex: null });
    await database.run('create unique index "parts ID" on parts (id)');
    const [finding] = (await check()).findings;
    const cure = 'alter table public.parts replica identity using index "parts ID";';
    expect(finding?.summary).toContain(cure);
    await database.run(cure);
    await update();
    expect((await check()).outcome).toBe('ok');
    await database.run('drop index "parts ID"');
    await expect(update()).rejects.toMatchObject({ code: '55000' });
    expect((await check()).findings[0]?.summary).toContain('The index that was its replica identity is gone');
  });

  it.each([
    ['inserts alone', 'insert', null],
    ['updates alone', 'insert, update', `updates of public.parts ${fail}`],
    ['deletes alone', 'delete, truncate', `deletes of public.parts ${fail}`],
  ])('goes by what is published: %s', async (_, publish, title) => {
    await database.run(`create publication shop for table parts with (publish = '${publish}')`);
    await (title?.startsWith('updates') ? expect(update()).rejects.toMatchObject({ code: '55000' }) : update());
    expect(await titles()).toEqual(title ? [title] : []);
  });

  it.each([
    ['default', 1],
    ['nothing', 1],
    ['full', 0],
  ])('goes by the replica identity: %s', async (identity, findings) => {
    await database.run(`alter table parts replica identity ${identity}`);
    await database.run('create publication shop for all tables');
    expect(await titles()).toHaveLength(findings);
  });

  it('finds a partition, and not the partitioned table', async () => {
    await database.run('create table events (id integer) partition by range (id)');
    await database.run('create table events_1 partition of events for values from (0) to (10)');
    await database.run('create table events_2 (id integer primary key)');
    await database.run('alter table events attach partition events_2 for values from (10) to (20)');
    await database.run(`create publication shop for table ${major >= 13 ? 'events' : 'events_1, events_2'}`);
    expect(await titles()).toEqual([`updates and deletes of public.events_1 ${fail}`]);
    await expect(database.run('delete from events_1')).rejects.toMatchObject({ code: '55000' });
    if (major >= 13) await database.run('alter publication shop set (publish_via_partition_root = true)');
    expect(await titles()).toHaveLength(1);
    await database.run('drop table events');
  });

  if (major >= 15)
    it('finds a table of a schema that is published as a whole', async () => {
      await database.run('create publication shop for tables in schema public');
      await expect(update()).rejects.toMatchObject({ code: '55000' });
      expect(await titles()).toEqual([`updates and deletes of public.parts ${fail}`]);
    });

  if (major >= 15)
    it.each([
      ['columns without its key', 'parts (label)', 'default', 1],
      ['columns with its key', 'parts (id)', 'default', 0],
      ['columns, and the whole row is its identity', 'parts (id)', 'full', 1],
      ['rows by another column', "parts where (label <> 'x')", 'default', 1],
      ['rows by its key', 'parts where (id > 7)', 'default', 0],
      ['rows by another column, and the whole row is its identity', "parts where (label <> 'x')", 'full', 0],
    ])('finds what its replica identity does not fit: %s', async (_, table, identity, findings) => {
      await database.run('alter table parts add primary key (id)');
      await database.run(`alter table parts replica identity ${identity}`);
      await database.run(`create publication shop for table ${table}`);
      await (findings > 0 ? expect(update()).rejects.toMatchObject({ code: '42P10' }) : update());
      const found = `updates and deletes of public.parts fail: it is published and its replica identity does not fit`;
      expect(await titles()).toEqual(Array(findings).fill(found));
    });

  it('leaves what belongs to an extension alone', async () => {
    await database.run('create publication shop for all tables');
    expect(await titles()).toHaveLength(1);
    await database.run('alter extension plpgsql add table parts');
    expect(await titles()).toEqual([]);
    await database.run('alter extension plpgsql drop table parts');
  });

  it('does not call a database well whose subscriptions it may not see', async () => {
    await database.run('revoke select on pg_stat_subscription from public');
    const seen = await check();
    await database.run('grant select on pg_stat_subscription to public');
    expect(seen).toMatchObject({ outcome: 'error', findings: [], covered: [] });
  });

  it('tells ten, and how many more there are', async () => {
    for (let number = 1; number <= 12; number++) await database.run(`create table log_${number} (id integer)`);
    await database.run('create unlogged table scratch (id integer)');
    await database.run('create publication shop for all tables');
    const { findings } = await check();
    expect(findings).toHaveLength(11);
    expect(findings.at(-1)).toMatchObject({
      fingerprint: `${database.name}.more published tables`,
      summary: '3 besides those that are told by themselves.',
      evidence: 'public.log_10\npublic.log_11\npublic.log_12',
      subject: { kind: 'database', name: database.name },
    });
    for (let number = 1; number <= 12; number++) await database.run(`drop table log_${number}`);
    await database.run('drop table scratch');
  });
});
