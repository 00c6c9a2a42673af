import type { Judged, Unjudged } from '../model.ts';

export type Row = Record<string, unknown>;
export type Thresholds = Readonly<Record<string, Threshold>>;

export interface Threshold {
  default: number;
  unit: 'seconds' | 'sessions' | 'transactions' | 'bytes' | 'share' | 'pages';
  /** What it decides, and where the figure comes from. */
  about: string;
}

/**
 * Runs `jobs/<job>.sql`, or `jobs/<job>.<statement>.sql`, on the node that is checked: read-only, bounded in time and
 * locks. A column named `query` comes normalised: no literal of a watched database ever reaches a judge.
 */
export type Ask = (statement?: string, params?: readonly unknown[]) => Promise<Row[]>;

/** Who may not be touched on this target, whatever it did: the reason as chat shows it, else null. */
export type ProtectedBecause = (session: {
  pid: number;
  user: string | null;
  application: string | null;
  backendType: string | null;
}) => string | null;

/** A figure to keep: one of the whole, or those of its objects by name, of which one a day is kept. */
export type Sample = { series: string; value: number } | { series: string; objects: Readonly<Record<string, number>> };

/** A figure as it was: the last of its step of time, and the highest in it. */
export interface Point {
  at: Date;
  value: number;
  highest: number;
}

export interface JudgeContext<T extends Thresholds> {
  thresholds: { readonly [K in keyof T]: number };
  /** By the watched server's clock. */
  now: Date;
  node: { name: string; isStandby: boolean; role: string; seesAll: boolean };
  protectedBecause: ProtectedBecause;
  /** What `sample` gave here before, oldest first: of a series, or of one object of it. Empty at a check from a terminal. */
  history(series: string, object?: string): readonly Point[];
}

export interface Job<F = unknown, T extends Thresholds = Thresholds> {
  name: string;
  title: string;
  /** Jobs whose firing alert about the same subject says it better: this one then becomes a line in its thread. */
  toldBy?: readonly string[];
  /** page: an alert at once · report: one line of a weekly message. */
  delivery: 'page' | 'report';
  /** node: each node is asked, in the database of its URL · database: each database, once for the cluster. */
  scope: 'target' | 'node' | 'database';
  /** Six cron fields, the first is seconds. */
  schedule: string;
  /** Found for this long without a gap before an alert fires. */
  fire: { afterSeconds: number };
  /** A firing alert clears when nothing was found at `factor` × thresholds for `samples` checks in a row. */
  clear: { factor: number; samples: number };
  thresholds: T;
  /** Facts whose figures are compared before and after a fix, with what a person calls them. */
  measures: Readonly<Record<string, { label: string; unit: Threshold['unit'] }>>;
  /** Facts for the judge, at these thresholds and at the clearing level; the rows of `jobs/<name>.sql` where it is left out. */
  gather?(ask: Ask, thresholds: { readonly [K in keyof T]: number }): Promise<F>;
  /** Figures to keep for the judges to come, of the place that was asked. Pure. */
  sample?(facts: F, context: JudgeContext<T>): Sample[];
  /** How far back the judge looks; without it no history is read. */
  history?: { days: number };
  /** Pure: no clock, no database, no memory. */
  judge(
    facts: F,
    context: JudgeContext<T>,
  ): {
    findings: Judged[];
    unjudged: Unjudged[];
    /** No trouble to speak of now, and not well either: keeps a firing alert firing, opens none. */
    lingering?: Judged[];
  };
}

/** A job of any facts, as the lists keep it. */
// biome-ignore lint/suspicious/noExplicitAny: facts are private to each job; only its own gather and judge meet.
export type AnyJob = Job<any, any>;

export function defineJob<F, const T extends Thresholds>(job: Job<F, T>): Job<F, T> {
  return job;
}
