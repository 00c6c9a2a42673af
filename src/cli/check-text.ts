import { styleText } from 'node:util';
import type { Finding, Outcome, Severity } from '../model.ts';
import type { CheckDocument, JobEntry } from './check.ts';

const signs: Record<Outcome, string> = { ok: '✓', findings: '●', error: '✗', 'cannot-judge': '○' };
const colours = { ok: 'green', findings: 'red', error: 'red', 'cannot-judge': 'yellow' } as const;
const severityColours: Record<Severity, 'red' | 'yellow' | 'cyan'> = {
  critical: 'red',
  warning: 'yellow',
  info: 'cyan',
};

/** A sweep for people: a line a job, below it what it found and what would help. */
export function renderText(document: CheckDocument): string {
  const { target, serverVersion, jobs } = document;
  const version = `PostgreSQL ${Math.floor(serverVersion / 10_000)}.${serverVersion % 10_000}`;
  return [`${target} · ${version}`, ...jobs.flatMap(renderJob), '', summarize(jobs), ''].join('\n');
}

function renderJob(entry: JobEntry): string[] {
  const { job, status, reason, durationMs, findings, unjudged } = entry;
  const why = status === 'error' || status === 'cannot-judge' ? `: ${reason}` : '';
  return [
    '',
    `${paint(colours[status], `${signs[status]} ${job}`)} ${status}${why} (${durationMs} ms)`,
    ...findings.flatMap(renderFinding),
    ...unjudged.flatMap((one) => [`  ○ not judged: ${one.reason}`, `    ${one.remedy}`]),
  ];
}

function renderFinding({ severity, title, summary, evidence, runbooks }: Finding): string[] {
  return [
    `  ${paint(severityColours[severity], severity)} ${title}`,
    ...indent(summary),
    ...(evidence ? ['', ...indent(evidence), ''] : []),
    ...runbooks.map((offer) => `    fix: ${offer.name} · ${offer.does}`),
  ];
}

function summarize(jobs: readonly JobEntry[]): string {
  const count = (severity: Severity) =>
    jobs.flatMap((job) => job.findings).filter((finding) => finding.severity === severity).length;
  const blind = jobs.filter((job) => job.unjudged.length > 0 || job.status === 'error').length;
  return [
    `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}: ${count('critical')} critical, ${count('warning')} warning`,
    ...(blind > 0 ? [`${blind} not fully judged`] : []),
  ].join(', ');
}

function indent(text: string): string[] {
  return text.split('\n').map((line) => `    ${line}`);
}

/** Colour on a terminal only, and never where NO_COLOR is set. */
function paint(colour: 'red' | 'yellow' | 'green' | 'cyan', text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(colour, text) : text;
}
