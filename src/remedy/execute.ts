import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorFields } from '../log.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import { transaction } from '../state/database.ts';
import { claimRun, handOver, markSent, renewLease } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import { compareMeasures, readFinding } from './before-after.ts';
import type { RemedyContext, RemedyNode, RemedyTarget } from './context.ts';
import { describeEvidence, type Evidence, readEvidence } from './evidence.ts';
import { runGuards } from './guard.ts';
import { openPlan, type Plan, sqlOf } from './plan.ts';
import { endRun, tell } from './run-log.ts';
import { ActingSession, applicationName, type Given } from './session.ts';

interface Started {
  context: RemedyContext;
  run: StoredRun;
  plan: Plan;
  target: RemedyTarget;
  node: RemedyNode;
  session: ActingSession;
}

/**
 * Claims a run and carries it out: guards, act, verify, end. Ends silently where nothing is due. What goes wrong before
 * the act is sent ends the run as failed or refused; after it the run is left to be recovered, since nobody knows.
 */
export async function executeRun(context: RemedyContext, id: number): Promise<void> {
  const run = await claimRun(context.pool, id, context);
  if (!run) return;
  const lease = keepLease(context, run);
  let session: ActingSession | null = null;
  let isSent = false;
  try {
    const plan = openPlan(run.plan, run.planHash);
    const place = findPlace(context, plan);
    if (typeof place === 'string') return await refuse(context, run, place);
    session = await ActingSession.open(place.url, applicationName(run.id), plan.limits);
    const started = { context, run, plan, ...place, session };
    if (!(await passGuards(started))) return;
    if (!(await announceAct(context, run, await readEvidence(session, plan)))) return;
    isSent = true;
    await actAndVerify(started);
  } catch (error) {
    await onError(context, run, error, isSent);
  } finally {
    lease.stop();
    await session?.close();
  }
}

/** The node and the login a plan acts with, or why it has none. */
export function findPlace(
  context: RemedyContext,
  plan: Plan,
): { target: RemedyTarget; node: RemedyNode; url: string } | string {
  const target = context.targets.get(plan.target);
  const node = target?.nodes.find((one) => one.name === plan.node);
  if (!target || !node) return `${plan.target} (node ${plan.node}) is not in the configuration any more`;
  const url = node.actionUrls[plan.class];
  if (!url)
    return `${plan.target} is observe-only for ${plan.class}: its configuration has no actions.${plan.class} URL`;
  return { target, node, url };
}

/** Renews the lease of a run until it is stopped. */
export function keepLease(context: RemedyContext, run: StoredRun): { stop(): void } {
  const renew = () =>
    renewLease(context.pool, run, context.leaseSeconds).catch((error) =>
      context.log.warn({ run: run.id, ...errorFields(error) }, 'lease not renewed'),
    );
  const timer = setInterval(renew, (context.leaseSeconds * 1000) / 3);
  return { stop: () => clearInterval(timer) };
}

/** Asks the verify step until it is true or its time is up; the seconds it took, or null. */
export async function verify(session: ActingSession, plan: Plan): Promise<number | null> {
  const sql = sqlOf(plan, 'verify');
  if (sql === null) return null;
  const startedAt = performance.now();
  for (;;) {
    const { rows } = await session.query(sql);
    const seconds = (performance.now() - startedAt) / 1000;
    if (Object.values(rows[0] ?? {})[0] === true) return seconds;
    if (seconds * 1000 >= plan.limits.verifyMs) return null;
    await sleep(100);
  }
}

async function refuse(context: RemedyContext, run: StoredRun, why: string): Promise<void> {
  const end = { state: 'refused', outcome: why, beforeAfter: null } as const;
  await endRun(context, run, end, [[`✗ R-${run.id} not done: ${why}. Nothing was run.`]]);
}

async function passGuards(started: Started): Promise<boolean> {
  const { context, run } = started;
  const verdicts = await runGuards(started);
  const refusal = verdicts.find((verdict) => !verdict.ok);
  if (refusal) {
    await refuse(context, run, refusal.says);
    return false;
  }
  await tell(context, run, [`✓ guards: ${verdicts.map((verdict) => verdict.says).join('; ')}`]);
  return true;
}

/**
 * Stores, audits and tells that the act is about to be sent, with what it destroys; false where this worker lost the run
 * or actions are paused.
 */
async function announceAct(context: RemedyContext, run: StoredRun, evidence: Evidence | null): Promise<boolean> {
  const announced = await transaction(context.pool, async (db) => {
    if (!(await markSent(db, run))) return null;
    const card = evidence && (await wantRunCard(db, run));
    if (card) await addThreadLine(db, card, describeEvidence(evidence));
    const { target, alertId, planHash } = run;
    await appendAudit(db, {
      kind: 'run.sent',
      actor: 'pgorderly',
      target,
      alert: alertId,
      run: run.id,
      detail: { plan: planHash, ...(evidence ? { evidence: JSON.stringify(evidence) } : {}) },
    });
    return { card };
  });
  if (!announced) await refuse(context, run, 'actions were paused meanwhile');
  if (announced?.card) await context.nudges.channel(announced.card.channel);
  return announced !== null;
}

async function actAndVerify(started: Started): Promise<void> {
  const { context, run, plan, session } = started;
  const act = sqlOf(plan, 'act');
  if (act === null) throw new Error(`the plan of R-${run.id} has no act`);
  const given = await session.query(act);
  if (given.rows.length === 0) return await refuse(context, run, 'the session changed in the last moment');
  const said = describeGiven(given);
  const seconds = await verify(session, plan);
  const comparison = await compareMeasures(context, plan, await readFinding(context.pool, run.alertId));
  const isDone = seconds !== null;
  const outcome = isDone
    ? `verified after ${seconds.toFixed(1)} s`
    : `sent, but not verified within ${plan.limits.verifyMs / 1000} s`;
  await endRun(context, run, { state: isDone ? 'succeeded' : 'failed', outcome, beforeAfter: comparison }, [
    [`✓ act: ${said}`],
    [`${isDone ? '✓' : '✗'} verify: ${outcome}`],
    ...(comparison ? [[`Before → after: ${comparison}`]] : []),
  ]);
  await checkAgain(context, run);
}

function describeGiven({ rows, notices }: Given): string {
  const values = Object.entries(rows[0] ?? {}).map(([name, value]) => `${name} = ${value}`);
  return [...values, ...notices].join('; ') || 'done';
}

/** The alert of a run that ended is looked at now, not at its next tick. */
async function checkAgain(context: RemedyContext, run: StoredRun): Promise<void> {
  const finding = await readFinding(context.pool, run.alertId);
  if (finding) await context.nudges.check(finding.job, finding.target);
}

async function onError(context: RemedyContext, run: StoredRun, error: unknown, isSent: boolean): Promise<void> {
  context.log.error({ run: run.id, isSent, ...errorFields(error) }, 'run broke');
  if (isSent) {
    await handOver(context.pool, run);
    await context.nudges.run(run.id);
    return;
  }
  const outcome = error instanceof Error ? error.message : String(error);
  const end = { state: 'failed', outcome, beforeAfter: null } as const;
  await endRun(context, run, end, [[`✗ R-${run.id} failed before anything was sent: ${outcome}`]]);
}
