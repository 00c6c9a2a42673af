import { createHash } from 'node:crypto';
import { bind } from './bind.ts';
import type { Policy } from './policy.ts';
import type { Runbook, Step } from './runbook.ts';

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
  identity: Identity;
  params: Record<string, string>;
  steps: readonly Step[];
  limits: { statementMs: number; lockMs: number; verifyMs: number };
  policy: Policy;
}

export interface PlanInput {
  runbook: Runbook;
  params: Record<string, string>;
  serverVersion: number;
  target: string;
  environment: string;
  node: string;
  identity: Identity;
  policy: Policy;
}

/** Throws param-invalid where a parameter is missing, unknown or of the wrong type. */
export function buildPlan(input: PlanInput): Plan {
  const { runbook, params, serverVersion, target, environment, node, identity, policy } = input;
  return {
    runbook: runbook.name,
    class: runbook.class,
    risk: runbook.risk,
    target,
    environment,
    node,
    identity,
    params: Object.fromEntries(Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1))),
    steps: bind(runbook, params, serverVersion),
    limits: runbook.limits,
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

/** What the plan is about: one open run per subject of a target. */
export function subjectOf(plan: Plan): string {
  const { pid, backend_start: backendStart } = plan.params;
  return pid && backendStart
    ? `${plan.node}/backend/${pid}/${backendStart}`
    : `${plan.runbook}/${JSON.stringify(plan.params)}`;
}

export function sqlOf(plan: Plan, step: Step['step']): string | null {
  return plan.steps.find((one) => one.step === step)?.sql ?? null;
}
