import { jobs as allJobs } from '../../jobs/index.ts';
import { readConfig } from '../config/load.ts';
import { findNearest } from '../config/nearest.ts';
import { type CheckTarget, checkTarget } from '../detect/check.ts';
import type { AnyJob, Thresholds } from '../detect/job.ts';
import { PgorderlyError } from '../errors.ts';
import type { CheckResult, Finding, Outcome, Unjudged } from '../model.ts';
import { protectedBecause } from '../targets/protect.ts';
import { Reader } from '../targets/reader.ts';
import { describeUrl, resolveUrl } from '../targets/url.ts';
import { renderText } from './check-text.ts';

export interface CheckOptions {
  url?: string;
  allDatabases?: boolean;
  config?: string;
  target?: string;
  json?: boolean;
  threshold: string[];
}

/** What `--json` prints. Times are ISO 8601 in UTC; a number that is not known is null. */
export interface CheckDocument {
  target: string;
  serverVersion: number;
  startedAt: string;
  jobs: JobEntry[];
}

export interface JobEntry {
  job: string;
  status: Outcome;
  reason: string | null;
  durationMs: number;
  unjudged: Unjudged[];
  findings: Finding[];
}

interface Sweep {
  target: CheckTarget;
  jobs: readonly AnyJob[];
  thresholdsOf(job: string): Record<string, number>;
}

/**
 * One sweep from a terminal, without Slack, state or queue. History is empty, so "for so long" counts as met. Returns
 * the exit code: 2 critical, 1 warning, 3 something was not judged or failed, 0 well. Throws what `main` ends with 3:
 * wrong usage or configuration, a server that can't be reached or isn't supported.
 */
export async function check(names: readonly string[], options: CheckOptions): Promise<number> {
  const sweep = prepare(names, options);
  const { target } = sweep;
  try {
    const startedAt = new Date().toISOString();
    const serverVersion = await readVersion(target);
    const jobs: JobEntry[] = [];
    for (const job of sweep.jobs) {
      const { result } = await checkTarget(job, target, sweep.thresholdsOf(job.name));
      jobs.push(toEntry(result));
    }
    const document: CheckDocument = { target: target.name, serverVersion, startedAt, jobs };
    process.stdout.write(options.json ? `${JSON.stringify(document, null, 2)}\n` : renderText(document));
    return exitCodeOf(jobs);
  } finally {
    await Promise.all(target.nodes.map((node) => node.reader.close()));
  }
}

/** Pure; the order of severity is the order of the answer. */
export function exitCodeOf(jobs: readonly JobEntry[]): number {
  const severities = jobs.flatMap((job) => job.findings.map((finding) => finding.severity));
  if (severities.includes('critical')) return 2;
  if (severities.includes('warning')) return 1;
  const isWhole = jobs.every((job) => job.unjudged.length === 0 && job.status !== 'error' && job.reason === null);
  return isWhole ? 0 : 3;
}

function prepare(names: readonly string[], options: CheckOptions): Sweep {
  const jobs = chooseJobs(names);
  const typed = parseThresholds(options.threshold);
  if (options.config !== undefined && options.url !== undefined)
    throw usage('--url and --config exclude each other', 'Name one server by --url, or one target of a file.');
  return options.config === undefined
    ? prepareUrl(jobs, typed, options.url)
    : prepareConfig(jobs, typed, { file: options.config, name: options.target });
}

function prepareUrl(jobs: readonly AnyJob[], typed: Map<string, Record<string, number>>, given?: string): Sweep {
  // libpq's own way to name a server: PGHOST, PGSERVICE and the rest fill in what the URL leaves out.
  const isNamed = process.env['PGHOST'] !== undefined || process.env['PGSERVICE'] !== undefined;
  const url = given ?? (isNamed ? 'postgres://' : undefined);
  if (url === undefined)
    throw usage('no server was named', 'Add --url postgres://user@host:5432/database, or --config FILE --target NAME.');
  resolveUrl(url);
  const name = describeUrl(url);
  const reader = new Reader({ name, url });
  const target = openTarget(name, [{ name, reader }], []);
  return { target, jobs, thresholdsOf: (job) => ({ ...defaultsOf(jobs, job), ...typed.get(job) }) };
}

