import { createHash } from 'node:crypto';
import type { Policy } from './policy.ts';
import { bind } from './runbook/bind.ts';
import { type RelationIdentity, relationIn } from './runbook/params.ts';
import type { Runbook, Step, StopWhen } from './runbook/runbook.ts';

/** Where a plan acts: told apart from a clone, a failed-over cluster or another server behind the same address. */
export interface Identity {
  systemIdentifier: string;
  timeline: number;
  address: string;
}

/** A runbook with its parameters filled in: these bytes are shown, hashed, approved, stored and sent. */
export interface Plan {
  runbook: string;
  class: Runbook['class'];
  risk: Runbook['risk'];
  target: string;
  environment: string;
  node: string;
  /** Null where it acts on the cluster: the action URL's own database then serves. */
  database: string | null;
  identity: Identity;
  params: Record<string, string>;
  steps: readonly Step[];
  limits: Runbook['limits'];
  settings: Runbook['settings'];
  stopWhen: StopWhen | null;
  policy: Policy;
}

export interface PlanInput {
  runbook: Runbook;
  params: Record<string, string>;
  serverVersion: number;
  target: string;
  environment: string;
  node: string;
  database: string | null;
  identity: Identity;
  policy: Policy;
}

/** Throws param-invalid where a parameter is missing, unknown or of the wrong type. */
export function buildPlan(input: PlanInput): Plan {
  const { runbook, params, serverVersion, target, environment, node, database, identity, policy } = input;
  return {
    runbook: runbook.name,
    class: runbook.class,
    risk: runbook.risk,
    target,
    environment,
    node,
    database,
    identity,
    params: Object.fromEntries(Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1))),
    steps: bind(runbook, params, serverVersion),
    limits: runbook.limits,
    settings: runbook.settings,
    stopWhen: runbook.stopWhen,
    policy,
  };
}

/** The plan as text, and the SHA-256 of that text: a changed plan is another plan. */
export function sealPlan(plan: Plan): { text: string; hash: string } {
  const text = JSON.stringify(plan);
  return { text, hash: createHash('sha256').update(text).digest('hex') };
}

/** Throws where the stored text is not the text that was approved. */
export function openPlan(text: string, hash: string): Plan {
  const found = createHash('sha256').update(text).digest('hex');
  if (found !== hash) throw new Error(`the stored plan hashes to ${found}, but ${hash} was approved`);
  return JSON.parse(text) as Plan;
}

/** As openPlan; null where the stored text is not the one that was approved: its reader says so, and goes on. */
export function readPlan({ plan, planHash }: { plan: string; planHash: string }): Plan | null {
  try {
    return openPlan(plan, planHash);
  } catch {
    return null; // What openPlan throws says no more than null does.
  }
}

/** Whether its statement may take as long as it takes: what lasts is watched, and can be stopped. */
export function isLasting({ limits }: Pick<Plan, 'limits'>): boolean {
  return limits.statementMs === 0;
}

/** What the plan is about: one open run per subject of a target, so that two that contradict are never both open. */
export function subjectOf(plan: Plan): string {
  const { pid, backend_start: backendStart } = plan.params;
  if (pid && backendStart) return `${plan.node}/backend/${pid}/${backendStart}`;
  const relation = relationOf(plan);
  return relation
    ? `${plan.database}/relation/${relation.oid}`
    : `${plan.runbook}/${plan.database ?? ''}/${JSON.stringify(plan.params)}`;
}

/** The relation that a plan is about, and its table by oid; null where it is about none. */
export function relationOf({ params }: Pick<Plan, 'params'>): RelationIdentity | null {
  return relationIn(params);
}

/** The table that a plan works on, within its target; null for a plan about none. */
export function tableOf(plan: Plan): string | null {
  const relation = relationOf(plan);
  return relation && `${plan.database}/${relation.table}`;
}

/** The statements of a step, in their order. */
export function statementsOf(plan: Plan, step: Step['step']): Step[] {
  return plan.steps.filter((one) => one.step === step);
}

export function sqlOf(plan: Plan, step: Step['step']): string | null {
  return plan.steps.find((one) => one.step === step)?.sql ?? null;
}
