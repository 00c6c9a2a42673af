import { performance } from 'node:perf_hooks';
import type { CheckResult, Finding, Judged, Outcome } from '../model.ts';
import type { Probe } from '../targets/reader.ts';
import { checkDatabases } from './databases.ts';
import { historyOf, type PlacedSample, placeSamples, type StoredSample } from './history.ts';
import type { AnyJob, JudgeContext, ProtectedBecause } from './job.ts';
import { checkNodes } from './nodes.ts';
import type { CheckNode, Judge, Seen } from './seen.ts';

export type { CheckNode } from './seen.ts';

export interface CheckTarget {
  name: string;
  nodes: readonly CheckNode[];
  protectedBecause: ProtectedBecause;
  /** Which databases are looked into; all where it is left out. */
  isChosen?: (database: string) => boolean;
  /** What the configuration tells to pass over, now. */
  isIgnored?: (finding: Finding, now: Date) => boolean;
  /** What a job sampled here; nothing where it is left out. */
  readPast?: (job: string, days: number) => Promise<StoredSample[]>;
}

/** A check, and what each node that answered said of itself. */
export interface Checked {
  result: CheckResult;
  probes: Map<string, Probe>;
  samples: PlacedSample[];
}

/** One check of one job on a target: gather, then judge. Never throws for what a server does. */
export async function checkTarget(
  job: AnyJob,
  target: CheckTarget,
  thresholds: Record<string, number>,
): Promise<Checked> {
  const startedAt = performance.now();
  const past = job.history && target.readPast ? await target.readPast(job.name, job.history.days) : [];
  const judge = judgeOf(job, target, { thresholds, past });
  const { nodes, isChosen = () => true } = target;
  const seen =
    job.scope === 'database'
      ? await checkDatabases(job, { nodes, isChosen, thresholds }, judge)
      : await checkNodes(job, { nodes, thresholds }, judge);
  const result: CheckResult = {
    job: job.name,
    target: target.name,
    outcome: outcomeOf(seen),
    reason: seen.errors[0] ?? seen.unjudged[0]?.reason ?? null,
    durationMs: Math.round(performance.now() - startedAt),
    findings: seen.findings,
    lingering: seen.lingering,
    unjudged: seen.unjudged,
    covered: seen.covered,
    databases: seen.databases,
  };
  return { result, probes: seen.probes, samples: seen.samples };
}

function outcomeOf({ findings, errors, unjudged }: Seen): Outcome {
  if (findings.length > 0) return 'findings';
  if (errors.length > 0) return 'error';
  return unjudged.length > 0 ? 'cannot-judge' : 'ok';
}

interface Known {
  thresholds: Record<string, number>;
  past: readonly StoredSample[];
}

/** Judges at the thresholds, and once more at the clearing level. */
function judgeOf(job: AnyJob, target: CheckTarget, { thresholds, past }: Known): Judge {
  return (facts, { node, probe, database }) => {
    const place = job.scope === 'database' ? database : node.name;
    const history = historyOf(past, place);
    const context = { ...contextOf(target, node, probe, thresholds), history };
    const judged = job.judge(facts, context);
    const lowered = job.judge(facts, { ...context, thresholds: scale(thresholds, job.clear.factor) });
    const complete = (one: Judged): Finding => ({
      ...one,
      ...(job.scope === 'database' ? { database, fingerprint: `${database}.${one.fingerprint}` } : {}),
      job: job.name,
      target: target.name,
      node: node.name,
    });
    const isShown = (one: Finding) => !target.isIgnored?.(one, probe.serverNow);
    return {
      findings: judged.findings.map(complete).filter(isShown),
      lingering: [...lowered.findings, ...(judged.lingering ?? [])].map(complete).filter(isShown),
      unjudged: judged.unjudged.map((one) => ({ node: node.name, ...one })),
      samples: placeSamples(job.sample?.(facts, context) ?? [], place),
    };
  };
}

function contextOf(
  target: CheckTarget,
  node: CheckNode,
  probe: Probe,
  thresholds: Record<string, number>,
): Omit<JudgeContext<never>, 'history'> {
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
