import { randomBytes } from 'node:crypto';

/** One id that follows a click to its outcome, in the logs and in the run. */
export function newTrace(): string {
  return randomBytes(6).toString('hex');
}
