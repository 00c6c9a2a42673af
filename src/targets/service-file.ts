import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './settings.ts';
import { invalidUrl } from './uri.ts';

interface Where {
  file: string | undefined;
  environment: Environment;
}

/**
 * The parameters of `[name]` in the service file: the given one or ~/.pg_service.conf, then PGSYSCONFDIR's.
 * https://www.postgresql.org/docs/current/libpq-pgservice.html
 */
export function readService(name: string, where: Where): Map<string, string> {
  const files = serviceFiles(where);
  for (const file of files) {
    const section = sectionOf(file, name);
    if (section) return section;
  }
  throw invalidUrl(
    'The service that the connection URL or PGSERVICE names is not defined.',
    `Looked for it in ${files.join(' and ')}; PGSERVICEFILE names another file.`,
  );
}

function serviceFiles({ file, environment }: Where): string[] {
  const own = file ?? join(environment['HOME'] ?? homedir(), '.pg_service.conf');
  const system = environment['PGSYSCONFDIR'];
  return system ? [own, join(system, 'pg_service.conf')] : [own];
}

function sectionOf(file: string, name: string): Map<string, string> | null {
  const lines = readLines(file);
  const start = lines.indexOf(`[${name}]`);
  if (start < 0) return null;
  const section = new Map<string, string>();
  for (const [offset, line] of lines.slice(start + 1).entries()) {
    if (line.startsWith('[')) break;
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(equals, 0));
    // libpq refuses a service within a service as well; ldap: lines need a directory that we don't ask.
    if (equals < 1 || key === 'service' || key === 'servicefile') throw badLine(file, start + offset + 2);
    // The first of two wins, as in libpq.
    if (!section.has(key) && equals < line.length - 1) section.set(key, line.slice(equals + 1));
  }
  return section;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim());
  } catch {
    // A file that isn't there defines no service; the caller says where it looked.
    return [];
  }
}

function badLine(file: string, line: number) {
  return invalidUrl(
    `Line ${line} of ${file} is not of the form name=value.`,
    'See the manual, "The Connection Service File".',
  );
}
