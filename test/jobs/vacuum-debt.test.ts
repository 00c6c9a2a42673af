import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { vacuumDebt } from '../../jobs/vacuum-debt.ts';
import type { Server } from '../../src/demo/server.ts';
import type { Finding } from '../../src/model.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob, pidOf } from './check-job.ts';

/** The test's servers have autovacuum off. */
describe.each(majors)('vacuum-debt on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run('create table orders (id integer, body text)');
    await database.run('alter table orders alter body set storage external');
    await fill(1_000);
    await database.run('vacuum analyze orders');
  });
  afterEach(() => database.run('drop table orders'));

  /** By a session of its own: it leaves its statistics when it ends. */
  async function write(statement: string) {
    const client = await database.client();
    await client.query(statement);
    await client.end();
  }
  const fill = (rows: number) => write(`insert into orders select n, 'new' from generate_series(1, ${rows}) n`);
  const check = (user = 'monitor') => checkJob(vacuumDebt, database, { user, thresholds: { minRows: 100 } });
  const find = async (name = 'public.orders'): Promise<Finding | undefined> =>
    (await check()).findings.find(({ fingerprint }) => fingerprint === `${database.name}.${name}`);
  const found = (name?: string) => until('the debt', () => find(name));
  const gone = (name?: string) => until('the debt to be gone', async () => (await find(name)) === undefined);

  it.each(['monitor', 'plain'])(
    'finds dead rows far past the threshold as %s, until they are vacuumed',
    async (user) => {
      expect(await find()).toBeUndefined();
      await write('update orders set id = id + 1');
      const finding = await until('the debt', async () => (await check(user)).findings[0]);
      expect(finding).toMatchObject({
        severity: 'warning',
        database: database.name,
        subject: { kind: 'table', schema: 'public', name: 'orders', table: 'public.orders' },
        facts: { cause: 'off', rows: 'dead', deadRows: 1_000, deadLimit: 250, isOn: false },
      });
      expect(finding.title).toBe('table public.orders is overdue for vacuum: autovacuum is off');
      await database.run('vacuum orders');
      await gone();
    },
  );

  it('goes by the options of the table', async () => {
    await database.run('alter table orders set (autovacuum_vacuum_scale_factor = 0.9)');
    await write('update orders set id = id + 1');
    await until('the statistics', async () => {
      const { rows } = await database.run("select n_dead_tup from pg_stat_user_tables where relname = 'orders'");
      return Number(rows[0].n_dead_tup) === 1_000;
    });
    expect(await find()).toBeUndefined();
    await database.run(
      'alter table orders set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100)',
    );
    expect((await find())?.facts['deadLimit']).toBe(100);
  });

  if (major >= 18)
    it('knows the most that a threshold may be', async () => {
      await database.run(
        'alter table orders set (autovacuum_vacuum_scale_factor = 2, autovacuum_vacuum_max_threshold = 70)',
      );
      await write('update orders set id = id + 1');
      expect((await found()).facts['deadLimit']).toBe(70);
    });

  if (major >= 13)
    it('finds rows that were only inserted', async () => {
      await fill(5_000);
      const finding = await found();
      expect(finding.facts).toMatchObject({ rows: 'inserted', deadRows: 0, insertedRows: 5_000 });
      await database.run('alter table orders set (autovacuum_vacuum_insert_threshold = -1)');
      expect(await find()).toBeUndefined();
      await database.run('vacuum orders');
    });

  it('says who held back the vacuum that left them', async () => {
    const holder = await database.client('app');
    await holder.query('begin isolation level repeatable read; select 1');
    await write('update orders set id = id + 1');
    await database.run('vacuum orders');
    const finding = await until('the cause', async () => {
      const one = await find();
      return one?.facts['cause'] === 'xmin' && one;
    });
    expect(finding.summary).toContain(`pid ${pidOf(holder)} holds the xmin of `);
    await holder.end();
    await database.run('vacuum orders');
    await gone();
  });

  it('finds a TOAST table by the name of its table', async () => {
    await write("update orders set body = repeat('x', 5000)");
    await write("update orders set body = repeat('y', 5000)");
    const finding = await found('public.orders TOAST');
    expect(finding).toMatchObject({ subject: { kind: 'table', name: 'orders' }, facts: { isToast: true } });
    await database.run('alter table orders set (autovacuum_vacuum_threshold = 100000)');
    if (major >= 13) await database.run('alter table orders set (autovacuum_vacuum_insert_threshold = -1)');
    await gone('public.orders TOAST');
    await database.run('alter table orders set (toast.autovacuum_vacuum_threshold = 100)');
    await found('public.orders TOAST');
  });

  it('does not wait behind a locked table', async () => {
    await write('update orders set id = id + 1');
    await found();
    const holder = await database.client();
    await holder.query('begin; lock table orders in access exclusive mode');
    expect((await check('plain')).outcome).toBe('findings');
    await holder.end();
  });
});

describe.each(majors.filter((major) => [12, 18].includes(major)))(
  'vacuum-debt with autovacuum on PostgreSQL %i',
  (major) => {
    let server: Server;
    let database: Database;
    beforeAll(async () => {
      server = await ownServer(major, { autovacuum: 'on', autovacuum_naptime: '1h' });
      database = await openDatabase(server);
    });
    afterAll(() => server?.remove());

    it('tells whether it is off for the table, or does not get to its end', async () => {
      const client = await database.client();
      await client.query('create table orders as select n from generate_series(1, 1000) n');
      await client.query('alter table orders set (autovacuum_enabled = off)');
      await client.query('update orders set n = n + 1');
      await client.end();
      const causeOf = async (user: string) => {
        const { findings } = await checkJob(vacuumDebt, database, { user, thresholds: { minRows: 100 } });
        return findings.find(({ fingerprint }) => fingerprint === 'postgres.public.orders')?.facts['cause'];
      };
      expect(await until('the debt', () => causeOf('monitor'))).toBe('off-here');
      await database.run('alter table orders reset (autovacuum_enabled)');
      expect(await causeOf('monitor')).toBe('cancelled');
      expect(await causeOf('plain')).toBe('unseen');
    });
  },
);
