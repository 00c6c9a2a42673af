import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const readers: Reader[] = [];
const closeReaders = () => Promise.all(readers.splice(0).map((reader) => reader.close()));

function open(url: string): Reader {
  const reader = new Reader({ name: 'db1', url });
  readers.push(reader);
  return reader;
}

describe.each(majors)('a reader of PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  // Hooks run last come, first served: the leaks are counted after the readers are closed.
  failOnLeaks(() => database);
  afterEach(closeReaders);

  it('says what the server is, and what its login may see', async () => {
    const { rows } = await database.run('select system_identifier::text as id from pg_control_system()');
    const reader = open(database.url('monitor'));
    const probe = await reader.probe();
    expect(probe).toMatchObject({
      inRecovery: false,
      systemIdentifier: rows[0].id,
      timeline: 1,
      role: 'monitor',
      seesAll: true,
      database: database.name,
      maxConnections: 700,
    });
    expect(Math.floor(probe.version / 10_000)).toBe(major);
    expect(Math.abs(probe.serverNow.getTime() - Date.now())).toBeLessThan(5000);
    expect(reader.pids()).toEqual([probe.pid]);
    expect((await open(database.url('plain')).probe()).seesAll).toBe(false);
    expect((await open(database.url('postgres')).probe()).seesAll).toBe(true);
  });

  it('lists the databases, and which of them the login may connect to', async () => {
    const reader = open(database.url('monitor'));
    const find = async () => {
      const databases = await reader.databases(null);
      expect(databases.map(({ name }) => name)).not.toEqual(
        expect.arrayContaining([expect.stringMatching('template')]),
      );
      return databases.find(({ name }) => name === database.name);
    };
    expect(await find()).toEqual({ name: database.name, mayConnect: true });
    await database.run(`revoke connect on database ${database.name} from public`);
    expect(await find()).toEqual({ name: database.name, mayConnect: false });
    await database.run(`grant connect on database ${database.name} to public`);
  });

  it('leaves out the databases in which a managed cloud keeps its own, and nobody else’s of that name', async () => {
    await database.run('create database azure_sys');
    const reader = open(database.url('monitor'));
    const [azure, rds, none] = [
      await reader.databases('azure'),
      await reader.databases('rds'),
      await reader.databases(null),
    ];
    await database.run('drop database azure_sys');
    const isFound = (databases: typeof none) => databases.some(({ name }) => name === 'azure_sys');
    expect([azure, rds, none].map(isFound)).toEqual([false, true, true]);
  });

  it('keeps to its bounds, whatever the login has as defaults', async () => {
    const defaults = {
      statement_timeout: '60ms',
      default_transaction_isolation: 'serializable',
      datestyle: 'German',
      search_path: 'public',
      bytea_output: 'escape',
      idle_in_transaction_session_timeout: '1ms',
    };
    for (const [name, value] of Object.entries(defaults))
      await database.run(`alter role plain in database ${database.name} set ${name} = '${value}'`);
    const [row] = await open(database.url('plain')).ask(`
      select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
             current_setting('idle_in_transaction_session_timeout') as idle, current_setting('jit') as jit,
             current_setting('search_path') as path, current_setting('transaction_read_only') as read_only,
             current_setting('max_parallel_workers_per_gather') as parallel,
             current_setting('transaction_isolation') as isolation,
             current_setting('application_name') as application, '\\x00'::bytea as bytes,
             timestamptz '2026-02-01 00:00+00' as at, 9007199254740993::int8 as big, pg_sleep(0.1)`);
    expect(row).toMatchObject({
      statement: '3s',
      lock: '100ms',
      idle: '5s',
      jit: 'off',
      path: 'pg_catalog, pg_temp',
      read_only: 'on',
      parallel: '0',
      isolation: 'read committed',
      application: 'pgorderly/detect',
      bytes: Buffer.from([0]),
      at: new Date('2026-02-01T00:00:00Z'),
      big: '9007199254740993',
    });
  });

  it('gives up a statement in time, and goes on with the same connection', async () => {
    const reader = open(database.url('monitor'));
    const { pid } = await reader.probe();
    await expect(reader.ask('select pg_sleep(9)', [], { statementTimeoutMs: 200 })).rejects.toMatchObject({
      code: 'query-timeout',
      message: expect.stringMatching(/^db1 \(monitor@.*\) did not finish the statement within 0\.2 s\.$/),
    });
    expect((await reader.probe()).pid).toBe(pid);
  });

  it('does not queue behind a lock, and its probe needs none', async () => {
    const reader = open(database.url('monitor'));
    await reader.probe();
    const other = await database.client();
    await other.query('begin; lock table pg_authid, pg_database, pg_class in access exclusive mode');
    try {
      await expect(reader.databases(null)).rejects.toMatchObject({
        code: 'query-timeout',
        message: expect.stringContaining('did not give a lock within 100 ms'),
      });
      expect(await reader.probe()).toMatchObject({ role: 'monitor' });
    } finally {
      await other.query('rollback');
    }
  });

  it('shows no literal of the queries that it reads', async () => {
    const other = await database.client('app');
    await other.query('set standard_conforming_strings = off');
    await other.query("select 42, 'it\\'s secret', 'secret' as a");
    const rows = await open(database.url('monitor')).ask(
      'select query, query as last_query, length(query) as length from pg_stat_activity where pid = any($1)',
      [[(other as unknown as { processID: number }).processID]],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ query: rows[0]?.['last_query'] });
    expect(rows[0]?.['query']).toBe('select $1, …');
  });

  it.each([
    ['create table t (id int)', /25006/],
    ['select 1; select 2', /42601/],
    ['select * from nowhere', /42P01.*|nowhere/],
    ["select 'secret'::int", /22P02/],
    ['select pg_ls_waldir() from pg_authid', /42501|permission/],
  ])('says what the server refused, without values: %s', async (sql, text) => {
    const failure = await open(database.url('monitor'))
      .ask(sql)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'query-failed', message: expect.stringMatching(text) });
    expect(`${(failure as Error).message} ${((failure as Error).cause as Error).stack}`).not.toContain('secret');
  });
});

describe.each(majors)('a standby of PostgreSQL %i', (major) => {
  afterEach(closeReaders);

  it('is read as such, and from its promotion on as a primary of the next timeline', async () => {
    const primary = await createDatabase(major);
    const replica = await standby(major);
    try {
      const here = await open(primary.url('monitor')).probe();
      const there = await until('the standby', () => open(replica.url('postgres', 'monitor')).probe());
      expect(there).toMatchObject({
        inRecovery: true,
        systemIdentifier: here.systemIdentifier,
        timeline: here.timeline,
        seesAll: true,
      });
      await open(replica.url()).ask('select pg_promote(false)');
      const promoted = open(replica.url('postgres', 'monitor'));
      const first = await until('the promotion', async () => {
        const probe = await promoted.probe();
        return probe.inRecovery ? null : probe;
      });
      expect(first.timeline).toBe(here.timeline + 1);
    } finally {
      await closeReaders();
      await replica.remove();
    }
  });
});
