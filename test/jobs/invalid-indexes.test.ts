import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { invalidIndexes } from '../../jobs/invalid-indexes.ts';
import type { Finding } from '../../src/model.ts';
import { standStill } from '../support/half-built.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { checkJob } from './check-job.ts';

describe.each(majors)('invalid-indexes on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run('create table orders (id integer primary key, status text)');
    await database.run("insert into orders select n, 'new' from generate_series(1, 1000) n");
    await database.run('create index orders_status on orders (status)');
  });
  afterEach(() => database.run('drop table if exists orders cascade'));

  const check = (user?: string) => checkJob(invalidIndexes, database, user ? { user } : {});
  const find = async () => (await check()).findings;
  async function findOne(): Promise<Finding> {
    const findings = await find();
    expect(findings).toHaveLength(1);
    return findings[0] as Finding;
  }

  async function interrupt(statement: string, by: 'snapshot' | 'reader') {
    const standstill = await standStill(database, statement, by);
    expect(await find()).toEqual([]);
    await standstill.stop();
  }

  it('finds nothing where every index is valid', async () => {
    expect(await check()).toMatchObject({ outcome: 'ok', findings: [], unjudged: [] });
  });

  it('finds what a failed unique build left, until it is dropped', async () => {
    const failed = database.run('create unique index concurrently orders_once on orders (status)');
    await expect(failed).rejects.toMatchObject({ code: '23505' });
    const finding = await findOne();
    expect(finding).toMatchObject({
      database: database.name,
      fingerprint: `${database.name}.public.orders_once`,
      severity: 'warning',
      subject: { kind: 'index', schema: 'public', name: 'orders_once', table: 'public.orders' },
      facts: { state: 'unfinished', advice: 'decide', twin: null },
    });
    await database.run('drop index concurrently orders_once');
    expect(await find()).toEqual([]);
  });

  it('says that an invalid unique index may still refuse duplicates', async () => {
    await interrupt('create unique index concurrently orders_once on orders ((id + 1))', 'snapshot');
    const finding = await findOne();
    expect(finding.facts).toMatchObject({ isEnforced: true, isReady: true });
    expect(finding.summary).toContain('still refuses duplicate values');
    await expect(database.run("insert into orders select 5000, 'x' union all select 5000, 'y'")).rejects.toBeDefined();
    await database.run('reindex index concurrently orders_once');
    expect(await find()).toEqual([]);
  });

  it('tells the new index of a stopped rebuild from the old one of a rebuild that succeeded', async () => {
    await interrupt('reindex index concurrently orders_status', 'snapshot');
    expect(await findOne()).toMatchObject({
      facts: { state: 'failed-rebuild', advice: 'drop', twin: 'public.orders_status' },
      subject: { name: 'orders_status_ccnew' },
    });
    await database.run('drop index concurrently orders_status_ccnew');
    await interrupt('reindex index concurrently orders_status', 'reader');
    expect(await findOne()).toMatchObject({
      facts: { state: 'replaced', advice: 'drop', twin: 'public.orders_status' },
      subject: { name: 'orders_status_ccold' },
    });
    await database.run('drop index concurrently orders_status_ccold');
    expect(await find()).toEqual([]);
  });

  it('knows left-overs by their twin: numbered, cut off at 63 bytes, and of an expression elsewhere in its text', async () => {
    const long = `"${'x'.repeat(62)}y"`;
    await database.run(`create index ${long} on orders (lower(status)) where id > 7`);
    for (const suffix of ['_ccnew', '_ccnew1']) {
      await interrupt(`reindex index concurrently ${long}`, 'snapshot');
      const names = (await find()).map(({ subject }) => 'name' in subject && subject.name);
      expect(names).toContain(`${'x'.repeat(63 - suffix.length)}${suffix}`);
    }
    const twins = (await find()).map(({ facts }) => [facts['state'], facts['twin']]);
    expect(twins).toEqual(Array(2).fill(['failed-rebuild', `public.${long.replaceAll('"', '')}`]));
  });

  it('calls a left-over by its name only if it has a twin', async () => {
    await interrupt('create index concurrently mine_ccnew on orders (status desc)', 'snapshot');
    expect((await findOne()).facts).toMatchObject({ state: 'unfinished', advice: 'decide', twin: null });
    await database.run('create index other on orders (status desc)');
    expect((await findOne()).facts).toMatchObject({ advice: 'drop', twin: 'public.other' });
  });

  it('finds what a stopped drop left, and that it costs nothing any more', async () => {
    await interrupt('drop index concurrently orders_status', 'reader');
    expect((await findOne()).facts).toMatchObject({ state: 'unfinished', isLive: expect.any(Boolean) });
    await database.run('reindex index concurrently orders_status');
    expect(await find()).toEqual([]);
  });

  it('keeps an alert alive while somebody rebuilds the index, and opens none', async () => {
    await interrupt('create index concurrently late on orders (status, id)', 'snapshot');
    const rebuild = await standStill(database, 'reindex index concurrently late', 'snapshot');
    const { findings, lingering } = await check();
    expect(findings).toEqual([]);
    expect(lingering.map(({ fingerprint }) => fingerprint)).toContain(`${database.name}.public.late`);
    await rebuild.stop();
  });

  it('advises to rebuild, never to drop, what something stands on', async () => {
    await database.run('alter table orders alter status set not null');
    await database.run('create unique index identity on orders (id, status)');
    await database.run('alter table orders replica identity using index identity');
    await database.run("update pg_index set indisvalid = false where indexrelid = 'identity'::regclass");
    await database.run("update pg_index set indisvalid = false where indexrelid = 'orders_pkey'::regclass");
    const advices = (await find()).map(({ facts, subject }) => ['name' in subject && subject.name, facts['advice']]);
    expect(Object.fromEntries(advices)).toEqual({ identity: 'rebuild', orders_pkey: 'rebuild' });
  });

  it('leaves a partitioned index alone until all partitions have theirs', async () => {
    await database.run('create table parts (id integer) partition by range (id)');
    await database.run('create table parts_1 partition of parts for values from (0) to (10)');
    await database.run('create index parts_id on only parts (id)');
    expect(await find()).toEqual([]);
    await database.run('drop table parts');
  });

  it('leaves what belongs to an extension alone, also as a partition of its table', async () => {
    await database.run('create table owned (id integer) partition by range (id)');
    await database.run('create table owned_1 partition of owned for values from (0) to (10)');
    await database.run('create index owned_id on owned_1 (id)');
    await database.run("update pg_index set indisvalid = false where indexrelid = 'owned_id'::regclass");
    expect(await find()).toHaveLength(1);
    await database.run('alter extension plpgsql add table owned');
    expect(await find()).toEqual([]);
    await database.run('alter extension plpgsql drop table owned');
    await database.run('drop table owned');
  });

  it('needs no grant, and does not wait behind a locked table', async () => {
    const failed = database.run('create unique index concurrently orders_once on orders (status)');
    await expect(failed).rejects.toMatchObject({ code: '23505' });
    const holder = await database.client();
    await holder.query('begin; lock table orders in access exclusive mode');
    const { outcome, durationMs } = await check('plain');
    expect(outcome).toBe('findings');
    expect(durationMs).toBeLessThan(2_000);
    await holder.end();
  });
});
