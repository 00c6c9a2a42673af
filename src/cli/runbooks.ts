import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PgorderlyError } from '../errors.ts';
import { loadRunbooks, runbooksFolder } from '../remedy/library.ts';
import { parseRunbook } from '../remedy/runbook.ts';

/** `pgorderly runbooks list`: what can be done about it. */
export async function listRunbooks(): Promise<string> {
  const runbooks = await loadRunbooks(runbooksFolder);
  return [...runbooks.values()]
    .map(({ name, title, risk, class: kind, params }) => {
      const typed = Object.entries(params).map(([param, { type, about }]) => `    ${param} (${type}) ${about}`);
      return [`${name}  ${title}`, `    risk ${risk}, class ${kind}`, ...typed].join('\n');
    })
    .join('\n\n');
}

/** `pgorderly runbooks check [folder]`: every problem of every file, and the exit code. Throws usage for no folder. */
export function checkRunbooks(folder = runbooksFolder): { lines: string[]; exitCode: 0 | 1 } {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new PgorderlyError('usage', `${folder} is not a folder`, { hint: 'Name a folder with runbooks in it.' });
  const files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md');
  const problems = files.flatMap((file) => {
    const path = join(folder, file);
    return parseRunbook(readFileSync(path, 'utf8'), path).problems;
  });
  const count = files.length === 1 ? '1 runbook' : `${files.length} runbooks`;
  const last = problems.length === 0 ? `${folder}: ${count}, no problem` : `${folder}: ${problems.length} problems`;
  return { lines: [...problems, last], exitCode: problems.length === 0 ? 0 : 1 };
}
