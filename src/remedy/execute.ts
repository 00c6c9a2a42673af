import { errorFields } from '../log.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import { transaction } from '../state/database.ts';
import { claimRun, markSent } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import { carryOut } from './act.ts';
import { conclude } from './conclude.ts';
import type { RemedyContext, RemedyNode, RemedyTarget } from './context.ts';
import { estimateAct, watchdogSeconds } from './estimate.ts';
import { describeEvidence, type Evidence, readEvidence } from './evidence.ts';
import { type Figures, readFigures } from './figures.ts';
import { readUndo } from './follow-up.ts';
import { probeFirstLock } from './guards/first-lock.ts';
import { runGuards } from './guards/guards.ts';
import { keepLease } from './keep-lease.ts';
import { findPlace } from './place.ts';
import { isLasting, openPlan, type Plan } from './plan.ts';
import { endRun, leaveToOthers, tell } from './run-log.ts';
import { ActingSession, applicationName } from './session.ts';
import { actingUntil, openControl, Watch } from './watch.ts';

interface Started {
  context: RemedyContext;
  run: StoredRun;
  plan: Plan;
  target: RemedyTarget;
  node: RemedyNode;
  url: string;
  session: ActingSession;
}

/**
 * Claims a run and carries it out: guards, act, verify, end. Ends silently where nothing is due. What goes wrong before
 * the act is sent ends the run as failed or refused; after it the run is left to be recovered, since nobody knows.
 */
export async function executeRun(context: RemedyContext, id: number): Promise<void> {
  if (context.stopping.aborted) return;
  const run = await claimRun(context.pool, id, context);
  if (!run) return;
  const lease = keepLease(context, run);
  const open: { close(): Promise<void> }[] = [];
  let isSent = false;
  try {
    const plan = openPlan(run.plan, run.planHash);
    const place = findPlace(context, plan);
    if (typeof place === 'string') return await refuse(context, run, place);
    const session = await ActingSession.open(place.url, applicationName(run.id), plan.database);
    open.push(session);
    place.target.actingPids.add(session.backend.pid);
    open.push({ close: async () => void place.target.actingPids.delete(session.backend.pid) });
    const started = { context, run, plan, ...place, session };
    if (!(await passGuards(started))) return;
    const before = await readBefore(started);
    const control = isLasting(plan) ? await openControl({ url: place.url, run, plan }) : null;
    if (control) open.push(control);
    const inTheWay = await probeFirstLock(session, plan);
    if (inTheWay !== null) return await refuse(context, run, inTheWay);
    await session.prepareAct(plan);
    if (!(await announceAct(context, run, before))) return;
    isSent = true;
    await (control ? actWatched(started, before, control) : actAndConclude(started, before));
  } catch (error) {
    await onError(context, run, error, isSent);
  } finally {
    lease.stop();
    for (const one of open) await one.close();
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

/** What only the time before the act knows. */
interface Before {
  evidence: Evidence | null;
  figures: Figures;
  undo: string | null;
}

async function readBefore({ session, plan }: Started): Promise<Before> {
  return {
    evidence: await readEvidence(session, plan),
    figures: await readFigures(session, plan),
    undo: await readUndo(session, plan),
  };
}

/**
 * Stores, audits and tells that the act is about to be sent, with what it destroys; false where this worker lost the run
 * or actions are paused.
 */
async function announceAct(
  context: RemedyContext,
  run: StoredRun,
  { evidence, figures, undo }: Before,
): Promise<boolean> {
  const announced = await transaction(context.pool, async (db) => {
    if (!(await markSent(db, run, { sizeBytes: figures['size_bytes'] ?? null, undo }))) return null;
    const card = evidence && (await wantRunCard(db, run));
    if (card) await addThreadLine(db, card, describeEvidence(evidence));
    const { target, alertId, planHash } = run;
    await appendAudit(db, {
      kind: 'run.sent',
      actor: 'pgorderly',
      target,
      alert: alertId,
      run: run.id,
      detail: {
        plan: planHash,
        ...(evidence ? { evidence: JSON.stringify(evidence) } : {}),
        ...(undo === null ? {} : { undo }),
      },
    });
    return { card };
  });
  if (!announced) await refuse(context, run, 'actions were paused meanwhile');
  if (announced?.card) await context.nudges.channel(announced.card.channel);
  return announced !== null;
}

/** A signal is one short statement, which finds by itself whom it may hit. */
async function actAndConclude(started: Started, { figures }: Before): Promise<void> {
  const { context, run, plan, session } = started;
  const acted = await carryOut(session, plan);
  if (acted.error !== null) throw acted.error;
  if (plan.class === 'signal' && acted.given[0]?.rows.length === 0)
    return await refuse(context, run, 'the session changed in the last moment');
  await conclude({ context, run, plan, session, figures, acted, stoppedBecause: null });
}

/** A lost connection is left to recovery: the server goes on with what was sent. */
async function actWatched(started: Started, { figures, undo }: Before, control: ActingSession): Promise<void> {
  const { context, run, plan, url, session } = started;
  const estimate = await estimateAct(context.pool, plan, figures['size_bytes'] ?? null);
  const act = carryOut(session, plan);
  const watch = new Watch(
    {
      context,
      run,
      plan,
      url,
      findActing: actingUntil(act, session.backend),
      seconds: 0,
      maxSeconds: watchdogSeconds(estimate),
    },
    control,
  );
  try {
    const watched = await watch.untilOver();
    if (watched.kind === 'lost') {
      act.catch(() => undefined); // Whoever owns the run now looks for the statement on the server.
      return await leaveToOthers(context, run);
    }
    const acted = await act;
    const session = await watch.session();
    const { stoppedBecause } = watched;
    await conclude({ context, run: { ...run, undo }, plan, session, figures, acted, stoppedBecause });
  } finally {
    await watch.close();
  }
}

async function onError(context: RemedyContext, run: StoredRun, error: unknown, isSent: boolean): Promise<void> {
  context.log.error({ run: run.id, isSent, ...errorFields(error) }, 'run broke');
  if (isSent) {
    return await leaveToOthers(context, run);
  }
  const outcome = error instanceof Error ? error.message : String(error);
  const end = { state: 'failed', outcome, beforeAfter: null } as const;
  await endRun(context, run, end, [[`✗ R-${run.id} failed before anything was sent: ${outcome}`]]);
}
