import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, openDatabase, ownServer } from '../support/servers.ts';
import { pidOf } from './check-job.ts';
import { LockScene, rootOf, waitersOf } from './lock-scene.ts';

describe.each(majors)('lock-chains on PostgreSQL %i', (major) => {
  let database: Database;
  let reader: Reader;
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table orders (id integer primary key, v integer)');
    await database.run('insert into orders select g, 0 from generate_series(1, 10) g');
  });
  beforeEach(() => {
    reader = new Reader({ name: 'main', url: database.url('monitor') });
  });
  failOnLeaks(() => database);
  afterEach(() => reader.close());
  const scene = new LockScene(() => database);

  it('names all who wait for a table that is locked against readers', async () => {
    const locker = await scene.holder('lock table orders');
    const waiters = [await scene.waiter('select v from orders'), await scene.waiter('update orders set v = 1')];
    const [finding, ...others] = await scene.look({ waiting: 2 });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ subject: { pid: pidOf(locker) }, facts: { object: 'public.orders' } });
    expect(waitersOf(finding).map(({ pid }) => pid)).toEqual(waiters.map(pidOf));
  });

  it('names who keeps others from logging in, and counts those', async () => {
    await scene.check(reader);
    const locker = await scene.holder('lock table pg_catalog.pg_db_role_setting');
    const arriving = scene.session([]);
    const findings = await scene.look({ waiting: 1, reader });
    expect(findings.map(rootOf)).toEqual([pidOf(locker)]);
    expect(findings[0]?.facts).toMatchObject({ victimCount: 1, object: 'pg_catalog.pg_db_role_setting' });
    expect(findings[0]?.evidence).toMatch(/waits.* logging in$/);
    await locker.query('rollback');
    await arriving;
  });

  it.each(['pg_class', 'pg_authid', 'pg_database'])('finds the chain while %s is locked', async (catalog) => {
    const holder = await scene.holder('update orders set v = 1 where id = 1');
    const waiter = await scene.waiter('update orders set v = 2 where id = 1');
    const [before] = (await scene.check(reader)).findings;
    const locker = await scene.holder(`lock table pg_catalog.${catalog}`);
    const { outcome, reason, findings } = await scene.check(reader);
    await locker.query('rollback');
    expect(outcome, reason ?? '').toBe('findings');
    expect(findings.map(rootOf)).toEqual([pidOf(holder)]);
    expect(waitersOf(findings[0])).toMatchObject([{ pid: pidOf(waiter), blockedBy: [pidOf(holder)] }]);
    expect(findings[0]?.fingerprint).toBe(before?.fingerprint);
    // Whose role is not known may be one that is protected.
    const offered = findings.filter(({ runbooks }) => runbooks.length > 0);
    for (const { facts } of offered) expect(facts['root']).toMatchObject({ role: 'postgres' });
  });
});

describe.each(majors)('at the connection limit of PostgreSQL %i, lock-chains', (major) => {
  let server: Server;
  let database: Database;
  beforeAll(async () => {
    server = await ownServer(major, { max_connections: '12', max_wal_senders: '1' });
    database = await openDatabase(server);
    await database.run('create table orders (id integer primary key, v integer)');
  });
  afterAll(() => server?.remove());
  const scene = new LockScene(() => database);

  it('goes on over a warm connection, and without one says what is the matter', async () => {
    const [warm, cold] = [0, 1].map(() => new Reader({ name: 'main', url: database.url('monitor') }));
    await scene.check(warm);
    const holder = await scene.holder('lock table orders');
    await scene.waiter('select v from orders');
    const clients = await fillUp(server);
    const findings = await scene.look({ waiting: 1, ...(warm && { reader: warm }) });
    expect(findings.map(rootOf)).toEqual([pidOf(holder)]);
    const refused = await scene.check(cold);
    expect(refused).toMatchObject({ outcome: 'error', findings: [], covered: [] });
    expect(refused.reason).toMatch(/connection slots are reserved|too many clients/);
    await Promise.all([...clients, warm, cold].map((one) => (one instanceof Reader ? one.close() : one?.end())));
  });
});

/** Takes every slot that isn't kept for superusers. */
async function fillUp(server: Server): Promise<pg.Client[]> {
  const clients: pg.Client[] = [];
  for (;;) {
    const client = new pg.Client({ connectionString: server.url('postgres', 'app'), application_name: 'test' });
    const isLet = await client.connect().then(
      () => true,
      ({ code }) => code !== '53300',
    );
    if (!isLet) return clients;
    clients.push(client);
  }
}
