import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tableBloat } from '../../jobs/table-bloat.ts';
import type { CheckResult, Finding } from '../../src/model.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob } from './check-job.ts';

const thresholds = { minBytes: 200_000, minRatio: 0.3 };
const orders = `create table t as select g as id, g % 7 as kind, repeat('x', 20 + g % 40) as note
                from generate_series(1, 12000) g`;
const settled = 'vacuum analyze t';

interface Case {
  it: string;
  made: string[];
  /** What a rebuild gives back at least, as a share; null where nothing is to be found. */
  ratio: number | null;
}

const cases: Case[] = [
  { it: 'finds no clean table', made: [orders], ratio: null },
  { it: 'finds a table most of whose rows are gone', made: [orders, 'delete from t where id % 10 <> 0'], ratio: 0.85 },
  {
    it: 'knows that VACUUM has given back the empty pages at the end',
    made: [orders, 'delete from t where id > 3000'],
    ratio: null,
  },
  { it: 'finds rows that were updated all at once', made: [orders, 'update t set kind = 0'], ratio: 0.45 },
  {
    it: 'knows what dropped columns leave behind',
    made: [
      "create table t as select g as id, repeat('x', 200) as a from generate_series(1, 6000) g",
      'alter table t drop a',
    ],
    ratio: 0.8,
  },
  {
    it: 'promises nothing of a table that a rebuild makes larger',
    made: ['create table t as select g as id from generate_series(1, 20000) g', 'alter table t add x bigint default 1'],
    ratio: null,
  },
  {
    it: 'counts padding between columns',
    made: [
      'create table t as select true a, g::bigint b, true c, g::bigint d, true e, g::bigint f from generate_series(1, 12000) g',
    ],
    ratio: null,
  },
  {
    it: 'counts what fillfactor leaves free',
    made: [
      'create table t (id int, v int) with (fillfactor = 50)',
      'insert into t select g, g from generate_series(1, 15000) g',
    ],
    ratio: null,
  },
  {
    it: 'counts what rows too long to fill a page leave free',
    made: [
      'create table t (id int, v char(2900))',
      'alter table t alter v set storage plain',
      "insert into t select g, 'x' from generate_series(1, 400) g",
    ],
    ratio: null,
  },
  {
    it: 'counts null bitmaps and columns without a value',
    made: [
      `create table t as select g as id, case when g % 5 = 0 then g::bigint end as a,
       case when g % 3 = 0 then repeat('y', 20) end as b from generate_series(1, 20000) g`,
    ],
    ratio: null,
  },
  {
    it: 'finds what is left of values outside their rows',
    made: [
      `create table t as select g as id, (select string_agg(md5(g::text || n), '') from generate_series(1, 249) n) as v
       from generate_series(1, 300) g`,
      'delete from t where id % 4 <> 0',
    ],
    ratio: 0.7,
  },
];

