import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { standStill } from '../support/half-built.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { type ByHand, indexVariables, takeRunbook } from './by-hand.ts';

/** What may never go, however useless it looks. */
const needed: { what: string; made: string; name: string; why: string }[] = [
  { what: 'a primary key', made: '', name: 'orders_pkey', why: 'it is the primary key' },
  {
    what: 'a unique constraint',
    made: 'alter table orders add constraint once unique (status)',
    name: 'once',
    why: 'a constraint stands on it',
  },
  {
    what: 'what a foreign key refers to',
    made: 'create unique index once on orders (status); create table items (status text references orders (status))',
    name: 'once',
    why: 'a constraint stands on it',
  },
  {
    what: 'an exclusion constraint',
    made: 'alter table orders add constraint apart exclude using btree (status with =)',
    name: 'apart',
    why: 'a constraint stands on it',
  },
  {
    what: 'a replica identity',
    made: 'create unique index once on orders (status); alter table orders replica identity using index once',
    name: 'once',
    why: 'it is the replica identity of its table',
  },
  {
    what: 'what the table is clustered by',
    made: 'alter table orders cluster on orders_status',
    name: 'orders_status',
    why: 'its table is clustered by it',
  },
  {
    what: 'a partition of an index',
    made: 'create table parts (id integer) partition by range (id); create table parts_1 partition of parts for values from (0) to (9); create index on parts (id)',
    name: 'parts_1_id_idx',
    why: 'it belongs to the index of a partitioned table',
  },
  {
    what: 'what belongs to an extension',
    made: 'alter extension plpgsql add table orders',
    name: 'orders_status',
    why: 'it belongs to an extension',
  },
  {
    what: 'what keeps values unique',
    made: 'create unique index once on orders (status)',
    name: 'once',
    why: 'it keeps values unique, and no other index that stays does',
  },
  {
    what: 'one with statistics targets of its own',
    made: 'create index of on orders ((id + 1)); alter index of alter column 1 set statistics 500',
    name: 'of',
    why: 'it has statistics targets of its own, which a definition does not hold',
  },
  {
    what: 'one whose definition has the sign of a variable in it',
    made: "create index late on orders (status) where status <> '10:30'",
    name: 'late',
    why: 'its definition is not plain enough to be made again from its text',
  },
];

describe.each(majors)('drop-index-concurrently on PostgreSQL %i', (major) => {
  let database: Database;
  let runbook: ByHand;
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('grant create on schema public to app');
    runbook = await takeRunbook('drop-index-concurrently', database);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run('create table orders (id integer primary key, status text not null)');
    await database.run('insert into orders select n, n::text from generate_series(1, 1000) n');
    await database.run('create index orders_status on orders (status)');
    await database.run('alter table orders owner to app');
  });
  afterEach(() => database.run('drop table if exists orders, parts, items cascade'));

  const paramsOf = async (name: string, kept = '0') => ({ ...(await indexVariables(database, name)), kept });
  const oidOf = async (name: string) => (await indexVariables(database, name))['index_oid'];

  it('drops the index, and says before what it was', async () => {
    const params = await paramsOf('orders_status');
    expect(await runbook.whyNot(params)).toBeNull();
    expect(await runbook.ask('evidence', params)).toMatchObject([
      { definition: 'CREATE INDEX orders_status ON public.orders USING btree (status)', size: '40 kB', scans: '0' },
    ]);
    expect(await runbook.isVerified(params)).toBe(false);
    await runbook.act(params);
    expect(await runbook.isVerified(params)).toBe(true);
    expect(await runbook.whyNot(params)).toBe('no row');
  });

  it.each(needed)('never drops $what', async ({ made, name, why }) => {
    await database.run(made);
    expect(await runbook.whyNot(await paramsOf(name))).toBe(why);
    if (made.startsWith('alter extension')) await database.run('alter extension plpgsql drop table orders');
  });

  it('drops one of two that are the same, and then never the other for it', async () => {
    await database.run(
      'create unique index one on orders (lower(status)); create unique index   two on orders (lower(status))',
    );
    const [one, two] = [await paramsOf('one', await oidOf('two')), await paramsOf('two', await oidOf('one'))];
    expect([await runbook.whyNot(one), await runbook.whyNot(two)]).toEqual([null, null]);
    await runbook.act(two);
    expect(await runbook.isVerified(two)).toBe(true);
    expect(await runbook.whyNot(one)).toBe('the index that was to do its work is not there, or not valid');
  });

  it('drops none for another that is invalid, of another table, or weaker', async () => {
    await database.run('create index other on orders (status); create unique index once on orders (status)');
    const kept = await oidOf('other');
    expect(await runbook.whyNot(await paramsOf('orders_status', kept))).toBeNull();
    expect(await runbook.whyNot(await paramsOf('once', kept))).toContain('it keeps values unique');
    await database.run("update pg_index set indisvalid = false where indexrelid = 'other'::regclass");
    expect(await runbook.whyNot(await paramsOf('orders_status', kept))).toContain('not there, or not valid');
    await database.run('create table items (status text); create index items_status on items (status)');
    const foreign = await paramsOf('orders_status', await oidOf('items_status'));
    expect(await runbook.whyNot(foreign)).toContain('not there, or not valid');
  });

  it('refuses what the role could not make again, and names the grant', async () => {
    await database.run(
      'create schema closed; grant usage on schema closed to app; alter table orders set schema closed',
    );
    const params = await paramsOf('closed.orders_status');
    expect(await runbook.whyNot(params)).toBe('it could not be made again: grant create on schema closed to keeper');
    await database.run('alter table closed.orders set schema public; drop schema closed');
  });

  it('stopped half-way, leaves an index that a rebuild makes valid again, or the same drop ends', async () => {
    const reindex = await takeRunbook('reindex-index-concurrently', database);
    const params = await paramsOf('orders_status');
    for (const isDead of [false, true]) {
      await (await standStill(database, 'drop index concurrently orders_status', 'reader')).stop();
      if (isDead)
        await database.run(
          "update pg_index set indislive = false, indisready = false where indexrelid = 'orders_status'::regclass",
        );
      const left = await indexVariables(database, 'orders_status');
      expect(await reindex.ask('precondition', left)).toHaveLength(1);
      await reindex.act(left);
      expect(await reindex.isVerified(left)).toBe(true);
    }
    expect(await runbook.whyNot(params)).toBe('no row');
    await (await standStill(database, 'drop index concurrently orders_status', 'reader')).stop();
    const again = await paramsOf('orders_status');
    expect(await runbook.whyNot(again)).toBeNull();
    await runbook.act(again);
    expect(await runbook.isVerified(again)).toBe(true);
  });
});
