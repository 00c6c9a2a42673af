import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { indexBloat } from '../../jobs/index-bloat.ts';
import type { CheckResult, Finding } from '../../src/model.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob } from './check-job.ts';

const thresholds = { minBytes: 100_000, minRatio: 0.3 };
const orders = `create table t as select g as id, g % 20 as kind, 'customer-' || g as name,
                  case when g % 2 = 0 then g % 50 end as half, (g % 50)::numeric as amount, repeat('k', g % 300) || g as wide
                from generate_series(1, 20000) g`;
const settled = 'vacuum analyze t';

interface Case {
  it: string;
  index: string;
  ill: string[];
  /** What a rebuild gives back at least, as a share; null where nothing is to be found. */
  ratio: number | null;
}

const cases: Case[] = [
  { it: 'finds no index that was just built', index: 'i on t (id)', ill: [], ratio: null },
  { it: 'knows how small merged duplicates are', index: 'i on t (kind)', ill: [], ratio: null },
  { it: 'knows that included columns merge nothing', index: 'i on t (kind) include (id)', ill: [], ratio: null },
  { it: 'knows that a type without equal images merges nothing', index: 'i on t (amount)', ill: [], ratio: null },
  { it: 'knows that nulls are merged as well', index: 'i on t (half)', ill: [], ratio: null },
  { it: 'counts what fillfactor leaves free', index: 'i on t (id) with (fillfactor = 50)', ill: [], ratio: null },
  { it: 'takes keys of many widths as they are', index: 'i on t (wide)', ill: [], ratio: null },
  { it: 'takes the values of an expression', index: 'i on t (upper(name))', ill: [], ratio: null },
  { it: 'counts only the rows of a partial one', index: 'i on t (id) where kind < 10', ill: [], ratio: null },
  {
    it: 'finds one most of whose rows are gone',
    index: 'i on t (id)',
    ill: ['delete from t where id % 10 <> 0'],
    ratio: 0.85,
  },
  {
    it: 'finds the same of merged duplicates',
    index: 'i on t (kind)',
    ill: ['delete from t where random() < 0.9'],
    ratio: 0.7,
  },
  {
    it: 'finds the same of a unique one',
    index: 'i on t (id, kind)',
    ill: ['delete from t where id % 4 <> 0'],
    ratio: 0.7,
  },
  {
    it: 'finds the same of an expression',
    index: 'i on t (upper(name))',
    ill: ['delete from t where id % 4 <> 0'],
    ratio: 0.65,
  },
];

