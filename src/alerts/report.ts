import { nextRun } from '../detect/ticks.ts';
import type { RemedyContext } from '../remedy/context.ts';
import { readFiringOf } from '../state/alerts.ts';
import { ensureReportCard } from '../state/cards.ts';
import { readLastChecks } from '../state/checks.ts';
import { type Queryable, transaction } from '../state/database.ts';
import { insertReport, isTrialOver, lockReports, type ReportKind, setReportDue } from '../state/reports.ts';
import { composeReport, type ReportContent } from './compose-report.ts';
import { readTrial, trialDays } from './trial.ts';

/** When a target's weekly report comes: six cron fields, in its time zone. */
export interface ReportTime {
  schedule: string;
  timezone: string;
}

/** A new target's first look is taken by now, not at the next tick of a daily schedule; a lost one is nudged again. */
const firstLookSeconds = 300;

/** Makes the reports whose time has come, on every target, and looks where no job that reports has looked yet. */
export async function makeDueReports(context: RemedyContext, timeOf: (target: string) => ReportTime): Promise<void> {
  if (reportingJobs(context).length === 0) return;
  for (const [name, { channel }] of context.targets) {
    const isMade = await transaction(context.pool, async (db) => {
      const isDue = await makeIfDue(db, context, { name, channel, ...timeOf(name) });
      return (await makeTrialReport(db, context, name)) || isDue;
    });
    if (isMade) await context.nudges.channel(channel);
    else await lookFirst(context, name);
  }
}

/** The report of a target as it is known now, on a card of its own. */
export async function makeReport(
  db: Queryable,
  context: RemedyContext,
  report: { target: string; kind: ReportKind; askedBy: string | null; channel: string },
): Promise<void> {
  const jobs = reportingJobs(context);
  const { target, kind, askedBy, channel } = report;
  const checks = (await readLastChecks(db)).filter((check) => check.target === target);
  const content = composeReport({ jobs, alerts: await readFiringOf(db, target, jobs), checks });
  await ensureReportCard(db, await insertReport(db, { target, kind, askedBy, content }), channel);
}

/** After two weeks without a login to act with: what would have been offered, and whether it was still needed. */
async function makeTrialReport(db: Queryable, context: RemedyContext, name: string): Promise<boolean> {
  const target = context.targets.get(name);
  if (!target || !(await isTrialOver(db, name, trialDays))) return false;
  const trial = await readTrial(db, context, target);
  if (!trial) return false;
  const content: ReportContent = { lines: [], moreLines: 0, unjudged: [], looks: [], oldestLookAt: null, trial };
  const report = { target: name, kind: 'trial', askedBy: null, content } as const;
  await ensureReportCard(db, await insertReport(db, report), target.channel);
  return true;
}

export function reportingJobs({ jobs }: Pick<RemedyContext, 'jobs'>): string[] {
  return [...jobs.values()].filter(({ delivery }) => delivery === 'report').map(({ name }) => name);
}

/** The row lock makes it one report, however many replicas sweep; a stored time makes up for a stop at that time. */
async function makeIfDue(
  db: Queryable,
  context: RemedyContext,
  target: { name: string; channel: string } & ReportTime,
): Promise<boolean> {
  const { name, channel, schedule, timezone } = target;
  const { dueAt, isNew } = await lockReports(db, name);
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now');
  const next = nextRun(schedule, timezone);
  const hasAllLooked = isNew && (await findUnlooked(db, context, name)).length === 0;
  const kind = whichIsDue({ dueAt, now: rows[0]?.now ?? new Date(), isNew, hasAllLooked });
  // A schedule that was changed counts from now on.
  if (kind !== null || dueAt === null || (next !== null && next < dueAt)) await setReportDue(db, name, next);
  if (kind !== null) await makeReport(db, context, { target: name, kind, askedBy: null, channel });
  return kind !== null;
}

/** Pure. */
export function whichIsDue(at: {
  dueAt: Date | null;
  now: Date;
  isNew: boolean;
  hasAllLooked: boolean;
}): 'first-look' | 'weekly' | null {
  if (at.isNew) return at.hasAllLooked ? 'first-look' : null;
  return at.dueAt !== null && at.dueAt <= at.now ? 'weekly' : null;
}

async function findUnlooked(db: Queryable, context: RemedyContext, target: string): Promise<string[]> {
  const checks = (await readLastChecks(db)).filter((check) => check.target === target && check.finishedAt !== null);
  return reportingJobs(context).filter((job) => !checks.some((check) => check.job === job));
}

async function lookFirst(context: RemedyContext, target: string): Promise<void> {
  const checks = await readLastChecks(context.pool);
  const isUnderWay = (job: string) =>
    checks.some(
      (check) =>
        check.job === job && check.target === target && check.tickAt.getTime() > Date.now() - firstLookSeconds * 1_000,
    );
  for (const job of await findUnlooked(context.pool, context, target))
    if (!isUnderWay(job)) await context.nudges.check(job, target);
}
