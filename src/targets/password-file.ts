import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './settings.ts';

interface Account {
  host: string;
  port: string;
  database: string;
  user: string;
}

/** `ignored` says why a file that is there was not used. */
export interface PasswordLookup {
  password: string | null;
  ignored: string | null;
}

/**
 * The password of the first line that fits, by libpq's rules. pg's own look-up is deprecated, writes warnings to stderr
 * by itself, and reads `process.env` only.
 * https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
export function findPassword(account: Account, file: string | undefined, environment: Environment): PasswordLookup {
  const path = file ?? join(environment['HOME'] ?? homedir(), '.pgpass');
  const ignored = whyIgnored(path);
  if (ignored !== null) return { password: null, ignored };
  const wanted = [hostOf(account), account.port, account.database, account.user];
  for (const line of readLines(path)) {
    const fields = fieldsOf(line);
    const password = fields[4];
    if (password && wanted.every((value, at) => fields[at] === '*' || fields[at] === value)) {
      return { password, ignored: null };
    }
  }
  return { password: null, ignored: null };
}

/** Sockets in the usual folders are written "localhost" in a password file. */
function hostOf({ host }: Account): string {
  return host === '/tmp' || host === '/var/run/postgresql' || host === '/run/postgresql' ? 'localhost' : host;
}

function whyIgnored(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return null;
  if (!stats.isFile()) return `${path} is not a plain file, so it was not used.`;
  if ((stats.mode & 0o077) !== 0) return `${path} can be read by others, so it was not used: chmod 0600 ${path}`;
  return null;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/);
  } catch {
    // As in libpq: a file that can't be read has no passwords; the server then says that one is missing.
    return [];
  }
}

function fieldsOf(line: string): string[] {
  if (line.startsWith('#')) return [];
  const fields = line.match(/(?:\\.|[^:\\])*\\?(?::|$)/g) ?? [];
  return fields.map((field) => field.replace(/:$/, '').replace(/\\(.)/g, '$1'));
}
