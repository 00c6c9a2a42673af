import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { freePort, type Server } from '../../src/demo/server.ts';
import { until } from './wait.ts';

/** Debian puts it where only root's PATH leads. */
const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
const program = folders.map((folder) => join(folder, 'pgbouncer')).find(isExecutable);

export function pgbouncerAvailable(): boolean {
  return program !== undefined;
}

export interface Pooler {
  url(database: string, user: string): string;
  stop(): Promise<void>;
}

/** PgBouncer in transaction mode before a server, on a port of 127.0.0.1. */
export async function startPgbouncer(server: Server): Promise<Pooler> {
  if (!program) throw new Error('pgbouncer is not installed');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-pgbouncer-'));
  const users = join(folder, 'users.txt');
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(users, ['postgres', 'monitor', 'actor', 'app'].map((user) => `"${user}" ""\n`).join(''));
  writeFileSync(file, configuration({ server, port, users }));
  // It refuses to run as root, as PostgreSQL does.
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  for (const path of account.uid ? [folder, users, file] : []) chownSync(path, 65_534, 65_534);
  const child = spawn(program, [file], { stdio: 'ignore', cwd: '/', ...account });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const url = (database: string, user: string) => `postgres://${user}@127.0.0.1:${port}/${database}?sslmode=disable`;
  await until('pgbouncer to answer', () => isAnswering(url('postgres', 'postgres')));
  return {
    url,
    stop: async () => {
      process.off('exit', kill);
      kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration({ server, port, users }: { server: Server; port: number; users: string }): string {
  return `[databases]
* = host=${server.host} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
`;
}

async function isAnswering(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } finally {
    await client.end();
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // it isn't there, or isn't for us
  }
}
