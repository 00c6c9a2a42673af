import type { RemedyContext, RemedyTarget } from '../remedy/context.ts';
import { type FiredAlert, readFiredWithin } from '../state/alerts.ts';
import type { Queryable } from '../state/database.ts';

/** What a target that may only be observed would have been offered, by runbook. */
export interface Trial {
  days: number;
  lines: TrialLine[];
}

export interface TrialLine {
  runbook: string;
  class: string;
  offered: number;
  /** Of these, so many were found again when the job looked again: the fix was still needed. */
  stillNeeded: number;
  /** How long those that are over have lasted; null where none is. */
  medianSeconds: number | null;
}

/** DEFAULTS have no figure: two weeks have seen each weekday twice. */
export const trialDays = 14;

/** Null for a target that may act on all that was found. */
export async function readTrial(db: Queryable, context: RemedyContext, target: RemedyTarget): Promise<Trial | null> {
  const isLacking = (name: string) => {
    const kind = context.runbooks.get(name)?.class;
    return kind !== undefined && target.nodes.some(({ actionUrls }) => !actionUrls[kind]);
  };
  const lacking = [...context.runbooks.values()].filter(({ name }) => isLacking(name));
  if (lacking.length === 0) return null;
  const fired = await readFiredWithin(db, target.name, trialDays);
  return { days: trialDays, lines: lacking.flatMap((runbook) => lineOf(runbook, fired) ?? []) };
}

/** Each alert counts once, for the best that it would have been offered. Pure. */
function lineOf(runbook: { name: string; class: string }, fired: readonly FiredAlert[]): TrialLine | null {
  const mine = fired.filter(({ finding }) => finding.runbooks[0]?.name === runbook.name);
  if (mine.length === 0) return null;
  const lasted = mine.flatMap(({ lastedSeconds }) => lastedSeconds ?? []).sort((a, b) => a - b);
  return {
    runbook: runbook.name,
    class: runbook.class,
    offered: mine.length,
    stillNeeded: mine.filter(({ wasFoundAgain }) => wasFoundAgain).length,
    medianSeconds: lasted[Math.floor(lasted.length / 2)] ?? null,
  };
}
