import { performance } from 'node:perf_hooks';
import type { CheckResult, Finding, Judged, Outcome, Storm } from '../model.ts';
import type { Probe } from '../targets/reader.ts';
import { checkDatabases } from './databases.ts';
import { historyOf, type PlacedSample, placeSamples, type StoredSample } from './history.ts';
import type { AnyJob, AnyPlaceJob, AnyTargetJob, JudgeContext, ProtectedBecause, TargetJudged } from './job.ts';
import { checkNodes } from './nodes.ts';
import type { CheckNode, Judge, JudgedPlace, Judgement, JudgeWhole, Seen } from './seen.ts';
import { checkWhole } from './whole.ts';

export type { CheckNode } from './seen.ts';

export interface CheckTarget {
  name: string;
  nodes: readonly CheckNode[];
  protectedBecause: ProtectedBecause;
  /** True where it is left out. */
  isProduction?: boolean;
  /** Which databases are looked into; all where it is left out. */
  isChosen?: (database: string) => boolean;
  /** What the configuration tells to pass over, now. */
  isIgnored?: (finding: Finding, now: Date) => boolean;
  /** What the job remembered of each place at its last check of this target. */
  memory?: Memory;
  /** What a job remembers of each target that is watched, by name; no other is known where it is left out. */
  readMemories?: (job: string) => Promise<Readonly<Record<string, Memory>>>;
  /** What a job sampled here; nothing where it is left out. */
  readPast?: (job: string, days: number) => Promise<StoredSample[]>;
}

/** By the name of the node, of the database, or of the target. */
export type Memory = Readonly<Record<string, unknown>>;

/** A check, and what each node that answered said of itself. */
export interface Checked {
  result: CheckResult;
  probes: Map<string, Probe>;
  samples: PlacedSample[];
  /** What to hand to the next check of this job on this target. */
  memory: Memory;
  /** The worst first. */
  storms: (Storm & { node: string })[];
}

/** One check of one job on a target: gather, then judge. Never throws for what a server does. */
export async function checkTarget(
  job: AnyJob,
  target: CheckTarget,
  thresholds: Record<string, number>,
): Promise<Checked> {
  const startedAt = performance.now();
  const past = job.history && target.readPast ? await target.readPast(job.name, job.history.days) : [];
  const memory = { ...target.memory };
  const all = job.scope === 'target' && job.seesAllTargets ? await target.readMemories?.(job.name) : undefined;
  const seen = await look(job, target, { thresholds, past, memory, all });
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
  const storms = seen.storms.sort((a, b) => b.victimCount - a.victimCount);
  return { result, probes: seen.probes, samples: seen.samples, memory, storms };
}

function outcomeOf({ findings, errors, unjudged }: Seen): Outcome {
  if (findings.length > 0) return 'findings';
  if (errors.length > 0) return 'error';
  return unjudged.length > 0 ? 'cannot-judge' : 'ok';
}

interface Known {
  thresholds: Record<string, number>;
  past: readonly StoredSample[];
  /** A place that does not answer keeps what it had. */
  memory: Record<string, unknown>;
  /** Of each target. */
  all: Readonly<Record<string, Memory>> | undefined;
}

async function look(job: AnyJob, target: CheckTarget, known: Known): Promise<Seen> {
  const { nodes, isChosen = () => true } = target;
  switch (job.scope) {
    case 'target':
      return checkWhole(job, nodes, judgeWhole(job, target, known));
    case 'database':
      return checkDatabases(job, { nodes, isChosen, thresholds: known.thresholds }, judgeOf(job, target, known));
    case 'node':
      return checkNodes(job, { nodes, thresholds: known.thresholds }, judgeOf(job, target, known));
  }
}

/** Judges at the thresholds, and once more at the clearing level. */
function judgeOf(job: AnyPlaceJob, target: CheckTarget, { thresholds, past, memory }: Known): Judge {
  const judgeFacts = (facts: unknown, { node, probe, database, elsewhere = [] }: JudgedPlace): Judgement => {
    const place = job.scope === 'database' ? database : node.name;
    const history = historyOf(past, place);
    if (job.remember) memory[place] = job.remember(facts, memory[place] ?? null, probe.serverNow);
    const context = { ...contextOf(target, node, probe, thresholds), history, memory: memory[place] };
    const judged = job.judge(facts, context, elsewhere);
    const lowered = job.judge(facts, { ...context, thresholds: scale(thresholds, job.clear.factor) }, elsewhere);
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
      storms: (job.storms?.(facts, memory[place] ?? null) ?? []).map((storm) => ({ ...storm, node: node.name })),
      samples: placeSamples(job.sample?.(facts, context, elsewhere) ?? [], place),
    };
  };
  const refusal: Judge['refusal'] = (sqlState, node) => {
    const judged = sqlState === null ? null : job.judgeRefusal?.(sqlState, node);
    return judged ? { ...judged, job: job.name, target: target.name, node: node.name } : null;
  };
  return Object.assign(judgeFacts, { refusal });
}

/** The same for all nodes together; findings say themselves which node they are about. */
function judgeWhole(job: AnyTargetJob, target: CheckTarget, { thresholds, past, memory, all }: Known): JudgeWhole {
  const { name, protectedBecause, isProduction = true } = target;
  return (answers, now) => {
    if (job.remember) memory[name] = job.remember(answers, memory[name] ?? null, now);
    const base = { now, protectedBecause, isProduction, history: historyOf(past, name), memory: memory[name] };
    const allTargets = all && { own: name, memories: { ...memoriesOf(all), [name]: memory[name] ?? null } };
    const context = { ...base, thresholds, allTargets };
    const judged = job.judge(answers, context);
    const lowered = job.judge(answers, { ...context, thresholds: scale(thresholds, job.clear.factor) });
    const complete = (one: TargetJudged): Finding => ({ ...one, job: job.name, target: name });
    const isShown = (one: Finding) => !target.isIgnored?.(one, now);
    return {
      findings: judged.findings.map(complete).filter(isShown),
      lingering: [...lowered.findings, ...(judged.lingering ?? [])].map(complete).filter(isShown),
      unjudged: judged.unjudged,
      storms: [],
      samples: placeSamples(job.sample?.(answers, context) ?? [], name),
    };
  };
}

/** A job of this scope remembers one thing of a target, under its name. */
function memoriesOf(all: Readonly<Record<string, Memory>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).map(([name, memory]) => [name, memory[name] ?? null]));
}

function contextOf(
  target: CheckTarget,
  node: CheckNode,
  probe: Probe,
  thresholds: Record<string, number>,
): Omit<JudgeContext<never>, 'history' | 'memory'> {
  return {
    thresholds: thresholds as never,
    now: probe.serverNow,
    node: {
      name: node.name,
      isStandby: probe.inRecovery,
      role: probe.role,
      seesAll: probe.seesAll,
      flavour: probe.flavour,
    },
    protectedBecause: target.protectedBecause,
    isOneShot: target.readPast === undefined,
  };
}

function scale(thresholds: Record<string, number>, factor: number): Record<string, number> {
  return Object.fromEntries(Object.entries(thresholds).map(([name, value]) => [name, value * factor]));
}
