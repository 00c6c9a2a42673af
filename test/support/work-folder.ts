import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../src/errors.ts';

const prefix = 'pgorderly-test-';

/**
 * A folder for the servers of this process, and of any account. Each server removes its own folder when this process
 * ends (see its tether); what it may not remove, the next process does here. Only from the dead: the folder of one
 * that lives is empty now and then, too.
 */
export function makeWorkFolder(root: string): string {
  for (const name of readdirSync(root)) if (isOfTheDead(name)) remove(join(root, name));
  const folder = mkdtempSync(join(root, `${prefix}${process.pid}-`));
  chmodSync(folder, 0o777);
  return folder;
}

function isOfTheDead(name: string): boolean {
  const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split('-')[0]) : 0;
  return pid > 0 && !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH'; // EPERM: another user's
  }
}

function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Another user's, or another process is at it.
  }
}
