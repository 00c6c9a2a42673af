import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../src/demo/server.ts';
import { Reader } from '../../src/targets/reader.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'].find(existsSync);
const folder = mkdtempSync(join(tmpdir(), 'pgorderly-pgbouncer-'));
const databases = new Map<number, Database>();
let port = 0;
let pooler: ChildProcess | null = null;

beforeAll(async () => {
  if (!program) return;
  for (const major of majors) databases.set(major, await createDatabase(major));
  port = await freePort();
  pooler = spawn(program, ['-q', writeConfig()], {
    ...(process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}),
    cwd: '/',
    stdio: 'ignore',
  });
  const [major] = majors;
  await until('PgBouncer', () => withReaders(1, `pg${major}`, ([reader]) => reader?.probe()));
});

afterAll(async () => {
  if (pooler && pooler.exitCode === null) {
    pooler.kill('SIGQUIT');
    await once(pooler, 'exit');
  }
  rmSync(folder, { recursive: true });
});

/** Two server connections for each database, in transaction mode, with what PgBouncer does by default. */
function writeConfig(): string {
  const lines = [...databases].map(
    ([major, { server, name }]) => `pg${major} = host=127.0.0.1 port=${server.port} dbname=${name}`,
  );
  const users = join(folder, 'users.txt');
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(users, '"monitor" ""\n');
  writeFileSync(
    file,
    `[databases]\n${lines.join('\n')}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}
unix_socket_dir =\nauth_type = trust\nauth_file = ${users}\npool_mode = transaction\ndefault_pool_size = 2\n`,
  );
  for (const path of [users, file]) chmodSync(path, 0o644);
  chmodSync(folder, 0o755);
  return file;
}

async function withReaders<T>(count: number, name: string, work: (readers: Reader[]) => Promise<T>): Promise<T> {
  const url = `postgres://monitor@127.0.0.1:${port}/${name}`;
  const readers = Array.from({ length: count }, () => new Reader({ name: 'db1', url }));
  try {
    return await work(readers);
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
  }
}

describe.each(majors)('through PgBouncer in transaction mode, PostgreSQL %i', (major) => {
  beforeEach(({ skip }) => skip(!program, 'pgbouncer is not installed'));

  it('answers a probe, and tells the server process behind the pooler', () =>
    withReaders(1, `pg${major}`, async ([reader]) => {
      const probe = await reader?.probe();
      expect(probe).toMatchObject({ role: 'monitor', seesAll: true, database: databases.get(major)?.name });
      const { rows } = (await databases
        .get(major)
        ?.run('select usename from pg_stat_activity where pid = any($1)', [reader?.pids()])) ?? { rows: [] };
      expect(rows).toEqual([{ usename: 'monitor' }]);
    }));

  it('keeps the bounds of each question apart, though readers share server processes', () =>
    withReaders(4, `pg${major}`, async (readers) => {
      const sql = `select current_setting('statement_timeout') as timeout, pg_backend_pid() as pid, $1::int as n,
                          pg_sleep(0.01)`;
      const asked = Array.from({ length: 24 }, async (_, at) => {
        const bounds = { statementTimeoutMs: 1000 + at };
        const [row] = (await readers[at % 4]?.ask(sql, [at], bounds)) ?? [];
        expect(row).toMatchObject({ timeout: `${at === 0 ? '1s' : `${1000 + at}ms`}`, n: at });
        return row?.['pid'];
      });
      expect(new Set(await Promise.all(asked)).size).toBeLessThanOrEqual(2);
    }));

  it('leaves nothing behind for the next client: no setting, no transaction', () =>
    withReaders(1, `pg${major}`, async ([reader]) => {
      await expect(reader?.ask('select pg_sleep(5)', [], { statementTimeoutMs: 100 })).rejects.toMatchObject({
        code: 'query-timeout',
      });
      const { rows } = (await databases.get(major)?.run(
        `select count(*)::int as open from pg_stat_activity where usename = 'monitor' and xact_start is not null
            and datname = current_database()`,
      )) ?? { rows: [] };
      expect(rows).toEqual([{ open: 0 }]);
      expect((await reader?.probe())?.role).toBe('monitor');
    }));
});

it('a database that PgBouncer does not know is told as the pooler says it', async ({ skip }) => {
  skip(!program, 'pgbouncer is not installed');
  await withReaders(1, 'nowhere', async ([reader]) => {
    await expect(reader?.probe()).rejects.toMatchObject({
      code: 'target-unreachable',
      message: expect.stringContaining('nowhere'),
      hint: expect.stringContaining('pooler'),
    });
  });
});
