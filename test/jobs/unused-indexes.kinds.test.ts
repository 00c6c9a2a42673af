import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { duplicateIndexes } from '../../jobs/duplicate-indexes.ts';
import type { Finding } from '../../src/model.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { checkJob } from './check-job.ts';
import { checkUse, pastOf } from './unused-past.ts';

interface Case {
  it: string;
  /** On t (id, a, b, s, p_id); p (id) has a primary key. */
  made: string[];
  found?: string[];
}

const cases: Case[] = [
  {
    it: 'finds a plain one, and a partial one',
    made: ['create index i on t (a)', 'create index j on t (b) where a > 1'],
    found: ['i', 'j'],
  },
  {
    it: 'finds one of any method of the server',
    made: ['create index i on t using brin (a)', 'create index h on t using hash (s)'],
    found: ['h', 'i'],
  },
  {
    it: 'leaves what keeps values unique',
    made: ['create unique index i on t (id)', 'alter table t add primary key (id)'],
  },
  { it: 'leaves what an exclusion stands on', made: ['alter table t add exclude using hash (s with =)'] },
  {
    it: 'leaves the replica identity, and what the table is clustered by',
    made: [
      'create unique index i on t (id)',
      'alter table t replica identity using index i',
      'create index c on t (a)',
      'alter table t cluster on c',
    ],
  },
  {
    it: 'leaves the only one on the columns of a foreign key',
    made: ['alter table t add foreign key (p_id) references p', 'create index i on t (p_id, a)'],
  },
  {
    it: 'leaves one of two on the columns of a foreign key',
    made: [
      'alter table t add foreign key (p_id) references p',
      'create index i on t (p_id, a)',
      'create index j on t (p_id, b)',
    ],
    found: ['i'],
  },
  {
    it: 'takes no partial one for enough on the columns of a foreign key',
    made: [
      'alter table t add foreign key (p_id) references p',
      'create index i on t (p_id, a)',
      'create index j on t (p_id) where a > 5',
    ],
    found: ['j'],
  },
  {
    it: 'leaves one of an expression, of which ANALYZE keeps statistics',
    made: ['create index i on t (lower(s))', 'analyze t'],
  },
  {
    it: 'finds one of an expression of which none are kept',
    made: ['create index i on t (lower(s))', 'alter index i alter column 1 set statistics 0'],
    found: ['i'],
  },
  {
    it: 'leaves one that is not valid to invalid-indexes',
    made: ['create index i on t (a)', "update pg_index set indisvalid = false where indexrelid = 'i'::regclass"],
  },
  { it: "leaves an extension's", made: ['create index i on t (a)', 'alter extension plpgsql add table t'] },
  {
    it: 'leaves what goes with an extension',
    made: ['create index i on t (a)', 'alter index i depends on extension plpgsql'],
  },
  {
    it: 'leaves those of a partitioned table, which another partition may need',
    made: [
      'create table parts (a integer, b integer) partition by range (a)',
      'create table part partition of parts for values from (0) to (10)',
      'insert into parts select 1 from generate_series(1, 100)',
      'create index i on parts (b)',
      'create index own on part (a, b)',
      'analyze parts',
    ],
    found: ['own'],
  },
];

/** On a primary without standbys: which indexes may be found at all. */
describe.each(majors)('what unused-indexes looks at, on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  beforeEach(() =>
    make(
      'create table p (id integer primary key)',
      'create table t (id integer not null, a integer, b integer, s text, p_id integer)',
      "insert into t select n, n, n, 'name ' || n from generate_series(1, 2000) n",
    ),
  );
  let isTaken = false;
  afterEach(async () => {
    if (isTaken) await database.run('alter extension plpgsql drop table t');
    isTaken = false;
    await database.run('drop table if exists t, p, parts cascade');
  });

  it.each(cases)('$it', async ({ made, found = [] }) => {
    isTaken = made.some((sql) => sql.includes('add table'));
    await make(...made, 'vacuum t');
    expect(await lookBack()).toEqual(found);
  });

  it('never tells to drop what duplicate-indexes keeps', async () => {
    await make(
      'create index one on t (a)',
      'create index two on t (a)',
      'create index wide on t (b, a)',
      'create index b on t (b)',
      'vacuum t',
    );
    const kept = (await checkJob(duplicateIndexes, database, { thresholds: { minBytes: 0 } })).findings.map(
      ({ facts }) => facts['keep'],
    );
    expect(kept.sort()).toEqual(['public.one', 'public.wide']);
    expect(await lookBack()).toEqual(['b', 'two']);
  });

  it('keeps one sample a node and day, of those of 10 MB or more, and one of what is written', async () => {
    await make('create index large on t (a)', 'create index small on t (b)');
    await database.run(
      "update pg_class set relpages = case relname when 'large' then 1280 else 1279 end where relname in ('large', 'small')",
    );
    const { samples } = await checkUse(database.name, { main: database.url('monitor') }, { minBytes: 100 * 1024 ** 2 });
    const objects = samples.map((sample) => [
      sample.series.split('/')[1],
      'objects' in sample ? Object.keys(sample.objects) : [],
    ]);
    expect(objects).toEqual([
      ['scans main', ['at', 'since', expect.stringMatching(/^public\.large#[0-9a-f]{8}$/)]],
      ['writes main', ['at', 'public.t']],
    ]);
  });

  async function make(...statements: string[]): Promise<void> {
    for (const statement of statements) await database.run(statement);
  }

  /** What is found where the 36 days before were as now. */
  async function lookBack(): Promise<string[]> {
    const urls = { main: database.url('monitor') };
    const { samples } = await checkUse(database.name, urls);
    const { result } = await checkUse(database.name, urls, { past: pastOf(samples, 36) });
    expect(result.unjudged).toEqual([]);
    return result.findings.map(nameOf).sort();
  }
});

function nameOf({ subject }: Finding): string {
  return 'name' in subject ? subject.name : '';
}