function prepareConfig(
  jobs: readonly AnyJob[],
  typed: Map<string, Record<string, number>>,
  { file, name }: { file: string; name: string | undefined },
): Sweep {
  const config = readConfig(file, { env: process.env, jobs: allJobs });
  const known = config.targets.map((target) => target.name);
  const chosen = config.targets.length === 1 && name === undefined ? known[0] : name;
  if (chosen === undefined) throw usage('--config needs --target', `It has: ${known.join(', ')}.`);
  const found = config.targets.find((target) => target.name === chosen);
  if (!found) throw usage(`${file} has no target ${chosen}`, hintFor(chosen, known));
  const nodes = found.nodes.map(({ name: node, url }) => ({ name: node, reader: new Reader({ name: node, url }) }));
  return {
    target: openTarget(found.name, nodes, found.protect),
    jobs: jobs.filter((job) => config.jobs.get(job.name)?.isEnabled !== false),
    thresholdsOf: (job) => ({ ...config.jobs.get(job)?.thresholds, ...typed.get(job) }),
  };
}

function openTarget(name: string, nodes: CheckTarget['nodes'], protect: readonly string[]): CheckTarget {
  const ownPids = () => nodes.flatMap((node) => node.reader.pids());
  return { name, nodes, protectedBecause: protectedBecause({ ownPids, names: protect }) };
}

/** The first node that answers speaks; throws the first node's failure if none does. */
async function readVersion({ nodes }: CheckTarget): Promise<number> {
  const probes = await Promise.allSettled(nodes.map((node) => node.reader.probe()));
  const answered = probes.find((probe) => probe.status === 'fulfilled');
  if (answered) return answered.value.version;
  throw probes[0]?.status === 'rejected' ? probes[0].reason : usage('the target has no node', 'Add nodes to it.');
}

function toEntry(result: CheckResult): JobEntry {
  const { job, outcome: status, reason, durationMs, unjudged, findings } = result;
  return { job, status, reason, durationMs, unjudged, findings };
}

function chooseJobs(names: readonly string[]): readonly AnyJob[] {
  const known = allJobs.map((job) => job.name);
  for (const name of names)
    if (name !== 'all' && !known.includes(name))
      throw new PgorderlyError('job-unknown', `there is no job ${name}`, { hint: hintFor(name, ['all', ...known]) });
  return names.includes('all') ? allJobs : allJobs.filter((job) => names.includes(job.name));
}

/** `<job>.<name>=<number>` each; throws threshold-unknown, job-unknown or usage. */
function parseThresholds(texts: readonly string[]): Map<string, Record<string, number>> {
  const typed = new Map<string, Record<string, number>>();
  for (const text of texts) {
    const [, jobName = '', name = '', value = ''] = /^([a-z0-9-]+)\.([A-Za-z]+)=(.+)$/.exec(text) ?? [];
    const number = Number(value);
    if (value === '' || !Number.isFinite(number) || number < 0)
      throw usage(`--threshold ${text} is not <job>.<name>=<number>`, 'For example: lock-chains.minWaitSeconds=5');
    const job = chooseJobs([jobName])[0];
    const known = Object.keys(job?.thresholds ?? {});
    if (!job || !known.includes(name))
      throw new PgorderlyError('threshold-unknown', `${jobName} has no threshold ${name}`, {
        hint: hintFor(name, known),
      });
    typed.set(jobName, { ...typed.get(jobName), [name]: number });
  }
  return typed;
}

function defaultsOf(jobs: readonly AnyJob[], name: string): Record<string, number> {
  const thresholds: Thresholds = jobs.find((job) => job.name === name)?.thresholds ?? {};
  return Object.fromEntries(Object.entries(thresholds).map(([key, threshold]) => [key, threshold.default]));
}

function hintFor(word: string, known: readonly string[]): string {
  const near = findNearest(word, known);
  return `${near ? `Did you mean ${near}? ` : ''}There are: ${known.join(', ')}.`;
}

function usage(message: string, hint: string): PgorderlyError {
  return new PgorderlyError('usage', message, { hint });
}