describe.each(majors)('table-bloat on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    await database.run('drop extension if exists pgstattuple, pg_freespacemap');
    await database.run('drop materialized view if exists m');
    await database.run('drop table if exists t, other');
  });

  it.each(cases)('$it', async ({ made, ratio }) => {
    await make(...made, settled);
    if (ratio === null) {
      await until('the statistics', async () => (await check()).outcome === 'ok');
      return;
    }
    const finding = await found();
    expect(finding.facts).toMatchObject({ method: 'catalog', confidence: 'estimated' });
    expect(finding.facts['bloatRatio']).toBeGreaterThan(ratio);
    const promised = Number(finding.facts['reclaimableBytes']);
    const before = await sizeOf('t');
    await make('vacuum full t', settled);
    expect(Math.abs(before - (await sizeOf('t')) - promised) / before).toBeLessThan(0.08);
    await until('it to be well', async () => (await check()).outcome === 'ok');
  });

  it('says how much a rebuild gives back, and that VACUUM does not', async () => {
    await make(orders, 'delete from t where id % 10 <> 0', settled);
    const { fingerprint, summary, subject } = await found();
    expect(fingerprint).toBe(`${database.name}.public.t`);
    expect(subject).toMatchObject({ kind: 'table', schema: 'public', name: 't', table: 'public.t' });
    expect(summary).toMatch(/A rebuild would give back about \d+ kB of .* \(9\d %\), estimated from its statistics\./);
    expect(summary).toContain('There is nothing for VACUUM to do');
    expect(summary).toContain('VACUUM FULL and CLUSTER lock out reads and writes');
  });

  it('counts dead rows that VACUUM has not been to', async () => {
    await make(orders, settled, 'delete from t where id % 4 <> 0', 'analyze t');
    const { facts, summary } = await found();
    expect(facts['deadRows']).toBe(9000);
    expect(summary).toContain('VACUUM makes the space of 9,000 dead rows usable again');
  });

  it('finds a materialized view that was refreshed row by row', async () => {
    await make(orders, 'create materialized view m as select * from t', 'create unique index on m (id)');
    await make("update t set note = 'new'", 'refresh materialized view concurrently m', 'vacuum analyze m');
    const { facts } = await until('the finding', async () => {
      const { findings } = await check();
      return findings.find(({ subject }) => 'name' in subject && subject.name === 'm');
    });
    expect(facts['bloatRatio']).toBeGreaterThan(0.5);
  });

  it('counts partitions as one table', async () => {
    await make(
      'create table t (id int, v text) partition by range (id)',
      'create table t_1 partition of t for values from (0) to (5000)',
      'create table t_2 partition of t for values from (5000) to (10000)',
      "insert into t select g, repeat('x', 50) from generate_series(0, 9999) g",
      'delete from t where id % 3 <> 0',
      settled,
    );
    const finding = await found({ thresholds: { ...thresholds, minBytes: (await sizeOf('t_1')) + 1 } });
    expect(finding.subject).toMatchObject({ name: 't', table: 'public.t' });
    expect(finding.facts['partitions']).toBe(2);
  });

  it.each([
    ['that nobody has analyzed', [orders, 'delete from t where id % 2 = 0', 'vacuum t'], 'they have no statistics'],
    [
      'whose rows went after it was analyzed',
      [orders, settled, 'delete from t where id % 2 = 0'],
      'their statistics are older than what has changed since',
    ],
    [
      'whose values were made shorter after it was analyzed',
      [orders, settled, "update t set note = 'x'", 'vacuum t'],
      'their statistics are older than what has changed since',
    ],
    ['that neither vacuum nor analyze has seen', [orders], 'they have no statistics'],
  ])('gives no number of a table %s', async (_, made, reason) => {
    await make(...made);
    const result = await until('it to be unknown', async () => {
      const one = await check({ thresholds: { ...thresholds, minBytes: 1000 } });
      return one.outcome === 'cannot-judge' && one;
    });
    expect(result.unjudged).toMatchObject([{ reason: expect.stringContaining(reason) }]);
    expect(result.unjudged[0]?.remedy).toContain('analyze public.t;');
    await database.run('create extension pgstattuple');
    const { outcome, findings } = await check({ thresholds: { ...thresholds, minBytes: 1000, minRatio: 0 } });
    expect(outcome).toBe('findings');
    expect(findings[0]?.facts).toMatchObject({ method: 'pgstattuple', confidence: 'measured' });
  });

  it('does not call one well that has grown since anybody looked at its size', async () => {
    await make('create table t (id int)', 'insert into t values (1)', settled);
    await make('insert into t select g from generate_series(1, 12000) g');
    const { unjudged } = await until('it to be unknown', async () => {
      const one = await check();
      return one.outcome === 'cannot-judge' && one;
    });
    expect(unjudged[0]?.reason).toContain('older than what has changed since');
    await make(settled);
    await until('it to be well', async () => (await check()).outcome === 'ok');
  });

  it('tells a role that sees no statistics what to grant, and measures once it can', async () => {
    await make(orders, 'delete from t where id % 10 <> 0', settled);
    const user = 'monitor';
    const { outcome, unjudged } = await check({ user });
    expect(outcome).toBe('cannot-judge');
    expect(unjudged[0]?.reason).toContain('the role cannot see their statistics');
    const grant = major >= 14 ? 'grant pg_read_all_data to monitor;' : 'grant select on public.t to monitor;';
    expect(unjudged[0]?.remedy).toBe(`${grant} -- it can then read table contents; or: create extension pgstattuple;`);
    await database.run('create extension pg_freespacemap');
    expect((await found({ user })).facts['method']).toBe('free-space-map');
    await database.run('create schema tools; create extension pgstattuple schema tools');
    await database.run('grant usage on schema tools to pg_monitor');
    expect((await found({ user })).facts['method']).toBe('pgstattuple');
    await database.run('drop extension pgstattuple; drop schema tools; drop extension pg_freespacemap');
    await database.run('grant select on t to monitor');
    expect((await found({ user })).facts['method']).toBe('catalog');
  });

  it('names what lets a role see the statistics of a table whose rows are guarded', async () => {
    await make(orders, 'delete from t where id % 10 <> 0', settled);
    await make('grant select on t to monitor', 'alter table t enable row level security');
    const { unjudged } = await until('the statistics', async () => {
      const one = await check({ user: 'monitor' });
      return one.unjudged[0]?.reason.includes('row level security hides their statistics') && one;
    });
    expect(unjudged[0]?.remedy).toMatch(/^alter role monitor bypassrls; -- .*; or: create extension pgstattuple;$/);
    await make('alter role monitor bypassrls');
    await found({ user: 'monitor' });
    await make('alter role monitor nobypassrls');
  });

  it('reads pages only where it is told to, and then needs no fresh statistics', async () => {
    await make(orders, settled, 'delete from t where id % 10 <> 0');
    const { facts } = await found({ thresholds: { ...thresholds, samplePages: 20 } });
    expect(facts).toMatchObject({ method: 'sample', confidence: 'measured' });
    expect(Math.abs(Number(facts['bloatRatio']) - 0.9)).toBeLessThan(0.03);
    expect((await check({ user: 'monitor', thresholds: { ...thresholds, samplePages: 20 } })).outcome).toBe(
      'cannot-judge',
    );
  });

  it('passes over a table that is locked, and goes on with the others', async () => {
    await make(orders, 'delete from t where id % 10 <> 0', settled);
    await make(...[orders, 'delete from t where id % 10 <> 0', settled].map((one) => one.replace(/\bt\b/, 'other')));
    await found();
    const holder = await database.client();
    await holder.query('begin; lock table other in access exclusive mode');
    const startedAt = performance.now();
    const { findings, unjudged } = await check({ thresholds: { ...thresholds, samplePages: 20 } });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await holder.query('rollback');
    await holder.end();
    expect(findings.map(({ subject }) => 'name' in subject && subject.name)).toEqual(['t']);
    expect(unjudged[0]?.reason).toMatch(/1 of 2 tables .public.other, .*: somebody has them locked/);
  });

  /** Each in a session of its own: one that goes on counts its changes only after a later ANALYZE. */
  async function make(...statements: string[]): Promise<void> {
    for (const statement of statements) {
      const client = await database.client();
      await client.query(statement);
      await client.end();
    }
  }

  function check(options: Parameters<typeof checkJob>[2] = {}): Promise<CheckResult> {
    return checkJob(tableBloat, database, { user: 'postgres', thresholds, ...options });
  }

  /** Before 15 the server's counters come a moment late. */
  function found(options?: Parameters<typeof checkJob>[2]): Promise<Finding> {
    return until('the finding', async () => (await check(options)).findings[0]);
  }

  async function sizeOf(table: string): Promise<number> {
    const { rows } = await database.run(
      `select pg_relation_size(oid) + coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0) as bytes
       from pg_class where oid = $1::regclass`,
      [table],
    );
    return Number(rows[0].bytes);
  }
});
