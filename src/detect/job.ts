import type { Flavour, Judged, Storm, Unjudged } from '../model.ts';

export type Row = Record<string, unknown>;
export type Thresholds = Readonly<Record<string, Threshold>>;

export interface Threshold {
  default: number;
  unit: 'seconds' | 'sessions' | 'transactions' | 'bytes' | 'percent' | 'share' | 'pages' | 'rows' | 'files';
  /** What it decides, and where the figure comes from. */
  about: string;
}

/**
 * Runs `jobs/<job>.sql`, or `jobs/<job>.<statement>.sql`, on the node that is checked: read-only, bounded in time and
 * locks. A column named `query` comes normalised: no literal of a watched database ever reaches a judge.
 */
export type Ask = (statement?: string, params?: readonly unknown[]) => Promise<Row[]>;

/**
 * The same in other databases of a node that is asked alone: for proof, never for a verdict. What is barred, or not
 * reached soon, is left out; at a check from a terminal that was given one database, all are.
 */
export type AskIn = (statement: string, databases: readonly string[]) => Promise<Row[]>;

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

export interface JudgeContext<T extends Thresholds, M = never> {
  thresholds: { readonly [K in keyof T]: number };
  /** By the watched server's clock. */
  now: Date;
  node: { name: string; isStandby: boolean; role: string; seesAll: boolean; flavour?: Flavour | null };
  protectedBecause: ProtectedBecause;
  /** What `remember` made of these facts; left out where the job remembers nothing. */
  memory?: M | undefined;
  /** What `sample` gave here before, oldest first: of a series, or of one object of it. Empty at a check from a terminal. */
  history(series: string, object?: string): readonly Point[];
  /** From a terminal: nothing was kept before it, and nothing of it will be. */
  isOneShot?: boolean;
}

export interface Job<F = unknown, T extends Thresholds = Thresholds, M = never> {
  name: string;
  title: string;
  /** Jobs whose firing alert about the same subject says it better: this one then becomes a line in its thread. */
  toldBy?: readonly string[];
  /** page: an alert at once · report: one line of a weekly message. */
  delivery: 'page' | 'report';
  /** node: each node is asked, in the database of its URL · database: each database, once for the cluster. */
  scope: 'node' | 'database';
  /** Six cron fields, the first is seconds. */
  schedule: string;
  /** Found for this long without a gap before an alert fires. */
  fire: { afterSeconds: number };
  /** A firing alert clears when nothing was found at `factor` × thresholds for `samples` checks in a row. */
  clear: { factor: number; samples: number };
  thresholds: T;
  /**
   * What a login needs to judge all of it: `pg_monitor` where it is left out. With `table-statistics` it goes by those,
   * which are shown to who may read the table. A sick server shows whether that is so.
   */
  needs?: 'any-login' | 'table-statistics';
  /** Facts whose figures are compared before and after a fix, with what a person calls them. */
  measures: Readonly<Record<string, { label: string; unit: Threshold['unit'] }>>;
  /** Facts for the judge, at these thresholds and at the clearing level; the rows of `jobs/<name>.sql` where it is left out. */
  gather?(ask: Ask, thresholds: { readonly [K in keyof T]: number }, askIn: AskIn): Promise<F>;
  /**
   * Of scope database: the same is gathered of that database on each other node, so that `sample` and `judge`, which
   * speak for the cluster, know what only a standby knows.
   */
  isAskedEverywhere?: true;
  /**
   * Pure: what the next check of the same place should know of this one. It is stored with the check, as JSON, so that
   * replicas may take turns; `before` is null at the first check and for a check from a terminal.
   */
  remember?(facts: F, before: M | null, now: Date): M;
  /** Pure: what of this is a storm, the worst first. While there is one, the job is asked more often than scheduled. */
  storms?(facts: F, memory: M | null): Storm[];
  /** Figures to keep for the judges to come, of the place that was asked. Pure. */
  sample?(facts: F, context: JudgeContext<T, M>, elsewhere?: readonly NodeAnswer<F>[]): Sample[];
  /** How far back the judge looks; without it no history is read. */
  history?: { days: number };
  /** Pure: no clock, no database, no memory but what it is handed. */
  judge(
    facts: F,
    context: JudgeContext<T, M>,
    /** What the other nodes answered, of a job that asks them. */
    elsewhere?: readonly NodeAnswer<F>[],
  ): {
    findings: Judged[];
    unjudged: Unjudged[];
    /** No trouble to speak of now, and not well either: keeps a firing alert firing, opens none. */
    lingering?: Judged[];
  };
  /** Pure: what it means that a node refused the connection, by its SQLSTATE; null where it means nothing to this job. */
  judgeRefusal?(sqlState: string, node: { name: string }): Judged | null;
}

/** What one node of a target answered. */
export interface NodeAnswer<F> {
  node: string;
  /** Null where the server did not answer, or said no to our login. */
  role: NodeRole | null;
  /** Null where it did not answer, or not to the statements of this job, or was not asked any. */
  facts: F | null;
  /** Why something is null. */
  error: string | null;
}

export interface NodeRole {
  isStandby: boolean;
  systemIdentifier: string;
  /** Of the WAL that is written, or on a standby the newest that it has seen; 0 on Aurora, which has none. */
  timeline: number;
  login: string;
  /** Whether other roles' sessions are shown in full. */
  seesAll: boolean;
  /** Whose managed PostgreSQL it is, where that is known. */
  flavour?: Flavour | null;
}

/** `now` is by the primary's clock if it answers, else another node's, else ours. Memory and history are the target's. */
export interface TargetContext<T extends Thresholds, M = never> extends Omit<JudgeContext<T, M>, 'node'> {
  isProduction: boolean;
  /** What the job remembers of each target that is watched, this one too; only for one that asks for it, in the service. */
  allTargets?: { own: string; memories: Readonly<Record<string, M | null>> } | undefined;
}

/** Each node is asked, and one judge sees the answers together: `gather` is of a node, all else of the target. */
export interface TargetJob<F = unknown, T extends Thresholds = Thresholds, M = never>
  extends Omit<Job<readonly NodeAnswer<F>[], T, M>, 'scope' | 'gather' | 'sample' | 'judge'> {
  scope: 'target';
  /** Its judge is shown what it remembers of the other targets too. */
  seesAllTargets?: true;
  /** Null: this node is not to be asked. */
  gather?(ask: Ask, node: NodeRole): Promise<F | null>;
  sample?(answers: readonly NodeAnswer<F>[], context: TargetContext<T, M>): Sample[];
  /** What is unjudged with a node resolves nothing there; what is unjudged without one, nothing at all. */
  judge(
    answers: readonly NodeAnswer<F>[],
    context: TargetContext<T, M>,
  ): { findings: TargetJudged[]; unjudged: Unjudged[]; lingering?: TargetJudged[] };
}

/** With the node that it is about. */
export type TargetJudged = Judged & { node: string };

/** Jobs of any facts, as the lists keep them. */
export type AnyJob = AnyPlaceJob | AnyTargetJob;
// biome-ignore lint/suspicious/noExplicitAny: facts are private to each job; only its own gather and judge meet.
export type AnyPlaceJob = Job<any, any, any>;
// biome-ignore lint/suspicious/noExplicitAny: the same.
export type AnyTargetJob = TargetJob<any, any, any>;

export function defineJob<F, const T extends Thresholds, M>(job: Job<F, T, M>): Job<F, T, M> {
  return job;
}

export function defineTargetJob<F, const T extends Thresholds, M>(job: TargetJob<F, T, M>): TargetJob<F, T, M> {
  return job;
}
