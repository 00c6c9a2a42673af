import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../src/demo/server.ts';
import { Reader } from '../../src/targets/reader.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'].find(existsSync);
const folder = mkdtempSync(join(tmpdir(), 'pgorderly-pgbouncer-'));
const databases = new Map<number, Database>();
const readers: Reader[] = [];
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
  await until('PgBouncer', () => reader(`pg${majors[0]}`).probe());
});

afterEach(() => Promise.all(readers.splice(0).map((one) => one.close())));

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

function reader(name: string): Reader {
  const opened = new Reader({ name: 'db1', url: `postgres://monitor@127.0.0.1:${port}/${name}` });
  readers.push(opened);
  return opened;
}

describe.each(majors)('through PgBouncer in transaction mode, PostgreSQL %i', (major) => {
  beforeEach(({ skip }) => skip(!program, 'pgbouncer is not installed'));
  const run = async (sql: string, params?: unknown[]) => (await databases.get(major)?.run(sql, params))?.rows;

  it('answers a probe, and tells the server process behind the pooler', async () => {
    const asking = reader(`pg${major}`);
    expect(await asking.probe()).toMatchObject({ role: 'monitor', seesAll: true });
    const rows = await run('select usename from pg_stat_activity where pid = any($1)', [asking.pids()]);
    expect(rows).toEqual([{ usename: 'monitor' }]);
  });

  it('keeps the bounds of each question apart, though readers share server processes', async () => {
    const four = [1, 2, 3, 4].map(() => reader(`pg${major}`));
    const sql = `select current_setting('statement_timeout') as timeout, pg_backend_pid() as pid, $1::int as n,
                        pg_sleep(0.01)`;
    const asked = Array.from({ length: 24 }, async (_, at) => {
      const rows = await four[at % 4]?.ask(sql, [at], { statementTimeoutMs: 1001 + at });
      expect(rows).toEqual([expect.objectContaining({ timeout: `${1001 + at}ms`, n: at })]);
      return rows?.[0]?.['pid'];
    });
    expect(new Set(await Promise.all(asked)).size).toBeLessThanOrEqual(2);
  });

  it('leaves no transaction open after a timeout, and goes on', async () => {
    const asking = reader(`pg${major}`);
    const slow = asking.ask('select pg_sleep(5)', [], { statementTimeoutMs: 100 });
    await expect(slow).rejects.toMatchObject({ code: 'query-timeout' });
    const open = await run(
      "select pid from pg_stat_activity where usename = 'monitor' and datname = current_database() and xact_start is not null",
    );
    expect(open).toEqual([]);
    expect((await asking.probe()).role).toBe('monitor');
  });
});

it('a database that PgBouncer does not know is told as the pooler says it', async ({ skip }) => {
  skip(!program, 'pgbouncer is not installed');
  await expect(reader('nowhere').probe()).rejects.toMatchObject({
    code: 'target-unreachable',
    message: expect.stringContaining('nowhere'),
    hint: expect.stringContaining('pooler'),
  });
});
