import type { ClientConfig } from 'pg';
import { PgorderlyError } from '../errors.ts';
import { findPassword } from './password-file.ts';
import { type Environment, readSettings, type Settings } from './settings.ts';
import { resolveTls, type Tls } from './tls.ts';
import { invalidUrl } from './uri.ts';

/** Good for pg as it is. Only `connect` heeds `prefersTls`; for a plain pg client such a connection is unencrypted. */
export type ResolvedUrl = ClientConfig & Pick<Tls, 'prefersTls'> & { connectionTimeoutMillis: number };

const defaultConnectSeconds = 5;

/**
 * What libpq would make of the URL, service files and password files included: pg by itself ignores PGSERVICE and
 * connects to localhost, takes `h1,h2` for one host and `require` for `verify-full`.
 * A URL without host is refused: libpq would silently take whatever server listens on this machine's socket.
 * `into` is the database in place of the URL's own. Reads files each time, so that a changed password is found by the next connection. Throws target-url-invalid.
 */
export function resolveUrl(url: string, environment: Environment = process.env, into?: string): ResolvedUrl {
  const settings = readSettings(url, environment);
  const { host, port, user, options } = settings;
  if (host === undefined) throw missingHost();
  const account = { host, port, user, database: into ?? settings.dbname ?? user };
  return {
    ...account,
    port: Number(port),
    password: settings.password ?? passwordFromFile(account, settings, environment),
    connectionTimeoutMillis: connectSeconds(settings) * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(options === undefined ? {} : { options }),
    ...resolveTls(settings, environment),
  };
}

/** user@host:port/database for people; never a password, and never throws. */
export function describeUrl(url: string, environment: Environment = process.env, into?: string): string {
  try {
    const { user, host = '(no host)', port, dbname } = readSettings(url, environment);
    return `${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${into ?? dbname ?? user}`;
  } catch {
    // Whatever can't be read may hold the password in the wrong place.
    return '(unreadable URL)';
  }
}

/** pg asks for the password only when the server does: that is the moment to say that there is none. */
function passwordFromFile(
  account: { host: string; port: string; database: string; user: string },
  settings: Settings,
  environment: Environment,
): string | (() => never) {
  const { password, ignored } = findPassword(account, settings.passfile, environment);
  if (password !== null) return password;
  return () => {
    throw new PgorderlyError('target-auth', `The server asks ${account.user} for a password, and none was given.`, {
      hint: ignored ?? 'Put it into the URL, PGPASSWORD, PGPASSFILE or ~/.pgpass.',
    });
  };
}

/** 0 is "for ever" to libpq; a watcher must not wait for ever, so that it means the default. */
function connectSeconds(settings: Settings): number {
  const given = settings.connect_timeout ?? '0';
  if (!/^\d{1,3}$/.test(given)) {
    throw invalidUrl('connect_timeout is not a number of seconds below 1000.', 'Leave it out for the default, 5 s.');
  }
  return Number(given) || defaultConnectSeconds;
}

function missingHost(): PgorderlyError {
  return invalidUrl(
    'The connection URL names no host, and PGHOST is not set.',
    'Name it: postgres://bot@db1.example.com/postgres, or ?host=/var/run/postgresql for a socket on this machine.',
  );
}
