import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cache = new Map<string, string>();

/** The text of `jobs/<job>.sql` or `jobs/<job>.<statement>.sql`, found from the package's root. */
export function readStatement(job: string, statement?: string): string {
  const file = statement ? `${job}.${statement}.sql` : `${job}.sql`;
  const cached = cache.get(file);
  if (cached !== undefined) return cached;
  const text = readFileSync(fileURLToPath(import.meta.resolve(`#package/jobs/${file}`)), 'utf8');
  cache.set(file, text);
  return text;
}
