import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PgorderlyError } from '../errors.ts';

/** Whom the server runs as: PostgreSQL refuses root, and needs a user that /etc/passwd knows. */
export interface Account {
  uid?: number;
  gid?: number;
}

export interface Binaries {
  major: number;
  version: string;
  initdb: string;
  postgres: string;
  account: Account;
}

const nobody: Account = { uid: 65_534, gid: 65_534 };
/** Copies of binaries that the account could not reach where they are installed, by package version. */
const copies = new Map<string, { folder: string; users: number; tether: ChildProcess }>();

/** Finds the embedded server of a major, where its account can run it. Throws server-binaries-missing. */
export function takeBinaries(major: number): Binaries {
  const home = locate(major);
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string };
  makeLinks(home);
  const account: Account = process.getuid?.() === 0 ? nobody : {};
  const native = account.uid === undefined || isReachable(home) ? join(home, 'native') : copyOf(home, version);
  const bin = (name: string) => join(native, 'bin', name);
  return { major, version, initdb: bin('initdb'), postgres: bin('postgres'), account };
}

/** Removes the copy that these binaries were, once nobody uses it. */
export function releaseBinaries(binaries: Binaries): void {
  const copy = copies.get(binaries.version);
  if (!copy?.folder || !binaries.postgres.startsWith(copy.folder)) return;
  copy.users -= 1;
  if (copy.users > 0) return;
  copies.delete(binaries.version);
  rmSync(copy.folder, { recursive: true, force: true });
  copy.tether.stdio[3]?.destroy();
}

/**
 * Makes a data folder by initdb, or as a copy of one that was made before, which lies at `templates` with the version
 * of the package after its name.
 */
export async function makeData(binaries: Binaries, data: string, templates?: string): Promise<void> {
  const template = templates && `${templates}-${binaries.version}`;
  if (template && existsSync(template)) return run('cp', ['-a', template, data], binaries.account);
  run(
    binaries.initdb,
    ['-D', data, '-U', 'postgres', '--auth=trust', '-N', '-E', 'UTF8', '--no-locale'],
    binaries.account,
  );
  if (!template) return;
  const fresh = `${template}.${process.pid}`;
  run('cp', ['-a', data, fresh], binaries.account);
  // Two processes may race: whoever comes second finds the folder there, and drops its own.
  await rename(fresh, template).catch(() => rmSync(fresh, { recursive: true, force: true }));
}

function locate(major: number): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(`pg${major}`)));
  } catch (cause) {
    throw new PgorderlyError(
      'server-binaries-missing',
      `there is no embedded PostgreSQL ${major} for ${process.platform}-${process.arch}`,
      {
        hint: 'It is installed by npm ci in a clone, on Linux x64. Elsewhere: pgorderly start with a server of your own.',
        cause,
      },
    );
  }
}

/** The package's own links to its libraries, where its install script was not allowed to make them. */
function makeLinks(home: string): void {
  const list = join(home, 'native', 'pg-symlinks.json');
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(home, target);
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
}

/** Whether everybody may pass through all folders above: root's home, for one, is closed. */
function isReachable(path: string): boolean {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder))
    if ((statSync(folder).mode & 0o005) !== 0o005) return false;
  return true;
}

function copyOf(home: string, version: string): string {
  const known = copies.get(version);
  if (known) {
    known.users += 1;
    return join(known.folder, 'native');
  }
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-binaries-'));
  run('cp', ['-r', '--preserve=links,mode', join(home, 'native'), folder], {});
  run('chmod', ['-R', 'a+rX', folder], {});
  copies.set(version, { folder, users: 1, tether: tie(folder) });
  return join(folder, 'native');
}

/** Removes the folder when this process ends, even by kill -9 (compare the server's tether). */
function tie(folder: string): ChildProcess {
  const tether = spawn('/bin/sh', ['-c', 'cat <&3 >/dev/null; rm -rf "$0"', folder], {
    cwd: '/',
    env: { PATH: process.env['PATH'] },
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  tether.unref();
  if (tether.stdio[3] instanceof Socket) tether.stdio[3].unref();
  return tether;
}

function run(command: string, args: string[], account: Account): void {
  const { status, stderr, error } = spawnSync(command, args, { ...account, cwd: '/', encoding: 'utf8', env: {} });
  if (status === 0) return;
  const said = (error?.message ?? stderr).trim().split('\n').slice(-3).join(' ');
  throw new PgorderlyError('demo-failed', `${basename(command)} failed: ${said}`);
}
