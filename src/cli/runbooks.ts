import { readFileSync, realpathSync, statSync } from 'node:fs';
import { jobs } from '../../jobs/index.ts';
import { readConfig } from '../config/load.ts';
import { suggest } from '../config/nearest.ts';
import { PgorderlyError } from '../errors.ts';
import { loadLibrary, loadRunbooks, readBeside, runbooksFolder } from '../remedy/runbook/library.ts';
import { describeType } from '../remedy/runbook/params.ts';
import type { Runbook } from '../remedy/runbook/runbook.ts';

/** `pgorderly runbooks list`: what can be done about it; with a configuration, also by the runbooks of its own folder. */
export async function listRunbooks({ config }: { config?: string }): Promise<string> {
  const own = config === undefined ? null : readConfig(config, { env: process.env, jobs }).runbooks;
  const runbooks = await loadLibrary(own);
  return [...runbooks.values()].map(describe).join('\n\n');
}

function describe({ name, title, risk, class: kind, params }: Runbook): string {
  const typed = Object.entries(params).map(([param, one]) => `    ${param} (${describeType(param, one)}) ${one.about}`);
  return [`${name}  ${title}`, `    risk ${risk}, class ${kind}`, ...typed].join('\n');
}

/** `pgorderly runbooks check [folder]`: every problem of every file, and the exit code. Throws usage for no runbook. */
export async function checkRunbooks(folder = runbooksFolder): Promise<{ lines: string[]; exitCode: 0 | 1 }> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new PgorderlyError('usage', `${folder} is not a folder`, { hint: 'Name a folder with runbooks in it.' });
  const isOurs = realpathSync(folder) === realpathSync(runbooksFolder);
  const read = await readBeside(folder, isOurs ? new Map() : await loadRunbooks(runbooksFolder));
  if (read.count === 0)
    throw new PgorderlyError('usage', `${folder} holds no runbook`, { hint: 'A runbook is a file <name>.md.' });
  const ofJobs = [...read.runbooks.values()].flatMap((runbook) => checkJobs(runbook, isOurs));
  const problems = [...read.problems, ...ofJobs].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const last = problems.length === 0 ? 'no problem' : plural(problems.length, 'problem');
  return {
    lines: [...problems, `${folder}: ${plural(read.count, 'runbook')}, ${last}`],
    exitCode: problems.length === 0 ? 0 : 1,
  };
}

/** A job offers by name what comes with pgorderly; no other is ever offered. */
function checkJobs({ file, for: names }: Runbook, isOurs: boolean): string[] {
  const known = [...jobs.map((job) => job.name), 'manual'];
  const line =
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((each) => each.startsWith('for:')) + 1;
  return names.flatMap((name) => {
    if (!known.includes(name))
      return [`${file}:${line}: there is no job ${name}; ${suggest(name, known) ?? known.join(', ')}`];
    if (isOurs || name === 'manual') return [];
    return [`${file}:${line}: ${name} offers no runbook of your own; write for: [manual], and ask for it by /pg run`];
  });
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
