import { setTimeout as sleep } from 'node:timers/promises';
import { errorFields } from '../log.ts';
import { claimRecovery, handOver, isBlind, markSeen } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import { conclude } from './conclude.ts';
import type { RemedyContext } from './context.ts';
import { estimateAct, watchdogSeconds } from './estimate.ts';
import { keepLease } from './keep-lease.ts';
import { findPlace } from './place.ts';
import { isLasting, openPlan, type Plan } from './plan.ts';
import { endRun, leaveToOthers, redraw } from './run-log.ts';
import { type ActingSession, applicationName, type Backend } from './session.ts';
import { openControl, Watch } from './watch.ts';

/** How long recovery waits for the lost worker's session to end, and how long it keeps trying to reach the server. */
const patienceMs = 30_000;
const giveUpAfterSeconds = 10 * 60;

/**
 * Gives the verdict on a run whose worker was lost after its act may have been sent. The claim raised the fence; then
 * the lost worker's session is watched, waited for or ended, so that it can send nothing late; only then the server is
 * asked whether the act had its effect. Nothing is sent again.
 */
export async function recoverRun(context: RemedyContext, id: number): Promise<void> {
  if (context.stopping.aborted) return;
  const run = await claimRecovery(context.pool, id, context);
  if (!run) return;
  const lease = keepLease(context, run);
  try {
    await redraw(context, run);
    const plan = openPlan(run.plan, run.planHash);
    const place = findPlace(context, plan);
    if (typeof place === 'string') return await giveUp(context, run, place);
    await judgeLost({ context, run, plan, url: place.url });
  } catch (error) {
    context.log.warn({ run: run.id, ...errorFields(error) }, 'run not judged yet');
    if (await isBlind(context.pool, run, giveUpAfterSeconds))
      await giveUp(context, run, `${run.target} could not be asked`);
    else await handOver(context.pool, run);
  } finally {
    lease.stop();
  }
}

interface Lost {
  context: RemedyContext;
  run: StoredRun;
  plan: Plan;
  url: string;
}

async function judgeLost(lost: Lost): Promise<void> {
  const { context, run, plan } = lost;
  const session = await openControl(lost);
  await markSeen(context.pool, run);
  const watch = new Watch(await watchInput(lost), session);
  try {
    const watched = isLasting(plan) ? await watch.untilOver() : { kind: 'over' as const, stoppedBecause: null };
    if (watched.kind === 'lost') return await leaveToOthers(context, run);
    const asking = await watch.session();
    if (!(await endLostSession(asking, run.id)))
      return await giveUp(context, run, `the session ${applicationName(run.id)} on ${plan.target} does not end`);
    const figures: Record<string, number> = run.sizeBytes === null ? {} : { size_bytes: run.sizeBytes };
    const stoppedBecause = watched.stoppedBecause ?? (run.stopBy === null ? null : (run.stopReason ?? 'asked for'));
    await conclude({ context, run, plan, session: asking, figures, acted: null, stoppedBecause });
  } finally {
    await watch.close();
  }
}

/** The statement goes on without its worker: it is adopted, and over once its session no longer works at it. */
async function watchInput({ context, run, plan, url }: Lost): Promise<ConstructorParameters<typeof Watch>[0]> {
  const estimate = await estimateAct(context.pool, plan, run.sizeBytes);
  const seconds = (Date.now() - (run.sentAt?.getTime() ?? Date.now())) / 1_000;
  let isFirst = true;
  const findActing = async (control: () => Promise<ActingSession>) => {
    if (!isFirst) await sleep(1_000);
    isFirst = false;
    return findWorking(await control(), run.id);
  };
  return { context, run, plan, url, findActing, seconds, maxSeconds: watchdogSeconds(estimate) };
}

async function findWorking(control: ActingSession, runId: number): Promise<Backend | null> {
  const { rows } = await control.query(
    `select pid, (extract(epoch from backend_start) * 1000000)::bigint::text as "startedAt"
     from pg_catalog.pg_stat_activity
     where application_name = $1 and usename = current_user and state = 'active' limit 1`,
    [applicationName(runId)],
  );
  return (rows[0] as Backend | undefined) ?? null;
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

async function giveUp(context: RemedyContext, run: StoredRun, why: string): Promise<void> {
  const outcome = `nobody knows: ${why}. Look at ${run.target} for ${run.subject} before anything else is tried`;
  await endRun(context, run, { state: 'unknown', outcome, beforeAfter: null }, [[`⚠ R-${run.id} unknown: ${outcome}`]]);
}
