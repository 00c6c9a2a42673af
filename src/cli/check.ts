import { type CheckTarget, checkTarget } from '../detect/check.ts';
import type { AnyJob } from '../detect/job.ts';
import { PgorderlyError } from '../errors.ts';
import type { CheckResult, Finding, Flavour, Outcome, Unjudged } from '../model.ts';
import type { Probe } from '../targets/reader.ts';
import { type CheckOptions, type CheckRequest, readRequest } from './check-request.ts';
import { renderText } from './check-text.ts';

/** What `--json` prints. Times are ISO 8601 in UTC; a number that is not known is null. */
export interface CheckDocument {
  target: string;
  serverVersion: number;
  /** Whose managed PostgreSQL it is; null where that is nobody's, or not known. */
  flavour: Flavour | null;
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

/**
 * One sweep from a terminal, without Slack, state or queue. History is empty, so "for so long" counts as met. Returns
 * the exit code: 2 critical, 1 warning, 3 something was not judged or failed, 0 well. Throws what `main` ends with 3:
 * wrong usage or configuration, a server that can't be reached or isn't supported. There is no document then: one
 * without a version and jobs would be taken for a server on which nothing is wrong.
 */
export async function check(names: readonly string[], options: CheckOptions): Promise<number> {
  const request = readRequest(names, options);
  try {
    const document = await sweep(request);
    process.stdout.write(options.json ? `${JSON.stringify(document, null, 2)}\n` : renderText(document));
    return exitCodeOf(document.jobs);
  } finally {
    await Promise.all(request.target.nodes.flatMap(({ reader, lane }) => [reader.close(), lane?.close()]));
  }
}

async function sweep({ target, jobs, thresholdsOf }: CheckRequest): Promise<CheckDocument> {
  const startedAt = new Date().toISOString();
  try {
    showProgress(`connecting to ${target.name} …`);
    const { version: serverVersion, flavour } = await readServer(target);
    const entries = await checkAll({ target, jobs, thresholdsOf });
    return { target: target.name, serverVersion, flavour, startedAt, jobs: entries };
  } finally {
    showProgress('');
  }
}

/** As in the service: who looks into databases has a connection of its own, and keeps nobody waiting. */
async function checkAll({ target, jobs, thresholdsOf }: CheckRequest): Promise<JobEntry[]> {
  const entries = new Map<string, JobEntry>();
  const run = async (some: readonly AnyJob[]) => {
    for (const job of some) {
      showProgress(`${job.name} …`);
      entries.set(job.name, toEntry((await checkTarget(job, target, thresholdsOf(job))).result));
    }
  };
  const goesIn = ({ scope }: AnyJob) => scope === 'database';
  await Promise.all([run(jobs.filter((job) => !goesIn(job))), run(jobs.filter(goesIn))]);
  return jobs.flatMap(({ name }) => entries.get(name) ?? []);
}

/** The order of severity is the order of the answer. */
function exitCodeOf(jobs: readonly JobEntry[]): number {
  const severities = jobs.flatMap((job) => job.findings.map((finding) => finding.severity));
  if (severities.includes('critical')) return 2;
  if (severities.includes('warning')) return 1;
  return jobs.every((job) => job.reason === null) ? 0 : 3;
}

/** The first node that answers speaks; throws the first node's failure if none does. */
async function readServer({ nodes }: CheckTarget): Promise<Probe> {
  const probes = await Promise.allSettled(nodes.map((node) => node.reader.probe()));
  const answered = probes.find((probe) => probe.status === 'fulfilled');
  if (answered) return answered.value;
  throw probes[0]?.status === 'rejected' ? probes[0].reason : new PgorderlyError('usage', 'the target has no node');
}

function toEntry(result: CheckResult): JobEntry {
  const { job, outcome: status, reason, durationMs, unjudged, findings } = result;
  return { job, status, reason, durationMs, unjudged, findings };
}

/** One line that is written over, on a terminal only: a node that does not answer takes its 5 s. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
