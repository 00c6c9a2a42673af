import { setTimeout as sleep } from 'node:timers/promises';
import { errorFields, type Logger } from '../log.ts';

/** Runs the parts now and then again and again, one at a time; a part that fails is logged and keeps no other from its turn. */
export function repeat(
  parts: readonly (() => Promise<unknown>)[],
  everyMs: number,
  log: Logger,
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const { signal } = stopped;
  const turns = async () => {
    while (!signal.aborted) {
      for (const part of parts)
        if (!signal.aborted)
          await part().catch((error) => log.error(errorFields(error), 'sweep failed; the next one tries again'));
      await sleep(everyMs, undefined, { signal }).catch(() => {
        // Stopped, as the loop sees by itself.
      });
    }
  };
  const ended = turns();
  return {
    stop: () => {
      stopped.abort();
      return ended;
    },
  };
}
