import { spawnSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll } from 'vitest';
import type { Binaries } from '../../src/demo/binaries.ts';
import { Server } from '../../src/demo/server.ts';
import { makeWorkFolder } from './work-folder.ts';

const allMajors = [12, 13, 14, 15, 16, 17, 18] as const;

/** Those of `PG=12,18`, else all. */
export const majors: readonly number[] = (process.env['PG'] ?? allMajors.join(',')).split(',').map(Number);
export const newest = Math.max(...majors);
/** For what takes its time and is the same on each: of all majors the oldest, the newest and one between. */
export const sampled = majors.length === allMajors.length ? [12, 15, newest] : majors;

/** Logins every server has; `monitor`, `actor` and `keeper` (of what `app` owns) are what the README tells to make. */
const roles = `
  create role monitor login in role pg_monitor;
  create role plain login;
  create role actor login in role pg_signal_backend, pg_read_all_stats;
  create role app login;
  create role keeper login in role app, pg_read_all_stats;
  create role locked login password 'right';`;

const settings = {
  autovacuum: 'off',
  deadlock_timeout: '200ms',
  max_prepared_transactions: '20',
  max_connections: '700',
  wal_level: 'logical',
  max_wal_senders: '10',
  max_replication_slots: '10',
  hot_standby: 'on',
  jit: 'off',
  log_min_messages: 'fatal',
};

const servers = new Map<string, Promise<Server>>();
const freeBytes = (folder: string) => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};
const root = freeBytes('/dev/shm') > 2 * 2 ** 30 ? '/dev/shm' : tmpdir();
let folder: string | null = null;

/** One server of a major, started at the first use and shared in this process: vitest forks one a test file. */
export function server(major: number): Promise<Server> {
  return shared(String(major), async () => {
    const started = await Server.start({
      major,
      folder: workFolder(),
      settings,
      hba: ['host all locked 127.0.0.1/32 scram-sha-256'],
      template: join(tmpdir(), `pgorderly-initdb-${major}-${process.getuid?.() ?? 0}`),
    });
    await asSuperuser(started, `set password_encryption = 'scram-sha-256'; ${roles}`);
    return started;
  });
}

/** A streaming standby of the shared server of a major. */
export function standby(major: number): Promise<Server> {
  return shared(`standby-${major}`, async () => standbyOf(await server(major)));
}

/**
 * A streaming standby of any server, for one file that breaks it: give it back by `remove`. With `from` it streams from
 * that standby of the same primary.
 */
export async function standbyOf(
  primary: Server,
  { from = primary, more = {} }: { from?: Server; more?: Record<string, string> } = {},
): Promise<Server> {
  const primary_conninfo = `host=${from.host} port=${from.port} user=postgres`;
  const client = new pg.Client({ connectionString: primary.url() });
  await client.connect();
  try {
    const { takeBackup } = await import('./base-backup.ts');
    return await Server.start({
      major: primary.major,
      folder: workFolder(),
      settings: { ...settings, primary_conninfo, ...more },
      fill: (data, { account }) => takeBackup(client, { primary, data, account }),
    });
  } finally {
    await client.end();
  }
}

/**
 * A server that began as a copy of another one's files, as of a snapshot of its disk: with its identifier, its timeline
 * and its oids. The original is stopped for the copy, and started again.
 */
export async function cloneOf(original: Server): Promise<Server> {
  await original.stop();
  const fill = async (data: string, { account }: Binaries) => {
    const copied = spawnSync('cp', ['-a', original.data, data], { ...account, cwd: '/', encoding: 'utf8' });
    if (copied.status !== 0) throw new Error(`cp failed: ${copied.stderr}`);
  };
  const clone = await Server.start({ major: original.major, folder: workFolder(), settings, fill });
  await original.run();
  return clone;
}

/** A server for one test that breaks it: give it back by `remove`. */
export async function ownServer(major: number, more: Record<string, string> = {}): Promise<Server> {
  const started = await Server.start({ major, folder: workFolder(), settings: { ...settings, ...more } });
  await asSuperuser(started, roles);
  return started;
}

export interface Database {
  server: Server;
  name: string;
  /** A connection that is closed after the file, if not before. */
  client(user?: string, application?: string): Promise<pg.Client>;
  url(user?: string): string;
  /** As the superuser, on a connection of its own. */
  run(sql: string, params?: unknown[]): Promise<pg.QueryResult>;
}

let databases = 0;

/** A fresh database for a test file; dropped with whatever is left in it after the file. */
export async function createDatabase(major: number): Promise<Database> {
  const on = await server(major);
  const name = `test_${process.pid}_${++databases}`;
  await asSuperuser(on, `create database ${name}`);
  afterAll(async () => {
    await asSuperuser(on, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    await asSuperuser(on, `drop database if exists ${name}`);
  });
  return openDatabase(on, name);
}

/** One that is there already: of a standby, or of a server of one's own. */
export async function openDatabase(on: Server, name = 'postgres'): Promise<Database> {
  const clients: pg.Client[] = [];
  const client = async (user = 'postgres', application = 'test') => {
    const opened = new pg.Client({ connectionString: on.url(name, user), application_name: application });
    opened.on('error', () => {
      // Tests end sessions on purpose; whoever awaits a query on it is told.
    });
    await opened.connect();
    clients.push(opened);
    return opened;
  };
  // Hooks run last to first: before the database is dropped.
  afterAll(async () => {
    await Promise.allSettled(clients.map((one) => one.end()));
  });
  const helper = await client('postgres', 'test-helper');
  return {
    server: on,
    name,
    client,
    url: (user = 'postgres') => on.url(name, user),
    run: (sql, params) => helper.query(sql, params),
  };
}

async function shared(key: string, start: () => Promise<Server>): Promise<Server> {
  const known = servers.get(key);
  if (known) return known;
  const starting = start();
  servers.set(key, starting);
  return starting;
}

function workFolder(): string {
  folder ??= makeWorkFolder(root);
  return folder;
}

async function asSuperuser(on: Server, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: on.url() });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
