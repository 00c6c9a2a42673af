import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again until `look` gives something other than undefined, null or false, and returns that. Fails after the
 * deadline with what was awaited and what was seen last.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = 30_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen as NonNullable<Exclude<T, false>>;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`waited ${deadlineMs / 1000} s in vain for ${what}; last: ${String(last)}`, { cause: last });
    await sleep(20);
  }
}
