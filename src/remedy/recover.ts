import { setTimeout as sleep } from 'node:timers/promises';
import { errorFields } from '../log.ts';
import { claimRecovery, handOver } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import { compareMeasures, readFinding } from './before-after.ts';
import type { RemedyContext } from './context.ts';
import { findPlace, keepLease, verify } from './execute.ts';
import { openPlan, type Plan } from './plan.ts';
import { endRun, redraw } from './run-log.ts';
import { ActingSession, applicationName } from './session.ts';

/** How long recovery waits for the lost worker's session to end, and how long it keeps trying to reach the server. */
const patienceMs = 30_000;
const giveUpAfterMs = 10 * 60_000;

/**
 * Gives the verdict on a run whose worker was lost after its act may have been sent. The claim raised the fence; then
 * the lost worker's session is waited for or ended, so that it can send nothing late; only then the server is asked
 * whether the act had its effect. Nothing is sent again.
 */
export async function recoverRun(context: RemedyContext, id: number): Promise<void> {
  const run = await claimRecovery(context.pool, id, context);
  if (!run) return;
  const lease = keepLease(context, run);
  let session: ActingSession | null = null;
  try {
    await redraw(context, run);
    const plan = openPlan(run.plan, run.planHash);
    const place = findPlace(context, plan);
    if (typeof place === 'string') return await giveUp(context, run, place);
    session = await ActingSession.open(place.url, `pgorderly/recover/${run.id}`, plan.limits);
    if (!(await endLostSession(session, run.id)))
      return await giveUp(context, run, `the session ${applicationName(run.id)} on ${plan.target} does not end`);
    await judge(context, run, plan, session);
  } catch (error) {
    context.log.warn({ run: run.id, ...errorFields(error) }, 'run not judged yet');
    const isLate = Date.now() - (run.sentAt?.getTime() ?? 0) > giveUpAfterMs;
    if (isLate) await giveUp(context, run, `${run.target} could not be asked`);
    else await handOver(context.pool, run);
  } finally {
    lease.stop();
    await session?.close();
  }
}

/** Waits while the lost session works, ends it when it idles; false if it is still there at the end of patience. */
async function endLostSession(session: ActingSession, runId: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const { rows } = await session.query(
      `select count(*)::int as count, count(pg_terminate_backend(pid)) filter (where state is distinct from 'active') as ended
       from pg_stat_activity
       where application_name = $1 and usename = current_user and pid <> pg_backend_pid()`,
      [applicationName(runId)],
    );
    if (rows[0]?.['count'] === 0) return true;
    if (Date.now() > deadline) return false;
    await sleep(200);
  }
}

async function judge(context: RemedyContext, run: StoredRun, plan: Plan, session: ActingSession): Promise<void> {
  const seconds = await verify(session, plan);
  const comparison = await compareMeasures(context, plan, await readFinding(context.pool, run.alertId));
  const isDone = seconds !== null;
  const outcome = isDone
    ? 'its worker was lost; the server shows that the act had its effect'
    : 'its worker was lost; the server shows no effect, and nothing was sent again';
  await endRun(context, run, { state: isDone ? 'succeeded' : 'failed', outcome, beforeAfter: comparison }, [
    [`${isDone ? '✓' : '✗'} R-${run.id} recovered: ${outcome}`],
    ...(comparison ? [[`Before → after: ${comparison}`]] : []),
  ]);
}

async function giveUp(context: RemedyContext, run: StoredRun, why: string): Promise<void> {
  const outcome = `nobody knows: ${why}. Look at ${run.target} for ${run.subject} before anything else is tried`;
  await endRun(context, run, { state: 'unknown', outcome, beforeAfter: null }, [[`⚠ R-${run.id} unknown: ${outcome}`]]);
}
