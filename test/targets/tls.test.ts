import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import { Reader } from '../../src/targets/reader.ts';
import { newest, ownServer } from '../support/servers.ts';

const openssl = ['/usr/bin/openssl', '/usr/local/bin/openssl', '/opt/homebrew/bin/openssl'].find(existsSync);
const folder = mkdtempSync(join(tmpdir(), 'pgorderly-tls-'));
const root = join(folder, 'root.crt');
let server: Server | null = null;

beforeAll(async () => {
  if (!openssl) return;
  makeCertificates(openssl);
  const settings = { ssl: 'off', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' };
  server = await ownServer(newest, settings);
  const { uid, gid } = statSync(server.data);
  for (const name of ['server.crt', 'server.key']) {
    const copy = join(server.data, name);
    copyFileSync(join(folder, name), copy);
    chmodSync(copy, 0o600);
    await chown(copy, uid, gid);
  }
});

afterAll(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true });
});

beforeEach(({ skip }) => skip(!openssl, 'openssl is not installed'));

/** A root, and a server's certificate for "localhost" that it signed. */
function makeCertificates(program: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost\n');
  for (const command of [
    ['req', '-x509', ...key, '-keyout', 'root.key', '-out', 'root.crt', '-days', '2', '-subj', '/CN=test root'],
    ['req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost'],
    'x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 2 -extfile names -out server.crt'.split(
      ' ',
    ),
  ]) {
    const { status, stderr } = spawnSync(program, command, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl failed: ${stderr}`);
  }
}

/** Whether the connection is encrypted, else the code of the error. */
async function encryption(host: string, parameters: string): Promise<unknown> {
  const reader = new Reader({ name: 'db1', url: `postgres://monitor@${host}:${server?.port}/postgres?${parameters}` });
  try {
    const [row] = await reader.ask('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return row?.['ssl'];
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await reader.close();
  }
}

it.each([
  ['', false],
  ['sslmode=prefer', false],
  ['sslmode=disable', false],
  ['sslmode=require', 'target-unreachable'],
])('of a server without TLS, "%s" makes %s', async (parameters, expected) => {
  expect(await encryption('127.0.0.1', parameters)).toBe(expected);
});

it('of a server with TLS, each sslmode means what it means to libpq', async () => {
  const reader = new Reader({ name: 'db1', url: server?.url() ?? '' });
  writeFileSync(join(server?.data ?? '', 'postgresql.auto.conf'), "ssl = 'on'\n", { flag: 'a' });
  await reader.ask('select pg_reload_conf()');
  await expect.poll(() => encryption('localhost', ''), { timeout: 30_000 }).toBe(true);
  await reader.close();
  for (const [host, parameters, expected] of [
    ['localhost', 'sslmode=prefer', true],
    ['localhost', 'sslmode=disable', false],
    ['localhost', 'sslmode=require', true],
    ['127.0.0.1', `sslmode=verify-ca&sslrootcert=${root}`, true],
    ['localhost', `sslmode=verify-full&sslrootcert=${root}`, true],
    ['127.0.0.1', `sslmode=verify-full&sslrootcert=${root}`, 'target-unreachable'],
    ['localhost', 'sslrootcert=system', 'target-unreachable'],
    ['localhost', `sslmode=require&sslrootcert=${join(folder, 'server.crt')}`, 'target-unreachable'],
    ['localhost', `sslmode=require&sslcert=${root}&sslkey=${join(folder, 'server.key')}`, 'target-url-invalid'],
  ] as const) {
    expect([host, parameters, await encryption(host, parameters)]).toEqual([host, parameters, expected]);
  }
});
