import type pg from 'pg';
import type { CheckNode, CheckTarget } from '../detect/check.ts';
import type { AnyJob } from '../detect/job.ts';
import type { Logger } from '../log.ts';
import type { CheckResult, Risk, RunbookClass } from '../model.ts';
import type { Policy } from './policy.ts';
import type { Runbook } from './runbook/runbook.ts';
import type { Calendar } from './window.ts';

/** Wakes the worker that looks at what is due; losing one costs time, never correctness. */
export interface Nudges {
  check(job: string, target: string, afterSeconds?: number): Promise<void>;
  run(id: number): Promise<void>;
  channel(channel: string): Promise<void>;
}

export interface RemedyNode extends CheckNode {
  /** Logins by class of runbook; a class left out means observe only. */
  actionUrls: Partial<Record<RunbookClass, string>>;
}

export interface RemedyTarget extends CheckTarget {
  environment: string;
  channel: string;
  /** When what lasts or changes something may begin. */
  calendar: Calendar;
  nodes: readonly RemedyNode[];
  /** Server processes that carry out a run of this replica: nobody is offered to end them but by their run's own stop. */
  actingPids: Set<number>;
  /** Null where the policy of this risk is off. */
  policyFor(risk: Risk): Policy | null;
}

/** All that proposing, deciding and running need; handed in by the composition root. */
export interface RemedyContext {
  pool: pg.Pool;
  runbooks: ReadonlyMap<string, Runbook>;
  jobs: ReadonlyMap<string, AnyJob>;
  targets: ReadonlyMap<string, RemedyTarget>;
  /**
   * Looks again, now. With `everything`, thresholds are zero, so that the figures after a fix are seen; with a database, a
   * job that looks into each looks into no other.
   */
  recheck(job: string, target: string, how: { everything: boolean; database?: string | null }): Promise<CheckResult>;
  nudges: Nudges;
  log: Logger;
  /** This process, as leases name it. */
  owner: string;
  /** How long a worker may be silent before another one takes its run over. */
  leaseSeconds: number;
  /** Aborted when this process stops: what lasts is then handed over, not waited for. */
  stopping: AbortSignal;
}
