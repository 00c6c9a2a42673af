import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { logicalReplication } from '../../jobs/logical-replication.ts';
import type { CheckResult } from '../../src/model.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { checkNodes } from './check-nodes.ts';

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
