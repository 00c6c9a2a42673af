import type pg from 'pg';
import type { Finding } from '../../src/model.ts';
import { type Database, openDatabase, ownServer, standbyOf } from '../support/servers.ts';
import { until } from '../support/wait.ts';

/** What is wrong on the sick server, as the job that looks for it has to say it. */
export interface Illness {
  /** The lowest that make a young illness an old one. */
  thresholds: Record<string, number>;
  /** Nodes by name, as this login reaches them. */
  urls(user: string): Record<string, string>;
  isFound(finding: Finding): boolean;
}

export interface SickServer {
  main: Database;
  illnesses: Readonly<Record<string, Illness>>;
  end(): Promise<void>;
}

const rows = 'select g as id, g % 20 as kind, md5(g::text) as note from generate_series(1, 20000) g';

/** One server with everything wrong at once, and a standby whose replay is paused: it knows only these roles. */
export async function makeSickServer(major: number, roles: readonly string[]): Promise<SickServer> {
  const primary = await ownServer(major, { archive_mode: 'on', archive_command: 'false' });
  const main = await openDatabase(primary);
  for (const role of roles) await main.run(role);
  const second = await standbyOf(primary);
  await main.run("select pg_create_physical_replication_slot('forgotten', true)");
  await fillClosed(main);
  await fill(main);
  const sessions = await block(main);
  const standby = await openDatabase(second);
  await standby.run('select pg_wal_replay_pause()');
  await main.run('create table late as select generate_series(1, 100000) as id');
  await main.run('select pg_switch_wal()');
  const known = `select from pg_stat_archiver, pg_stat_all_tables
                 where failed_count > 0 and relname = 'dirty' and n_dead_tup > 0 and last_analyze is not null`;
  await until('the statistics', async () => (await main.run(known)).rowCount === 1);
  return {
    main,
    illnesses: illnessesOf({ main, standby, pid: sessions.root }),
    end: async () => {
      await Promise.all([second.remove(), primary.remove()]);
      await sessions.through;
    },
  };
}

function illnessesOf({ main, standby, pid }: { main: Database; standby: Database; pid: number }) {
  const urls = (user: string) => ({ main: main.url(user) });
  const isAbout = (name: string) => (finding: Finding) => 'name' in finding.subject && finding.subject.name === name;
  const isPid = ({ subject }: Finding) => 'pid' in subject && subject.pid === pid;
  const all: Record<string, Illness> = {
    'lock-chains': { thresholds: { minWaitSeconds: 0 }, urls, isFound: isPid },
    'long-transactions': { thresholds: { idleSeconds: 0, minSeconds: 0 }, urls, isFound: isPid },
    'prepared-transactions': {
      thresholds: { minSeconds: 0 },
      urls,
      isFound: ({ fingerprint }) => fingerprint === 'orphan',
    },
    'wal-archiving': { thresholds: {}, urls, isFound: ({ facts }) => facts['trouble'] === 'failing' },
    'xmin-horizon': { thresholds: { criticalPercent: 0 }, urls, isFound: () => true },
    'connection-saturation': { thresholds: {}, urls, isFound: isAbout('app') },
    wraparound: { thresholds: { warningPercent: 0 }, urls, isFound: ({ fingerprint }) => fingerprint === 'xid' },
    'replication-lag': {
      thresholds: { minBytes: 1_000_000 },
      urls,
      isFound: ({ subject }) => subject.kind === 'standby',
    },
    'replication-slots': { thresholds: { minBytes: 1_000_000 }, urls, isFound: isAbout('forgotten') },
    'node-roles': {
      thresholds: {},
      urls: (user) => ({ one: standby.url(user), other: standby.url(user) }),
      isFound: ({ fingerprint }) => fingerprint === 'no-primary',
    },
    'target-unreachable': {
      thresholds: {},
      urls: (user) => ({ ...urls(user), gone: `postgres://${user}@127.0.0.1:1/postgres` }),
      isFound: isAbout('gone'),
    },
    'logical-replication': { thresholds: {}, urls, isFound: isAbout('keyless') },
    'invalid-indexes': { thresholds: {}, urls, isFound: isAbout('once') },
    'duplicate-indexes': { thresholds: { minBytes: 0 }, urls, isFound: isAbout('again') },
    'vacuum-debt': { thresholds: { minRows: 1000 }, urls, isFound: isAbout('dirty') },
    'table-bloat': { thresholds: { minBytes: 100_000 }, urls, isFound: isAbout('bloated') },
    'index-bloat': { thresholds: { minBytes: 100_000 }, urls, isFound: isAbout('bloated_id') },
  };
  return all;
}

/** What lies in the tables, before anybody keeps vacuum from its work. */
async function fill(main: Database): Promise<void> {
  await runAlone(
    main,
    `create table bloated as ${rows}`,
    'create index bloated_id on bloated (id)',
    'delete from bloated where id % 10 <> 0',
    'vacuum analyze bloated',
    `create table dirty as ${rows}`,
    'vacuum analyze dirty',
    'delete from dirty where id % 2 = 0',
    'create table orders (id int primary key, kind int)',
    'create table keyless (id int)',
    'create publication changes for table keyless',
    'insert into orders select g, 1 from generate_series(1, 1000) g',
    'grant all on orders to app',
    'create index first on orders (kind, id)',
    'create index again on orders (kind, id)',
  );
  await main.run('create unique index concurrently once on orders (kind)').catch(() => undefined);
  await main.run("begin; update orders set kind = 2 where id = 2; prepare transaction 'orphan'");
}

/** A database that nobody may connect to but a superuser. */
async function fillClosed(main: Database): Promise<void> {
  await main.run('create database closed');
  await main.run('revoke connect on database closed from public');
  const closed = await openDatabase(main.server, 'closed');
  await closed.run('create table orders as select 1 as kind from generate_series(1, 2)');
  await closed.run('create unique index concurrently once on orders (kind)').catch(() => undefined);
}

/** All connections that the role may have: one idle in transaction, the others behind it. */
async function block(main: Database): Promise<{ root: number; through: Promise<unknown> }> {
  const clients: pg.Client[] = [];
  for (let number = 0; number < 3; number++) clients.push(await main.client('app', 'shop'));
  await main.run('alter role app connection limit 3');
  const [root, ...waiters] = clients;
  if (!root) throw new Error('no session');
  await root.query('begin');
  await root.query('update orders set kind = 3 where id = 1');
  const { rows: own } = await root.query('select pg_backend_pid() as pid');
  const through = Promise.allSettled(waiters.map((one) => one.query('update orders set kind = 4 where id = 1')));
  await until('them to wait', async () => {
    const { rowCount } = await main.run("select from pg_stat_activity where wait_event_type = 'Lock'");
    return rowCount === waiters.length;
  });
  for (let number = 0; number < 3; number++) await main.run('insert into orders values ($1, 5)', [2000 + number]);
  return { root: own[0].pid, through };
}

/** Each in a session of its own, which counts its changes for the statistics only as it ends. */
async function runAlone(database: Database, ...statements: string[]): Promise<void> {
  for (const statement of statements) {
    const client = await database.client();
    await client.query(statement);
    await client.end();
  }
}
