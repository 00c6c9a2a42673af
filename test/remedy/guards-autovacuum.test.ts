import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, majors, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { orders, refusalOf, useGuardWard } from './guard-ward.ts';

describe.each(majors.filter((major) => [12, 15, 18].includes(major)))('an autovacuum on PostgreSQL %i', (major) => {
  const ward = useGuardWard(major);
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase(await ownServer(major, { autovacuum_naptime: '1s' }));
    await database.run(orders);
    await database.run("insert into shop.orders select n, repeat('x', 500) from generate_series(101, 20000) n");
    // More than the least autovacuum_freeze_max_age that a table may have.
    await database.run('do $$ begin for n in 1..100100 loop perform txid_current(); commit; end loop; end $$');
    // A worker needs minutes for this table.
    await database.run(
      'alter table shop.orders set (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)',
    );
  });
  afterAll(() => database?.server.remove());

  /** Only with settings that are there when they begin do the workers go by them. */
  async function atWork(settings: string, query: RegExp): Promise<string | null> {
    await setAutovacuum(database, 'off');
    await database.run(`alter table shop.orders set (${settings})`);
    await database.run("update shop.orders set status = 'done' where id % 10 = 0");
    await setAutovacuum(database, 'on');
    await until('a worker at the table', async () => (await readWork(database)).some((one) => query.test(one)));
    const url = (user: string) => database.url(user);
    const urls = { monitorUrl: url('monitor'), signalUrl: url('actor'), actions: { maintain: url('keeper') } };
    const remedy = await ward.open(urls);
    return refusalOf(await ward.judge(await ward.approved('shop.orders_idx', remedy), { remedy }));
  }

  it('at the table keeps a rebuild out, which would make it give up', async () => {
    const settings = 'autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0';
    expect(await atWork(settings, /^autovacuum: VACUUM (ANALYZE )?shop\.orders$/)).toMatch(
      /^autovacuum \(pid \d+\) is at the table, and would have to give up: let it end$/,
    );
  });

  it('against wraparound keeps it out, which gives way to nobody', async () => {
    expect(await atWork('autovacuum_freeze_max_age = 100000', /to prevent wraparound/)).toMatch(
      /^autovacuum \(pid \d+\) is at the table to prevent wraparound, for \d+ s, and gives way to nobody: let it end$/,
    );
  });
});

async function setAutovacuum(database: Database, to: 'on' | 'off'): Promise<void> {
  await database.run(`alter system set autovacuum = ${to}`);
  await database.run('select pg_reload_conf()');
  if (to === 'on') return;
  await until('the workers to be gone', async () => {
    const { rows } = await database.run(
      "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'autovacuum worker'",
    );
    return rows.length === 0;
  });
}

async function readWork(database: Database): Promise<string[]> {
  const { rows } = await database.run(
    `select a.query from pg_stat_activity a join pg_locks l on l.pid = a.pid
     where a.backend_type = 'autovacuum worker' and l.relation = 'shop.orders'::regclass`,
  );
  return rows.map(({ query }) => query);
}
