import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PgorderlyError } from '../errors.ts';
import { parseRunbook, type Runbook } from './runbook.ts';

/** Those that come with pgorderly, found from the package's root. */
export const runbooksFolder = fileURLToPath(import.meta.resolve('#package/runbooks'));

/** All runbooks of a folder by name. Throws runbook-invalid with every problem of every file. */
export async function loadRunbooks(folder: string): Promise<ReadonlyMap<string, Runbook>> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.md') && file !== 'README.md').sort();
  const parsed = await Promise.all(
    files.map(async (file) => parseRunbook(await readFile(join(folder, file), 'utf8'), `${basename(folder)}/${file}`)),
  );
  const problems = parsed.flatMap((one) => one.problems);
  if (problems.length > 0) {
    const hint = 'The format is described in runbooks/README.md.';
    throw new PgorderlyError('runbook-invalid', problems.join('\n'), { hint });
  }
  return new Map(parsed.flatMap(({ runbook }) => (runbook ? [[runbook.name, runbook]] : [])));
}
