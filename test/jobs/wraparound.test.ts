import { beforeAll, describe, expect, it } from 'vitest';
import { wraparound } from '../../jobs/wraparound.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob, pidOf } from './check-job.ts';

/** 0.0005 % of autovacuum_freeze_max_age, of 200 million: an age that a test can reach. */
const aThousand = { warningPercent: 0.0005 };
const burn = (count: number) =>
  `do $$ begin for i in 1..${count} loop perform txid_current(); commit; end loop; end $$`;

describe.each(majors)('wraparound on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table notes (id integer, body text)');
  });
  failOnLeaks(() => database);

  const check = (thresholds: Record<string, number> = aThousand, user = 'monitor') =>
    checkJob(wraparound, database, { thresholds, user });
  const find = async (kind: string) => (await check()).findings.find(({ fingerprint }) => fingerprint === kind);

  /** In every database, also in those that take no connections. */
  async function freezeAll() {
    const { rows } = await database.run('select datname, datallowconn from pg_database');
    for (const { datname, datallowconn } of rows) {
      await database.run(`alter database ${datname} allow_connections true`);
      const client = await (await openDatabase(database.server, datname)).client();
      await client.query('vacuum freeze');
      await client.end();
      await database.run(`alter database ${datname} allow_connections ${datallowconn}`);
    }
  }

  it('finds ids of old age in any database, also template0, until all are frozen', async () => {
    expect(await check({})).toMatchObject({ outcome: 'ok', findings: [], unjudged: [] });
    await database.run(burn(2_000));
    expect((await find('xid'))?.facts['age']).toBeGreaterThanOrEqual(2_000);
    await database.run('vacuum freeze');
    const finding = await find('xid');
    expect(finding?.severity).toBe('warning');
    expect(finding?.evidence).toMatch(/database template0\n/);
    expect(finding?.evidence).toContain(` in ${database.name} (`);
    await freezeAll();
    expect(await check()).toMatchObject({ findings: [] });
  });

  it('names who keeps them from being frozen', async () => {
    const holder = await database.client('app', 'reports');
    await holder.query('begin isolation level repeatable read');
    await holder.query('select 1');
    await database.run(burn(2_000));
    await freezeAll();
    const finding = await find('xid');
    expect(finding?.facts['holder']).toBe(`pid ${pidOf(holder)} (reports, role app, database ${database.name})`);
    expect(finding?.summary).toContain('no vacuum gets past it');
    await holder.end();
    await until('the transaction to end', async () => {
      await freezeAll();
      return (await find('xid')) === undefined;
    });
  });

  if (major >= 14)
    it('names TOAST as that of its table', async () => {
      await database.run(burn(1_100));
      await database.run('vacuum (freeze, process_toast off)');
      expect((await find('xid'))?.evidence).toContain('  TOAST of pg_catalog.');
      await freezeAll();
      expect((await find('xid'))?.evidence).toBeUndefined();
    });

  it('needs no grant, and burns no transaction id', async () => {
    const next = async () =>
      Number((await database.run('select txid_snapshot_xmax(txid_current_snapshot()) as xid')).rows[0].xid);
    const before = await next();
    expect(await check({}, 'plain')).toMatchObject({ outcome: 'ok' });
    expect(await next()).toBe(before);
  });

  it('reads how much space members take where it may', async () => {
    expect(await check({}, 'postgres')).toMatchObject({ outcome: 'ok', unjudged: [] });
  });

  it('leaves it to the primary, and says on a standby that it does not know', async () => {
    const replica = await standby(major);
    const url = (user = 'postgres') => replica.url('postgres', user);
    expect(await checkJob(wraparound, { url })).toMatchObject({ outcome: 'ok' });
    const result = await checkJob(wraparound, { url }, { thresholds: { warningPercent: 0 } });
    expect(result).toMatchObject({ outcome: 'cannot-judge', findings: [], covered: [] });
  });
});
