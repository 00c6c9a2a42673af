import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { jobs } from '../../jobs/index.ts';
import { suggest } from '../config/nearest.ts';
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

/** `pgorderly runbooks check [folder]`: every problem of every file, and the exit code. Throws usage for no runbook. */
export function checkRunbooks(folder = runbooksFolder): { lines: string[]; exitCode: 0 | 1 } {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new PgorderlyError('usage', `${folder} is not a folder`, { hint: 'Name a folder with runbooks in it.' });
  const files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md');
  if (files.length === 0)
    throw new PgorderlyError('usage', `${folder} holds no runbook`, { hint: 'A runbook is a file <name>.md.' });
  const problems = files.sort().flatMap((file) => checkFile(join(folder, file)));
  const last = problems.length === 0 ? 'no problem' : plural(problems.length, 'problem');
  return {
    lines: [...problems, `${folder}: ${plural(files.length, 'runbook')}, ${last}`],
    exitCode: problems.length === 0 ? 0 : 1,
  };
}

function checkFile(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const { runbook, problems } = parseRunbook(text, file);
  const known = [...jobs.map((job) => job.name), 'manual'];
  const line = text.split('\n').findIndex((each) => each.startsWith('for:')) + 1;
  const unknown = (runbook?.for ?? []).filter((name) => !known.includes(name));
  return [
    ...problems,
    ...unknown.map((name) => `${file}:${line}: there is no job ${name}; ${suggest(name, known) ?? known.join(', ')}`),
  ];
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
