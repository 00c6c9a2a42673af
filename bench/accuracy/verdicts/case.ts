import type { AnyJob } from '../../../src/detect/job.ts';
import type { Finding } from '../../../src/model.ts';
import type { Scene } from './scene.ts';

/** What was said that is not so, and what is so and was not said. */
export interface Verdict {
  missed: string[];
  wrong: string[];
}

export interface VerdictCase {
  name: string;
  /** Of the defects found in other tools by running them: T1 to T15. */
  trap?: string;
  /** The oldest major that has what it takes. */
  from?: number;
  /** In place of the trial's. */
  thresholds?: Record<string, number>;
  /** Is there anything to be found? */
  isSick: boolean;
  /** Makes the case; what comes back holds what was said against what is so. */
  make(scene: Scene): Promise<(said: readonly string[]) => Verdict>;
  /** What outlives the database. */
  cure?(scene: Scene): Promise<void>;
}

/** A job, how its findings are named in its cases, and the action of check_postgres for the same trouble. */
export interface Trial {
  job: AnyJob;
  thresholds: Record<string, number>;
  /** Seconds between the two looks, of which the second counts. */
  pauseSeconds?: number;
  sayOf(finding: Finding): string;
  peer: { action: string; options(scene: Scene): string[] } | null;
  cases: readonly VerdictCase[];
}

/** Just these. */
export function exactly(...truth: string[]): (said: readonly string[]) => Verdict {
  return (said) => ({
    missed: truth.filter((one) => !said.includes(one)),
    wrong: said.filter((one) => !truth.includes(one)),
  });
}