describe.each(majors)('index-bloat on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    await database.run('drop table if exists t');
    await database.run('drop extension if exists pgstattuple');
  });

  it.each(cases)('$it', async ({ index, ill, ratio }) => {
    await make(orders, `create index ${index}`, ...ill, settled);
    if (ratio === null) {
      await until('it to be well', async () => (await check({ minBytes: 1 })).outcome === 'ok');
      return;
    }
    const finding = await found({ minBytes: 1 });
    expect(finding.facts).toMatchObject({ method: 'catalog', confidence: 'estimated', table: 'public.t' });
    expect(finding.facts['bloatRatio']).toBeGreaterThan(ratio);
    const promised = Number(finding.facts['reclaimableBytes']);
    const before = await sizeOf('i');
    await make('reindex index i', settled);
    expect(Math.abs(before - (await sizeOf('i')) - promised) / before).toBeLessThan(0.08);
    await until('it to be well', async () => (await check({ minBytes: 1 })).outcome === 'ok');
  });

  it('says how much a rebuild gives back, and the statement that does it', async () => {
    await make(orders, 'create index i on t (id)', 'delete from t where id % 10 <> 0', settled);
    const { fingerprint, summary, subject } = await found();
    expect(fingerprint).toBe(`${database.name}.public.i`);
    expect(subject).toMatchObject({ kind: 'index', schema: 'public', name: 'i', table: 'public.t' });
    expect(summary).toMatch(/about \d+ kB of \d+ kB \(\d\d %\), estimated from the statistics of its columns\./);
    expect(summary).toContain('reindex index concurrently public.i;');
  });

  it('measures suspects where it can', async () => {
    await make(orders, 'create index i on t (id)', 'delete from t where id % 10 <> 0', settled);
    await database.run('create extension pgstattuple');
    const { facts } = await found();
    expect(facts).toMatchObject({ method: 'pgstatindex', confidence: 'measured' });
    expect(Math.abs(Number(facts['bloatRatio']) - 0.86)).toBeLessThan(0.03);
  });

  it('gives no number where statistics are missing or stale, and none while rows that died are still in it', async () => {
    await make(orders, 'create index i on t (id)');
    expect((await unknown()).unjudged[0]?.reason).toContain('they have no statistics');
    await make(settled, 'delete from t where id % 3 <> 0');
    expect((await unknown('older than what has changed since')).unjudged[0]?.remedy).toContain('analyze public.t;');
    await database.run('create extension pgstattuple');
    expect((await unknown('rows that died since')).unjudged[0]?.remedy).toBe('vacuum analyze public.t;');
    await make('vacuum t');
    await found();
  });

  it('does not call one well that has grown since anybody looked at its size', async () => {
    await make('create table t (id integer)', 'insert into t values (1)', 'create index i on t (id)', settled);
    await make('insert into t select g from generate_series(1, 50000) g');
    const { unjudged } = await unknown('they have no statistics');
    expect(unjudged[0]?.reason).toContain('public.i');
    await make(settled);
    await until('it to be well', async () => (await check()).outcome === 'ok');
  });

  it('tells a role that sees no statistics what to grant, and measures once it can', async () => {
    await make(orders, 'create index i on t (id)', 'delete from t where id % 10 <> 0', settled);
    const blind = await check({}, 'monitor');
    expect(blind.outcome).toBe('cannot-judge');
    const grant = major >= 14 ? 'grant pg_read_all_data to monitor;' : 'grant select on public.t to monitor;';
    expect(blind.unjudged[0]?.remedy).toContain(grant);
    await database.run('create extension pgstattuple');
    // Before 15 the dead rows are still counted for half a second.
    const finding = await until('the finding', async () => (await check({}, 'monitor')).findings[0]);
    expect(finding.facts).toMatchObject({ method: 'pgstatindex' });
  });

  it('passes over an index that is locked, and goes on with the others', async () => {
    await make(orders, 'create index i on t (id)', 'create index other on t (name)');
    await make('delete from t where id % 10 <> 0', settled);
    await database.run('create extension pgstattuple');
    await found();
    const holder = await database.client();
    await holder.query('begin; alter index other set (fillfactor = 80)');
    await holder.query('reindex index other');
    const startedAt = performance.now();
    const { findings, unjudged } = await check();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await holder.query('rollback');
    await holder.end();
    expect(findings.map(({ subject }) => 'name' in subject && subject.name)).toEqual(['i']);
    expect(unjudged[0]?.reason).toMatch(/1 of 2 indexes .public.other, .*: somebody has them locked/);
  });

  it('says of another method that only its own past can tell', async () => {
    await make(orders, 'create index i on t using gin (string_to_array(wide, null))', settled);
    const { outcome, unjudged } = await until('statistics', async () => {
      const result = await check();
      return result.unjudged[0]?.reason.includes('gin') && result;
    });
    expect(outcome).toBe('cannot-judge');
    expect(unjudged[0]?.reason).toContain('there is none yet');
  });

  /** Each in a session of its own: one that goes on counts its changes only after a later ANALYZE. */
  async function make(...statements: string[]): Promise<void> {
    for (const statement of statements) {
      const client = await database.client();
      await client.query(statement);
      await client.end();
    }
  }

  function check(changes: Partial<typeof thresholds> = {}, user = 'postgres'): Promise<CheckResult> {
    return checkJob(indexBloat, database, { user, thresholds: { ...thresholds, ...changes } });
  }

  /** Before 15 the server's counters come a moment late. */
  function found(changes?: Partial<typeof thresholds>): Promise<Finding> {
    return until('the finding', async () => (await check(changes)).findings[0]);
  }

  function unknown(reason = ''): Promise<CheckResult> {
    return until(`no number: ${reason}`, async () => {
      const result = await check();
      return result.outcome === 'cannot-judge' && result.unjudged[0]?.reason.includes(reason) && result;
    });
  }

  async function sizeOf(index: string): Promise<number> {
    return Number((await database.run('select pg_relation_size($1::regclass) as bytes', [index])).rows[0].bytes);
  }
});
