import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import type { Environment, Settings } from './settings.ts';
import { invalidUrl } from './uri.ts';

export interface Tls {
  /** Ready for pg. */
  ssl: false | ConnectionOptions;
  /** TLS first, plain if the server has none: libpq's default. pg can't do that, `connect` can. */
  prefersTls: boolean;
}

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/**
 * sslmode with libpq's meaning, where pg takes `require` for `verify-full`. `allow` is kept as `prefer`, which is
 * stronger. https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
 */
export function resolveTls(settings: Settings, environment: Environment): Tls {
  const trustsSystem = settings.sslrootcert === 'system';
  const mode = settings.sslmode ?? (trustsSystem ? 'verify-full' : 'prefer');
  if (!modes.includes(mode)) throw invalidUrl('sslmode has an unknown value.', `Known are ${modes.join(', ')}.`);
  if (trustsSystem && mode !== 'verify-full') {
    throw invalidUrl('sslrootcert=system is only safe with sslmode=verify-full.', 'Write sslmode=verify-full.');
  }
  // As in libpq, a Unix socket is never encrypted, whatever the mode.
  if (mode === 'disable' || settings.host?.startsWith('/')) return { ssl: false, prefersTls: false };
  if (mode === 'prefer' || mode === 'allow') return { ssl: false, prefersTls: true };
  return { ssl: verification(mode, settings, environment), prefersTls: false };
}

function verification(mode: string, settings: Settings, environment: Environment): ConnectionOptions {
  const folder = join(environment['HOME'] ?? homedir(), '.postgresql');
  const files = certificateFiles(settings, folder);
  const ca = settings.sslrootcert === 'system' ? undefined : files.ca;
  if (ca === undefined && settings.sslrootcert !== 'system') {
    if (mode !== 'require') throw missingRoot(mode, folder);
    return usable({ ...files, rejectUnauthorized: false });
  }
  // `require` with a root certificate at hand verifies it, as `verify-ca` does: libpq's own rule.
  if (mode === 'verify-full') return usable({ ...files, ca, rejectUnauthorized: true });
  return usable({ ...files, ca, rejectUnauthorized: true, checkServerIdentity: () => undefined });
}

function certificateFiles(settings: Settings, folder: string): ConnectionOptions {
  const root = settings.sslrootcert === 'system' ? undefined : settings.sslrootcert;
  return {
    ca: readGiven('sslrootcert', root) ?? readIfThere(join(folder, 'root.crt')),
    cert: readGiven('sslcert', settings.sslcert) ?? readIfThere(join(folder, 'postgresql.crt')),
    key: readGiven('sslkey', settings.sslkey) ?? readIfThere(join(folder, 'postgresql.key')),
    passphrase: settings.sslpassword,
  };
}

function readGiven(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw invalidUrl(`The file of ${name} cannot be read: ${path}`, 'Check the path and its permissions.');
  }
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readGiven('the default certificate', path) : undefined;
}

function missingRoot(mode: string, folder: string) {
  return invalidUrl(
    `sslmode=${mode} needs a root certificate, and neither sslrootcert nor ${join(folder, 'root.crt')} gives one.`,
    'Add sslrootcert=/path/to/root.crt, or sslmode=verify-full&sslrootcert=system for a publicly signed certificate.',
  );
}

/** A broken certificate is told now, and not as an obscure failure of each connection. */
function usable(options: ConnectionOptions): ConnectionOptions {
  try {
    createSecureContext(options);
    return options;
  } catch {
    // OpenSSL's text helps nobody, and may quote the file.
    throw invalidUrl(
      'The files of sslrootcert, sslcert and sslkey cannot be used together.',
      'They must be PEM, the key must belong to the certificate, and sslpassword must open it.',
    );
  }
}
