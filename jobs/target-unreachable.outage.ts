import type { NodeAnswer, TargetContext, Thresholds } from '../src/detect/job.ts';

export interface FailureMemory {
  at: number;
  /** Checks in a row in which a node did not answer. */
  failures: Record<string, number>;
  /** Checks in a row in which none of the target's nodes did. */
  silent: number;
}

export type Answers = readonly NodeAnswer<null>[];

export const failuresInARow = 3;
/** Of another target that was not checked for so long nothing is known. */
const recentSeconds = 120;

export function rememberFailures(answers: Answers, before: FailureMemory | null, now: Date): FailureMemory {
  const failed = answers.filter(({ role }) => role === null);
  return {
    at: Math.round(now.getTime() / 1000),
    failures: Object.fromEntries(failed.map(({ node }) => [node, (before?.failures[node] ?? 0) + 1])),
    silent: failed.length === answers.length ? (before?.silent ?? 0) + 1 : 0,
  };
}

/** More than half of all targets are silent at once: by name, in an order that is the same for all of them. */
export interface Outage {
  own: string;
  silent: readonly string[];
  total: number;
}

export function findOutage(
  answers: Answers,
  { allTargets, memory }: Pick<TargetContext<Thresholds, FailureMemory>, 'allTargets' | 'memory'>,
): Outage | null {
  if (!allTargets || !memory || answers.some(({ role }) => role !== null)) return null;
  const { own, memories } = allTargets;
  // Others are looked at a moment earlier or later: of them one failure fewer counts.
  const isSilent = (name: string) => {
    const of = memories[name];
    return of ? memory.at - of.at <= recentSeconds && of.silent >= failuresInARow - (name === own ? 0 : 1) : false;
  };
  const names = Object.keys(memories);
  const silent = names.filter(isSilent).sort();
  return names.length > 1 && silent.length > names.length / 2 ? { own, silent, total: names.length } : null;
}
