import { beforeAll, describe, expect, it } from 'vitest';
import { wraparound } from '../../jobs/wraparound.ts';
import { checkTarget } from '../../src/detect/check.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';
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
  let other: Database;
  let barred: Database;
  beforeAll(async () => {
    [database, other, barred] = [await createDatabase(major), await createDatabase(major), await createDatabase(major)];
    await database.run('create table notes (id integer, body text)');
  });
  failOnLeaks(() => database);

  const check = (thresholds: Record<string, number> = aThousand, user = 'monitor') =>
    checkJob(wraparound, database, { thresholds, user });
  const find = async (kind: string) => (await check()).findings.find(({ fingerprint }) => fingerprint === kind);

  async function freeze(name: string) {
    const client = await (await openDatabase(database.server, name)).client();
    await client.query('vacuum freeze');
    await client.end();
  }
  /** In every database, also in those that take no connections. */
  async function freezeAll() {
    const { rows } = await database.run('select datname, datallowconn from pg_database');
    for (const { datname, datallowconn } of rows) {
      await database.run(`alter database ${datname} allow_connections true`);
      await freeze(datname);
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

  it('names the oldest tables of other databases too, where it may look into them', async () => {
    await database.run(`revoke connect on database ${barred.name} from public`);
    await freezeAll();
    await database.run(burn(2_000));
    for (const name of ['postgres', 'template1', database.name]) await freeze(name);
    const url = database.url('monitor');
    const node = { name: 'main', reader: new Reader({ name: 'main', url }), lane: new SlowLane({ name: 'main', url }) };
    const target = { name: 'test', nodes: [node], protectedBecause: () => null };
    const thresholds = { ...aThousand, criticalPercent: 50, criticalEtaSeconds: 0 };
    const { result } = await checkTarget(wraparound, target, thresholds);
    await Promise.all([node.reader.close(), node.lane.close()]);
    const [evidence = ''] = result.findings.map((finding) => finding.evidence);
    expect(evidence).toMatch(new RegExp(`\\d  (TOAST of )?pg_catalog\\.\\w+ in ${other.name} \\(`));
    expect(evidence).not.toContain(` in ${barred.name} (`);
    expect(evidence.split('\n').length).toBeLessThanOrEqual(15);
    await freezeAll();
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
