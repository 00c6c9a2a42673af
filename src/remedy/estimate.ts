import type { Queryable } from '../state/database.ts';
import { readPace } from '../state/leases.ts';

export interface Estimate {
  seconds: number;
  /** How often this runbook has succeeded here: its pace is theirs; with none it is a guess. */
  fromRuns: number;
}

/** Where nothing was done before: slow enough for a network disk, so that the watchdog bites nobody too early. */
const guessedBytesPerSecond = 5 * 1024 ** 2;
const leastWatchdogSeconds = 600;

/** How long an act takes by its size, at the pace of earlier runs of the same runbook on the target; null without a size. */
export async function estimateAct(
  db: Queryable,
  plan: { target: string; runbook: string },
  sizeBytes: number | null,
): Promise<Estimate | null> {
  if (sizeBytes === null) return null;
  const pace = await readPace(db, plan.target, plan.runbook);
  const bytesPerSecond = pace && pace.seconds > 0 ? pace.bytes / pace.seconds : guessedBytesPerSecond;
  return { seconds: Math.ceil(sizeBytes / Math.max(1, bytesPerSecond)), fromRuns: pace?.runs ?? 0 };
}

/** DEFAULTS: three times the estimate; a short one, or none, is given ten minutes. */
export function watchdogSeconds(estimate: Estimate | null): number {
  return Math.max(leastWatchdogSeconds, 3 * (estimate?.seconds ?? 0));
}
