import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';

const program = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'psql'))
  .find(isExecutable);

export function psqlAvailable(): boolean {
  return program !== undefined;
}

/**
 * Gives psql a statement to read, as from a file, with its variables; what it sent to the server and then the rows, as
 * `psql -eAt` prints them, or the SQLSTATE it ended with.
 */
export async function runPsql(
  url: string,
  { sql, variables }: { sql: string; variables: Readonly<Record<string, string>> },
): Promise<string> {
  if (!program) throw new Error('psql is not installed');
  const settings = { ON_ERROR_STOP: '1', VERBOSITY: 'sqlstate', ...variables };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const child = spawn(program, ['-X', '-q', '-e', '-A', '-t', ...options, '-f', '-', url], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], PGAPPNAME: 'test', PGCLIENTENCODING: 'UTF8' },
  });
  child.stdin.end(sql);
  const [out, problems] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return `${out}${/ERROR: {2}(\w{5})/.exec(problems)?.[1] ?? problems}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // it isn't there, or isn't for us
  }
}
