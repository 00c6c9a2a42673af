import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { duplicateIndexes } from '../../jobs/duplicate-indexes.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { checkJob } from './check-job.ts';

interface Case {
  it: string;
  /** On t (a, b, c, d integer, s text, x text). */
  made: string[];
  /** What goes, and for what: `drop<keep`. */
  drops: string[];
  from?: number;
}

const cases: Case[] = [
  { it: 'finds the younger of two that are equal', made: ['one on t (a)', 'two on t (a)'], drops: ['two<one'] },
  { it: 'finds what another begins with', made: ['one on t (a)', 'two on t (a, b)'], drops: ['one<two'] },
  {
    it: 'drops a chain for its longest, whichever was first',
    made: ['ab on t (a, b)', 'abc on t (a, b, c)', 'a on t (a)', 'a2 on t (a)'],
    drops: ['a2<abc', 'a<abc', 'ab<abc'],
  },
  { it: 'tells column 1 from column 12', made: ['one on t (k1)', 'two on t (k12, a)'], drops: [] },
  { it: 'tells collations apart', made: ['one on t (s)', 'two on t (s collate "C")'], drops: [] },
  { it: 'tells operator classes apart', made: ['one on t (s)', 'two on t (s text_pattern_ops, a)'], drops: [] },
  {
    it: 'tells orders apart, and never drops two of a chain for each other',
    made: ['one on t (a)', 'two on t (a desc)', 'unique three on t (a, id)'],
    drops: ['one<three'],
  },
  { it: 'tells nulls first from last', made: ['one on t (a)', 'two on t (a nulls first)'], drops: [] },
  { it: 'tells methods apart', made: ['one on t using hash (a)', 'two on t (a)'], drops: [] },
  {
    it: 'tells predicates apart',
    made: ['one on t (a) where b > 1', 'two on t (a)', 'x on t (a) where b > 2'],
    drops: [],
  },
  {
    it: 'knows an equal predicate and an equal expression wherever they stood in the text',
    made: ['one on t (lower(s), a) where b > 1', 'quite_long on t   (  lower( s ) )   where   b>1'],
    drops: ['quite_long<one'],
  },
  { it: 'tells expressions apart', made: ['one on t (lower(s))', 'two on t (upper(s), a)'], drops: [] },
  {
    it: 'matches each expression with its own key',
    made: ['one on t (a, lower(s), upper(x))', 'two on t (a, lower(s))', 'three on t (a, upper(x))'],
    drops: ['two<one'],
  },
  { it: 'never drops a unique one for another', made: ['unique one on t (a)', 'two on t (a, b)'], drops: [] },
  { it: 'keeps the unique of two equal ones', made: ['one on t (id2)', 'unique two on t (id2)'], drops: ['one<two'] },
  {
    it: 'drops the second of two equal unique ones',
    made: ['unique one on t (id2)', 'unique two on t (id2)'],
    drops: ['two<one'],
  },
  {
    it: 'counts included columns that the other one has not',
    made: ['one on t (a) include (b)', 'two on t (a, c)', 'three on t (a, b)', 'four on t (a)'],
    drops: ['four<two', 'one<three'],
  },
  {
    it: 'keeps that with more included columns',
    made: ['one on t (a)', 'two on t (a) include (b)'],
    drops: ['one<two'],
  },
  {
    it: 'tells unique ones apart by whether nulls are equal',
    made: ['unique one on t (id2)', 'unique two on t (id2) nulls not distinct'],
    drops: [],
    from: 15,
  },
  {
    it: 'compares the beginning of btrees only',
    made: ['one on t using brin (a)', 'two on t using brin (a, b)'],
    drops: [],
  },
  {
    it: 'compares what an index was told, where it matters',
    made: [
      'one on t using brin (a)',
      'two on t using brin (a) with (pages_per_range = 8)',
      'three on t (b) with (fillfactor = 50)',
      'four on t (b)',
    ],
    drops: ['four<three'],
  },
  {
    it: 'drops an equal one of any method',
    made: ['one on t using hash (a)', 'two on t using hash (a)'],
    drops: ['two<one'],
  },
];

