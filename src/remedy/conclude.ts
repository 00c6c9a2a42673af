import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Text } from '../model.ts';
import type { RunEnd } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import { type Acted, describeGiven, explainError } from './act.ts';
import { compareMeasures, readFinding } from './before-after.ts';
import type { RemedyContext } from './context.ts';
import { compareFigures, type Figures, toFigures } from './figures.ts';
import { offerCleanup, offerUndo } from './follow-up.ts';
import { type Plan, relationOf, sqlOf } from './plan.ts';
import { endRun } from './run-log.ts';
import type { ActingSession } from './session.ts';

export interface Concluding {
  context: RemedyContext;
  run: StoredRun;
  plan: Plan;
  /** The one to ask with. */
  session: ActingSession;
  /** Before the act. */
  figures: Figures;
  /** Null for a run whose worker was lost: nobody heard what the server said. */
  acted: Acted | null;
  /** Why the bot cancelled its own statement, where it did. */
  stoppedBecause: string | null;
}

interface Verified {
  seconds: number;
  figures: Figures;
}

/**
 * Gives the verdict on a run whose act has ended: by what the server shows now, never by what the act said. Then offers
 * to clean up what it left, or to take it back.
 */
export async function conclude(concluding: Concluding): Promise<void> {
  const { context, run, plan, session, figures } = concluding;
  // After an error the catalog tells at once; only a success may need time to be seen.
  const isBroken = concluding.acted?.error != null;
  const verified = await verify(session, plan, isBroken ? 0 : plan.limits.verifyMs);
  const finding = await readFinding(context.pool, run.alertId);
  const beforeAfter = relationOf(plan)
    ? compareFigures(figures, verified?.figures ?? {})
    : await compareMeasures(context, plan, finding);
  const { state, outcome, act } = judge(concluding, verified);
  const left = await offerCleanup({ context, run, plan, session });
  const back = state === 'succeeded' ? await offerUndo({ context, run, plan, session }) : [];
  await endRun(context, run, { state, outcome, beforeAfter }, [
    ...act,
    [`${verified ? '✓' : '✗'} verify: ${outcome}`],
    ...(beforeAfter === null ? [] : [[`Before → after: ${beforeAfter}`]]),
    ...left,
    ...back,
  ]);
  // The alert of a run that ended is looked at now, not at its next tick.
  if (finding) await context.nudges.check(finding.job, finding.target);
}

/** Asks the verify step until it is true or its time is up. */
async function verify(session: ActingSession, plan: Plan, patienceMs: number): Promise<Verified | null> {
  const sql = sqlOf(plan, 'verify');
  if (sql === null) return null;
  const startedAt = performance.now();
  for (;;) {
    const { rows } = await session.query(sql);
    const seconds = (performance.now() - startedAt) / 1000;
    const [row] = rows;
    if (row && Object.values(row)[0] === true) return { seconds, figures: toFigures(row) };
    if (seconds * 1000 >= patienceMs) return null;
    await sleep(100);
  }
}

function judge(
  { plan, acted, stoppedBecause }: Concluding,
  verified: Verified | null,
): Pick<RunEnd, 'state' | 'outcome'> & { act: Text[] } {
  if (acted === null) return { ...judgeLost(verified, stoppedBecause), act: [] };
  const error = acted.error === null ? null : explainError(acted.error);
  const act: Text[] = [[error === null ? `✓ act: ${describeGiven(acted.given)}` : `! act: ${error}`]];
  const why = stoppedBecause === null ? error : `stopped: ${stoppedBecause}`;
  if (verified) {
    const after = `verified after ${verified.seconds.toFixed(1)} s`;
    return { state: 'succeeded', outcome: error === null ? after : `done all the same: ${after}; ${why}`, act };
  }
  if (stoppedBecause !== null) return { state: 'stopped', outcome: why ?? '', act };
  const unproven = `sent, but not verified within ${plan.limits.verifyMs / 1000} s`;
  return { state: 'failed', outcome: error ?? unproven, act };
}

function judgeLost(verified: Verified | null, stoppedBecause: string | null): Pick<RunEnd, 'state' | 'outcome'> {
  if (verified)
    return { state: 'succeeded', outcome: 'its worker was lost; the server shows that the act had its effect' };
  if (stoppedBecause !== null) return { state: 'stopped', outcome: `stopped: ${stoppedBecause}` };
  return { state: 'failed', outcome: 'its worker was lost; the server shows no effect, and nothing was sent again' };
}
