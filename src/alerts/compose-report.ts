import type { CheckResult, Severity, Unjudged } from '../model.ts';
import type { StoredAlert } from '../state/alerts.ts';
import type { LastCheck } from '../state/checks.ts';
import type { Trial } from './trial.ts';

/** What a report says: stored when it is made, so that the message stays as it was. */
export interface ReportContent {
  /** The worst first. */
  lines: ReportLine[];
  /** So many lines are not among them. */
  moreLines: number;
  unjudged: (Pick<Unjudged, 'reason' | 'remedy'> & { job: string })[];
  /** Jobs that looked, and when the oldest of these looks was. */
  looks: { job: string; databases: number | null }[];
  oldestLookAt: string | null;
  /** Only in the report on a trial. */
  trial?: Trial;
}

export interface ReportLine {
  alertId: number;
  job: string;
  severity: Severity;
  database: string | null;
  what: string;
  sizeBytes: number | null;
  verdict: string;
  hasRunbook: boolean;
  /** It could not be looked at again since. */
  isStale: boolean;
}

export interface ReportInput {
  /** Names of the jobs that report. */
  jobs: readonly string[];
  /** Firing ones of these jobs. */
  alerts: readonly StoredAlert[];
  checks: readonly Pick<LastCheck, 'job' | 'outcome' | 'reason' | 'unjudged' | 'databases' | 'finishedAt'>[];
}

const worst = 10;

/** Pure. */
export function composeReport({ jobs, alerts, checks }: ReportInput): ReportContent {
  const sorted = alerts.map(lineOf).sort(byHarm);
  const looked = jobs.flatMap((job) => checks.find((check) => check.job === job && check.finishedAt !== null) ?? []);
  const times = looked.flatMap(({ finishedAt }) => finishedAt ?? []).sort((a, b) => a.getTime() - b.getTime());
  return {
    lines: sorted.slice(0, worst),
    moreLines: Math.max(0, sorted.length - worst),
    unjudged: jobs.flatMap((job) =>
      blindnessOf(
        job,
        looked.find((check) => check.job === job),
      ),
    ),
    looks: looked.flatMap(({ job, outcome, databases }) => (isLook(outcome) ? [{ job, databases }] : [])),
    oldestLookAt: times[0]?.toISOString() ?? null,
  };
}

function lineOf(alert: StoredAlert): ReportLine {
  const { job, severity, database, title, summary, facts, runbooks } = alert.finding;
  const { sizeBytes, why } = facts;
  return {
    alertId: alert.id,
    job,
    severity,
    database,
    what: title,
    sizeBytes: typeof sizeBytes === 'number' ? sizeBytes : null,
    verdict: typeof why === 'string' ? why : (summary.split('\n')[0] ?? ''),
    hasRunbook: runbooks.length > 0,
    isStale: alert.staleSince !== null,
  };
}

function byHarm(a: ReportLine, b: ReportLine): number {
  const rank = { critical: 0, warning: 1, info: 2 };
  return rank[a.severity] - rank[b.severity] || (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0) || a.alertId - b.alertId;
}

function isLook(outcome: CheckResult['outcome'] | null): boolean {
  return outcome === 'ok' || outcome === 'findings';
}

/** What a job could not say: never left out, since silence would read as well. */
function blindnessOf(job: string, check: ReportInput['checks'][number] | undefined): ReportContent['unjudged'] {
  if (!check) return [{ job, reason: 'it has not looked yet', remedy: `/pg check ${job}` }];
  const told = check.unjudged.map(({ reason, remedy }) => ({ job, reason, remedy }));
  const isTold = check.reason === null || told.some(({ reason }) => reason === check.reason);
  return isTold ? told : [{ job, reason: check.reason ?? '', remedy: '' }, ...told];
}