describe.each(majors)('duplicate-indexes on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  beforeEach(() =>
    database.run(
      `create table t (k1 integer, a integer, b integer, c integer, d integer, s text, x text, id2 integer,
         k9 integer, k10 integer, k11 integer, k12 integer, id integer not null)`,
    ),
  );
  afterEach(() => database.run('drop table if exists t cascade'));

  const check = (minBytes = 0, user?: string) =>
    checkJob(duplicateIndexes, database, { thresholds: { minBytes }, ...(user ? { user } : {}) });
  async function drops(): Promise<string[]> {
    const { findings, unjudged } = await check();
    expect(unjudged).toEqual([]);
    const bare = (name: unknown) => String(name).replace('public.', '');
    return findings.map(({ facts }) => `${bare(facts['drop'])}<${bare(facts['keep'])}`).sort();
  }
  const make = async (...indexes: string[]) => {
    for (const one of indexes)
      await database.run(`create ${one.startsWith('unique') ? one.replace('unique', 'unique index') : `index ${one}`}`);
  };

  it.each(cases.filter(({ from = 12 }) => major >= from))('$it', async ({ made, drops: expected }) => {
    await make(...made);
    expect(await drops()).toEqual(expected);
  });

  it('finds one that is large, with all that a person needs, until it is dropped', async () => {
    await database.run('insert into t (a, id) select n, n from generate_series(1, 5000) n');
    await make('one on t (a)', 'two on t (a)');
    const { bytes } = (await database.run("select pg_relation_size('two')::int as bytes")).rows[0];
    expect((await check(bytes + 1)).findings).toEqual([]);
    const { findings } = await check(bytes);
    expect(findings).toMatchObject([
      {
        severity: 'warning',
        database: database.name,
        fingerprint: `${database.name}.public.two`,
        title: 'index public.two repeats public.one',
        subject: { kind: 'index', schema: 'public', name: 'two', table: 'public.t' },
        facts: { kind: 'duplicate', keep: 'public.one', drop: 'public.two', sizeBytes: bytes },
      },
    ]);
    expect(findings[0]?.facts['why']).toContain('public.one is the older one');
    await database.run('drop index concurrently two');
    expect(await drops()).toEqual([]);
  });

  it('never drops what something stands on, and prefers to keep it', async () => {
    await make('early on t (id)');
    await database.run('alter table t add primary key (id)');
    await make('wide on t (id, a)');
    expect(await drops()).toEqual(['early<t_pkey']);
    await database.run('drop index early');
    await make('unique other on t (id, b)', 'unique identity on t (id, b)', 'plain on t (c)', 'ordered on t (c)');
    await database.run('alter table t alter b set not null');
    await database.run('alter table t replica identity using index identity');
    await database.run('alter table t cluster on ordered');
    expect(await drops()).toEqual(['other<identity', 'plain<ordered']);
  });

  it('keeps a unique index that a foreign key of another table refers to', async () => {
    await make('unique one on t (id)', 'unique two on t (id)');
    await database.run('create table child (t_id integer references t (id))');
    const { rows } = await database.run(
      "select conindid::regclass::text as name from pg_constraint where contype = 'f'",
    );
    const [drop] = await drops();
    expect(drop).toBe(`${rows[0].name === 'one' ? 'two' : 'one'}<${rows[0].name}`);
    await database.run('drop table child');
  });

  it('does not drop a unique one for a constraint that is checked only at the end', async () => {
    await database.run('alter table t add constraint late unique (id) deferrable');
    await make('unique one on t (id)');
    expect(await drops()).toEqual([]);
  });

  it('never drops an index of a partition that its parent has, and drops another one for it', async () => {
    await database.run('create table parts (a integer, b integer) partition by range (a)');
    await database.run('create table parts_1 partition of parts for values from (0) to (10)');
    await make('own on parts_1 (a)', 'parent on parts (a, b)', 'parent_a on parts (a)');
    const found = await drops();
    await database.run('drop table parts');
    expect(found).toEqual([]);
  });

  it('drops an index of a partition for one that belongs to its parent', async () => {
    await database.run('create table parts (a integer, b integer) partition by range (a)');
    await database.run('create table parts_1 partition of parts for values from (0) to (10)');
    await make('parent on parts (a, b)', 'own on parts_1 (a)');
    const found = await drops();
    await database.run('drop table parts');
    expect(found).toEqual(['own<parts_1_a_b_idx']);
  });

  it('leaves alone what belongs to an extension, is temporary, or is not valid', async () => {
    await make('one on t (a)', 'two on t (a)');
    await database.run("update pg_index set indisvalid = false where indexrelid = 'one'::regclass");
    expect(await drops()).toEqual([]);
    await database.run("update pg_index set indisvalid = true where indexrelid = 'one'::regclass");
    await database.run('alter extension plpgsql add table t');
    expect(await drops()).toEqual([]);
    await database.run('alter extension plpgsql drop table t');
    expect(await drops()).toEqual(['two<one']);
  });

  it('leaves chunks of Timescale and templates of pg_partman alone', async () => {
    await make('one on t (a)', 'two on t (a)');
    await database.run('create schema _timescaledb_internal');
    await database.run('alter table t set schema _timescaledb_internal');
    expect(await drops()).toEqual([]);
    await database.run('alter table _timescaledb_internal.t set schema public');
    await database.run('drop schema _timescaledb_internal');
    await database.run('alter table t rename to template_public_t');
    expect(await drops()).toEqual(['two<one']);
    await database.run(
      `insert into pg_extension select 99999, 'pg_partman', 10, 'public'::regnamespace, false, '5.0', null, null`,
    );
    expect(await drops()).toEqual([]);
    await database.run("delete from pg_extension where extname = 'pg_partman'");
    await database.run('alter table template_public_t rename to t');
  });

  it('needs no grant, and does not wait behind a locked table', async () => {
    await make('one on t (a)', 'two on t (a)');
    const holder = await database.client();
    await holder.query('begin; lock table t in access exclusive mode');
    const { outcome, durationMs } = await check(0, 'plain');
    expect(outcome).toBe('findings');
    expect(durationMs).toBeLessThan(2_000);
    await holder.end();
  });
});
