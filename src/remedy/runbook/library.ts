import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf, PgorderlyError } from '../../errors.ts';
import { checkFollowUps } from './follow-ups.ts';
import { parseRunbook, type Runbook } from './runbook.ts';

/** Those that come with pgorderly, found from the package's root. */
export const runbooksFolder = fileURLToPath(import.meta.resolve('#package/runbooks'));

type Runbooks = ReadonlyMap<string, Runbook>;

interface Folder {
  /** Of files, with those that are wrong. */
  count: number;
  runbooks: Runbooks;
  problems: string[];
}

/** All runbooks of a folder by name. Throws runbook-invalid with every problem of every file. */
export async function loadRunbooks(folder: string): Promise<Runbooks> {
  const { runbooks, problems } = await readFolder(folder);
  return orThrow(runbooks, problems);
}

/** Ours, and beside them those of the user's folder, if there is one. Throws runbook-invalid with every problem. */
export async function loadLibrary(own: string | null): Promise<Runbooks> {
  const ours = await loadRunbooks(runbooksFolder);
  if (own === null) return ours;
  const { runbooks, problems } = await readBeside(own, ours);
  return orThrow(new Map([...ours, ...runbooks]), problems);
}

/** A user's folder and all that is wrong with it; files are named as `folder` is. */
export async function readBeside(folder: string, ours: Runbooks): Promise<Folder> {
  const read = await readFolder(folder, folder);
  const known = new Map([...ours, ...read.runbooks]);
  const problems = [...read.runbooks.values()].flatMap((runbook) => {
    const taken: [number, string][] = ours.has(runbook.name)
      ? [[1, `pgorderly comes with a runbook ${runbook.name}; give this one another name`]]
      : [];
    return [...taken, ...checkFollowUps(runbook, known)].map(
      ([line, message]) => `${runbook.file}:${line}: ${message}`,
    );
  });
  return { ...read, problems: [...read.problems, ...problems] };
}

async function readFolder(folder: string, shownAs = basename(folder)): Promise<Folder> {
  const files = await listFiles(folder);
  const parsed = await Promise.all(
    files.map(async (file) => parseRunbook(await readFile(join(folder, file), 'utf8'), `${shownAs}/${file}`)),
  );
  return {
    count: files.length,
    runbooks: new Map(parsed.flatMap(({ runbook }) => (runbook ? [[runbook.name, runbook]] : []))),
    problems: parsed.flatMap((one) => one.problems),
  };
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    const message = `the folder of runbooks ${folder} cannot be read (${codeOf(cause)})`;
    throw new PgorderlyError('runbook-invalid', message, { cause, hint: 'Name a folder with files <name>.md in it.' });
  });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  return files.filter((file) => file.endsWith('.md') && file !== 'README.md').sort();
}

function orThrow(runbooks: Runbooks, problems: readonly string[]): Runbooks {
  if (problems.length === 0) return runbooks;
  const hint = 'The format is described in runbooks/README.md.';
  throw new PgorderlyError('runbook-invalid', problems.join('\n'), { hint });
}
