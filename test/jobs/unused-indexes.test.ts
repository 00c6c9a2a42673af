import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoredSample } from '../../src/detect/history.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Change, checkUse, pastOf } from './unused-past.ts';

describe.each(majors)('unused-indexes on PostgreSQL %i', (major) => {
  let database: Database;
  let replica: Database;
  beforeAll(async () => {
    const second = await standby(major);
    database = await createDatabase(major);
    replica = await until('the database on the standby', () => openDatabase(second, database.name).catch(() => null));
  });
  failOnLeaks(() => database);
  beforeEach(() =>
    make('create table t (a integer, b integer)', 'insert into t select n, n from generate_series(1, 2000) n'),
  );
  afterEach(() => database.run('drop table t'));

  it('finds one that no node has scanned in 35 days, with what it costs, until it is dropped', async () => {
    await make('create index i on t (a, b) where a > 5', 'vacuum t');
    const { samples } = await check([]);
    const writes = (objects: Record<string, number>, daysAgo: number, series: string) =>
      series.includes('writes') ? { ...objects, 'public.t': Number(objects['public.t']) - 1_000 * daysAgo } : objects;
    const [finding, ...others] = (await check(pastOf(samples, 36, writes))).result.findings;
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      node: 'one',
      database: database.name,
      fingerprint: `${database.name}.public.i`,
      severity: 'warning',
      title: 'index public.i is not used',
      subject: { kind: 'index', schema: 'public', name: 'i', table: 'public.t', oid: expect.any(Number) },
      facts: { windowDays: 35, windowSource: 'samples', nodes: ['one', 'two'], writesPerDay: 1_000, lastScan: null },
    });
    const { bytes } = (await database.run("select pg_relation_size('i')::int as bytes")).rows[0];
    expect(finding?.facts['sizeBytes']).toBe(bytes);
    expect(finding?.summary).toContain('public.t (a, b), partial. No scan in 35 days on primary one and standby two');
    expect(finding?.evidence).toMatch(/^two +standby +0 +0 +\d{4}-\d\d-\d\d +–$/m);
    expect((await lookBack({ minBytes: bytes + 1 })).findings).toEqual([]);
    await make('drop index concurrently i');
    expect(await lookBack()).toMatchObject({ outcome: 'ok', findings: [], unjudged: [] });
  });

  it('finds none that queries use, on the primary or on the standby alone', async () => {
    for (const on of [database, replica]) {
      await make('create index i on t (a)', 'vacuum t');
      expect((await lookBack()).findings).toHaveLength(1);
      await use(on);
      const used = await until('the scan to be counted', async () => {
        const result = await lookBack({ change: beforeUse });
        return result.findings.length === 0 && result;
      });
      expect(used).toMatchObject({ outcome: 'ok', unjudged: [] });
      await make('drop index i');
    }
  });

  it('judges nothing while a standby streams that is not among the nodes, and names it', async () => {
    await make('create index i on t (a)', 'vacuum t');
    const { outcome, unjudged, findings } = await lookBack({ nodes: ['one'] });
    expect({ outcome, findings }).toEqual({ outcome: 'cannot-judge', findings: [] });
    expect(unjudged[0]?.reason).toMatch(/queries on the standby walreceiver.*, listed by one, are not known/);
    expect(unjudged[0]?.remedy).toBe("Add it to the target's nodes in the configuration.");
  });

  it('judges nothing while a node does not answer, nor on a standby alone', async () => {
    await make('create index i on t (a)', 'vacuum t');
    const gone = { three: 'postgres://monitor@127.0.0.1:1/postgres' };
    const { samples } = await check([]);
    const { result } = await check(pastOf(samples, 36), { ...urls(), ...gone });
    expect(result).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(result.unjudged[0]?.reason).toMatch(/three did not say how often it scans an index: .*refused/);
    const alone = await until('the index on the standby', async () => {
      const seen = await lookBack({ nodes: ['two'] });
      return seen.outcome !== 'ok' && seen;
    });
    expect(alone).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(alone.unjudged[0]?.reason).toContain('only a standby is watched');
  });

  it('knows nothing yet at its first look, nor from a terminal while the counters are young', async () => {
    await make('create index i on t (a)', 'vacuum t');
    const first = (await check([])).result;
    expect(first).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(first.unjudged[0]?.reason).toContain('days known of one: 0, of two: 0');
    const terminal = (await check(null)).result;
    expect(terminal).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(terminal.unjudged[0]?.remedy).toContain('The service keeps samples');
  });

  it('says so where scans are not counted, or the login may not see who streams', async () => {
    await make('create index i on t (a)', 'vacuum t');
    await database.run(`alter database ${database.name} set track_counts = off`);
    const { unjudged } = await until('the setting on the standby', async () => {
      const result = await lookBack();
      return result.unjudged.length > 1 && result;
    });
    await database.run(`alter database ${database.name} reset track_counts`);
    expect(unjudged.map(({ reason }) => reason).join()).toContain('one counts no scans: track_counts is off');
    const blind = await until('the setting to be gone', async () => {
      const result = await lookBack({ user: 'plain' });
      return result.unjudged.length === 1 && result;
    });
    expect(blind).toMatchObject({ outcome: 'cannot-judge', unjudged: [{ remedy: 'grant pg_monitor to "plain";' }] });
  });

  it('does not wait behind a locked table, and keeps to what is ignored', async () => {
    await make('create index i on t (a)', 'vacuum t');
    const holder = await database.client();
    await holder.query('begin; lock table t in access exclusive mode');
    const { outcome, durationMs } = await lookBack();
    await holder.end();
    expect(outcome).toBe('findings');
    expect(durationMs).toBeLessThan(3_000);
    const { samples } = await check([]);
    const past = pastOf(samples, 36);
    const { result } = await checkUse(database.name, urls(), { past, isIgnored: () => true });
    expect(result).toMatchObject({ outcome: 'ok', findings: [] });
  });

  async function make(...statements: string[]): Promise<void> {
    for (const statement of statements) await database.run(statement);
    // Written to disk, else the standby hears of it some time later.
    await database.run(
      "begin; set local synchronous_commit = on; select pg_logical_emit_message(true, '', ''); commit",
    );
    const lsn = (await database.run('select pg_current_wal_flush_lsn() as lsn')).rows[0].lsn;
    const isThere = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as there';
    await until('the standby', async () => (await replica.run(isThere, [lsn])).rows[0].there);
  }

  async function use(on: Database): Promise<void> {
    await until('the index there', async () => (await on.run("select to_regclass('i') as i")).rows[0].i);
    const client = await on.client();
    await client.query('set enable_seqscan = off');
    await client.query('select from t where a = 7');
    await client.end();
  }

  function urls(user = 'monitor', nodes = ['one', 'two']): Record<string, string> {
    const all = { one: database.url(user), two: replica.url(user) };
    return Object.fromEntries(Object.entries(all).filter(([name]) => nodes.includes(name)));
  }

  function check(past: readonly StoredSample[] | null, nodes = urls()) {
    return checkUse(database.name, nodes, { past });
  }

  /** A check for which the 36 days before were as now. */
  async function lookBack(options: { minBytes?: number; user?: string; nodes?: string[]; change?: Change } = {}) {
    const { minBytes = 1, user, nodes, change } = options;
    const at = urls(user, nodes);
    const { samples } = await checkUse(database.name, at, {});
    return (await checkUse(database.name, at, { past: pastOf(samples, 36, change), minBytes })).result;
  }
});

/** As it was when nobody had scanned anything. */
const beforeUse: Change = (objects) =>
  Object.fromEntries(Object.entries(objects).map(([key, value]) => [key, key.includes('#') ? 0 : value]));
