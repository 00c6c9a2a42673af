import { reportingJobs } from '../../alerts/report.ts';
import type { Text } from '../../model.ts';
import { formatMoment } from '../../remedy/window.ts';
import { readFiringAlerts } from '../../state/alerts.ts';
import { readAuditHead } from '../../state/audit.ts';
import { readLastChecks } from '../../state/checks.ts';
import { readRecentRuns } from '../../state/runs.ts';
import { readPause } from '../../state/switches.ts';
import type { SlackContext } from '../context.ts';

const signs = { findings: '🔴', error: '⚪', 'cannot-judge': '⚪', ok: '🟢' } as const;

/** More would push what could not be judged out of the message. */
const maxFiring = 15;

/** `/pg status`: never green for what was not judged. */
export async function readStatus(context: SlackContext): Promise<Text> {
  const { pool } = context.remedy;
  const [pause, alerts, checks, head] = await Promise.all([
    readPause(pool),
    readFiringAlerts(pool, reportingJobs(context.remedy)),
    readLastChecks(pool),
    readAuditHead(pool),
  ]);
  const paused: Text = pause
    ? ['⏸ Actions are paused by ', { user: pause.by }, pause.reason ? `: ${pause.reason}` : '', '\n']
    : [];
  const firing = alerts
    .slice(0, maxFiring)
    .map((alert) => `\n• A-${alert.id} ${alert.severity} ${alert.target} · ${alert.finding.title.slice(0, 150)}`);
  if (alerts.length > maxFiring) firing.push(`\n• … ${alerts.length - maxFiring} more`);
  const judged = checks.flatMap(({ target, job, outcome, reason, unjudged }) => {
    if (outcome === null) return [`\n⚪ ${target} · ${job}: its first check is under way`];
    const why = outcome === 'ok' || outcome === 'findings' ? '' : `: ${reason ?? ''} ${unjudged[0]?.remedy ?? ''}`;
    return [`\n${signs[outcome]} ${target} · ${job} ${outcome}${why}`];
  });
  return [
    ...paused,
    `${count(context.remedy.targets.size, 'target')}, ${count(alerts.length, 'alert')} firing.`,
    ...firing,
    ...(judged.length === 0 ? ['\n⚪ Nothing has been checked yet.'] : judged),
    `\nAudit head ${head.seq}:${head.hash.slice(0, 16)}`,
  ];
}

/** `/pg runs`: the last ten. */
export async function readRuns(context: SlackContext): Promise<Text> {
  const runs = await readRecentRuns(context.remedy.pool, 10);
  if (runs.length === 0) return ['No runs yet. An alert offers its fix by itself; see ', { code: '/pg help run' }, '.'];
  return runs.map((run, index) => {
    const when =
      run.state === 'scheduled' && run.startsAt
        ? `starts ${formatMoment(run.startsAt, context.timezoneOf(run.target))}`
        : null;
    const why = when ?? run.outcome?.slice(0, 150);
    return `${index === 0 ? '' : '\n'}R-${run.id} ${run.runbook} on ${run.target} · ${run.state}${why ? `: ${why}` : ''}`;
  });
}

/** `/pg check`: looks now, records what it finds, and tells. */
export async function checkAndTell(context: SlackContext, jobs: string[], targets: string[]): Promise<Text> {
  const lines: string[] = [];
  for (const target of targets)
    for (const job of jobs) {
      const { result } = await context.checkNow(job, target);
      lines.push(`${signs[result.outcome]} ${target} · ${job} ${result.outcome} (${result.durationMs} ms)`);
      lines.push(...result.findings.map((finding) => `    ${finding.severity}: ${finding.title}`));
      lines.push(...result.unjudged.map((one) => `    not judged: ${one.reason} ${one.remedy}`));
      if (result.outcome === 'error') lines.push(`    ${result.reason}`);
    }
  return lines.map((line, index) => `${index === 0 ? '' : '\n'}${line}`);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
