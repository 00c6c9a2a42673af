import { styleText } from 'node:util';
import { type Finding, flavours, type Outcome, type Severity } from '../model.ts';
import type { CheckDocument, JobEntry } from './check.ts';

type Colour = 'red' | 'yellow' | 'green' | 'cyan';

const signs: Record<Outcome, string> = { ok: '✓', findings: '●', error: '✗', 'cannot-judge': '○' };
const colours: Record<Outcome, Colour> = { ok: 'green', findings: 'red', error: 'red', 'cannot-judge': 'yellow' };
const severityColours: Record<Severity, Colour> = { critical: 'red', warning: 'yellow', info: 'cyan' };

/** A sweep for people: a line a job, below it what it found and what would help. */
export function renderText(document: CheckDocument): string {
  const { target, serverVersion, flavour, jobs } = disarm(document);
  const version = `PostgreSQL ${Math.floor(serverVersion / 10_000)}.${serverVersion % 10_000}`;
  const server = flavour === null ? version : `${version} (${flavours[flavour]})`;
  return [`${target} · ${server}`, ...jobs.flatMap(renderJob), '', summarize(jobs), ''].join('\n');
}

/** Names on a watched server may hold what a terminal obeys, or what turns the reading round: none of it is shown. */
function disarm(document: CheckDocument): CheckDocument {
  const plain = (text: string) =>
    text.replace(/[\p{Cf}\p{Cs}\p{Co}]+/gu, '').replace(/[^\P{Cc}\n]|[\p{Zl}\p{Zp}]/gu, ' ');
  return JSON.parse(JSON.stringify(document), (_, value) => (typeof value === 'string' ? plain(value) : value));
}

function renderJob(entry: JobEntry): string[] {
  const { job, status, durationMs, findings, unjudged } = entry;
  const failure = failureOf(entry);
  return [
    '',
    `${paint(colours[status], `${signs[status]} ${job}`)} ${status} (${durationMs} ms)`,
    ...findings.flatMap(renderFinding),
    ...(failure === null ? [] : [`  ✗ not looked at: ${failure}`]),
    ...unjudged.flatMap(({ reason, remedy }) => [`  ○ not judged: ${reason}`, `    ${remedy}`]),
  ];
}

/** Also beside findings: another node may have failed. */
function failureOf({ reason, unjudged }: JobEntry): string | null {
  return unjudged.some((one) => one.reason === reason) ? null : reason;
}

function renderFinding({ severity, title, summary, evidence, runbooks, otherwise }: Finding): string[] {
  return [
    `  ${paint(severityColours[severity], severity)} ${title}`,
    ...indent(summary),
    ...(evidence ? ['', ...indent(evidence), ''] : []),
    ...runbooks.map((offer) => `    fix: ${offer.name} · ${offer.does}`),
    ...(otherwise ? indent(otherwise) : []),
  ];
}

function summarize(jobs: readonly JobEntry[]): string {
  const count = (severity: Severity) =>
    jobs.flatMap((job) => job.findings).filter((finding) => finding.severity === severity).length;
  const blind = jobs.filter((job) => job.reason !== null).length;
  return [
    `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}: ${count('critical')} critical, ${count('warning')} warning`,
    ...(count('info') > 0 ? [`${count('info')} info`] : []),
    ...(blind > 0 ? [`${blind} not fully judged`] : []),
  ].join(', ');
}

function indent(text: string): string[] {
  return text.split('\n').map((line) => `    ${line}`);
}

/** Colour on a terminal only, and never where NO_COLOR is set. */
function paint(colour: Colour, text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(colour, text) : text;
}
