import { performance } from 'node:perf_hooks';
import { PgorderlyError } from '../errors.ts';
import type { CheckResult, Finding, Judged, Outcome, Storm, Unjudged } from '../model.ts';
import type { Probe, Reader } from '../targets/reader.ts';
import type { AnyJob, JudgeContext, ProtectedBecause } from './job.ts';
import { readStatement } from './statements.ts';

export interface CheckTarget {
  name: string;
  nodes: readonly CheckNode[];
  protectedBecause: ProtectedBecause;
  /** What the job remembered of each node at its last check on this target, by the node's name. */
  memory?: Memory;
}

export type Memory = Readonly<Record<string, unknown>>;

export interface CheckNode {
  name: string;
  reader: Reader;
}

/** A check, and what each node that answered said of itself. */
export interface Checked {
  result: CheckResult;
  probes: Map<string, Probe>;
  /** What to hand to the next check of this job on this target. */
  memory: Memory;
  /** The worst first. */
  storms: (Storm & { node: string })[];
}

interface NodeCheck {
  node: string;
  probe: Probe | null;
  findings: Finding[];
  lingering: Finding[];
  unjudged: Unjudged[];
  /** As it was before, where the node did not answer. */
  memory: unknown;
  storms: Storm[];
  error: string | null;
}

/** One check of one job on every node of a target: gather, then judge. Never throws for what a server does. */
export async function checkTarget(
  job: AnyJob,
  target: CheckTarget,
  thresholds: Record<string, number>,
): Promise<Checked> {
  const startedAt = performance.now();
  const checks = await Promise.all(target.nodes.map((node) => checkNode(job, target, node, thresholds)));
  const findings = checks.flatMap((check) => check.findings);
  const unjudged = checks.flatMap((check) => check.unjudged);
  const errors = checks.flatMap((check) => (check.error === null ? [] : [check.error]));
  const result: CheckResult = {
    job: job.name,
    target: target.name,
    outcome: outcomeOf(findings, errors, unjudged),
    reason: errors[0] ?? unjudged[0]?.reason ?? null,
    durationMs: Math.round(performance.now() - startedAt),
    findings,
    lingering: checks.flatMap((check) => check.lingering),
    unjudged,
    covered: checks.filter((check) => check.error === null && check.unjudged.length === 0).map((check) => check.node),
  };
  const probes = new Map(checks.flatMap((check) => (check.probe ? [[check.node, check.probe]] : [])));
  const memory = Object.fromEntries(checks.flatMap((one) => (one.memory === null ? [] : [[one.node, one.memory]])));
  const storms = checks
    .flatMap(({ node, storms: found }) => found.map((storm) => ({ ...storm, node })))
    .sort((a, b) => b.victimCount - a.victimCount);
  return { result, probes, memory, storms };
}

function outcomeOf(findings: unknown[], errors: unknown[], unjudged: unknown[]): Outcome {
  if (findings.length > 0) return 'findings';
  if (errors.length > 0) return 'error';
  return unjudged.length > 0 ? 'cannot-judge' : 'ok';
}

async function checkNode(
  job: AnyJob,
  target: CheckTarget,
  node: CheckNode,
  thresholds: Record<string, number>,
): Promise<NodeCheck> {
  const memory = target.memory?.[node.name] ?? null;
  const check: NodeCheck = {
    node: node.name,
    probe: null,
    findings: [],
    lingering: [],
    unjudged: [],
    memory,
    storms: [],
    error: null,
  };
  try {
    check.probe = await node.reader.probe();
    const ask = (statement?: string, params?: readonly unknown[]) =>
      node.reader.ask(readStatement(job.name, statement), params);
    const facts = job.gather ? await job.gather(ask) : await ask();
    if (job.remember) check.memory = job.remember(facts, memory, check.probe.serverNow);
    const context = { ...contextOf(target, node, check.probe, thresholds), memory: check.memory };
    const judged = job.judge(facts, context);
    const lowered = job.judge(facts, { ...context, thresholds: scale(thresholds, job.clear.factor) });
    const complete = (one: Judged): Finding => ({ ...one, job: job.name, target: target.name, node: node.name });
    check.findings = judged.findings.map(complete);
    check.lingering = lowered.findings.map(complete);
    check.storms = job.storms?.(facts, check.memory) ?? [];
    check.unjudged = judged.unjudged.map((one) => ({ node: node.name, ...one }));
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    check.error = `${node.name}: ${error.message}`;
  }
  return check;
}

function contextOf(
  target: CheckTarget,
  node: CheckNode,
  probe: Probe,
  thresholds: Record<string, number>,
): JudgeContext<never> {
  return {
    thresholds: thresholds as never,
    now: probe.serverNow,
    node: { name: node.name, isStandby: probe.inRecovery, role: probe.role, seesAll: probe.seesAll },
    protectedBecause: target.protectedBecause,
  };
}

function scale(thresholds: Record<string, number>, factor: number): Record<string, number> {
  return Object.fromEntries(Object.entries(thresholds).map(([name, value]) => [name, value * factor]));
}
