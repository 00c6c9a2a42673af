import { jobs as allJobs } from '../../jobs/index.ts';
import type { Config, NodeConfig, TargetConfig } from '../config/config.ts';
import { readConfig } from '../config/load.ts';
import { findNearest } from '../config/nearest.ts';
import type { CheckNode, CheckTarget } from '../detect/check.ts';
import { isChosenBy, isIgnoredBy } from '../detect/choice.ts';
import type { AnyJob, Threshold } from '../detect/job.ts';
import { PgorderlyError } from '../errors.ts';
import { protectedBecause } from '../targets/protect.ts';
import { Reader } from '../targets/reader.ts';
import { SlowLane } from '../targets/slow-lane.ts';
import { describeUrl, resolveUrl } from '../targets/url.ts';

export interface CheckOptions {
  url?: string;
  /** For jobs that look into each database: without it, into that of the URL. */
  allDatabases?: boolean;
  config?: string;
  target?: string;
  json?: boolean;
  threshold: string[];
}

/** What to look for, where, and from where on it is trouble. Nothing is connected yet; the readers want closing. */
export interface CheckRequest {
  target: CheckTarget;
  jobs: readonly AnyJob[];
  thresholdsOf(job: AnyJob): Record<string, number>;
}

type Node = Pick<NodeConfig, 'name' | 'url'>;
type Typed = ReadonlyMap<string, Record<string, number>>;

/** Throws for wrong words, options, thresholds, URLs and configurations, before any server is asked. */
export function readRequest(names: readonly string[], options: CheckOptions): CheckRequest {
  const jobs = chooseJobs(names);
  const typed = parseThresholds(options.threshold);
  const { config: file, url, target, allDatabases } = options;
  if (file === undefined) {
    if (target !== undefined) throw usage('--target needs --config', 'It names a target of a file; a server is --url.');
    return requestUrl({ jobs, typed, isDeep: allDatabases === true }, url);
  }
  if (url !== undefined || allDatabases)
    throw usage('--config excludes --url and --all-databases', 'Name one server by --url, or one target of a file.');
  return requestTarget({ names, jobs, typed }, file, target);
}

function requestUrl(
  { jobs, typed, isDeep }: { jobs: readonly AnyJob[]; typed: Typed; isDeep: boolean },
  given?: string,
): CheckRequest {
  // libpq's own way to name a server: PGHOST, PGSERVICE and the rest fill in what the URL leaves out.
  const isNamed = process.env['PGHOST'] !== undefined || process.env['PGSERVICE'] !== undefined;
  const url = given ?? (isNamed ? 'postgres://' : undefined);
  if (url === undefined)
    throw usage('no server was named', 'Add --url postgres://user@host:5432/database, or --config FILE --target NAME.');
  resolveUrl(url);
  const name = describeUrl(url);
  return {
    target: openTarget({ name, nodes: [{ name, url }], protect: [] }, isDeep),
    jobs,
    thresholdsOf: (job) => ({ ...defaultsOf(job), ...typed.get(job.name) }),
  };
}

function requestTarget(
  { names, jobs, typed }: { names: readonly string[]; jobs: readonly AnyJob[]; typed: Typed },
  file: string,
  name?: string,
): CheckRequest {
  const config = readConfig(file, { env: process.env, jobs: allJobs });
  // Whoever names a job wants it, also one that the service leaves out.
  const isWanted = (job: AnyJob) => names.includes(job.name) || config.jobs.get(job.name)?.isEnabled !== false;
  const wanted = jobs.filter(isWanted);
  if (wanted.length === 0) throw usage(`every job is disabled in ${file}`, 'Name those that you want.');
  const chosen = chooseTarget(config, file, name);
  return {
    target: {
      ...openTarget(chosen, true),
      isProduction: chosen.policies === 'production',
      isChosen: (database) => isChosenBy(chosen.databases, database),
      isIgnored: (finding, now) => isIgnoredBy(config.jobs.get(finding.job)?.ignores ?? [], finding, now),
    },
    jobs: wanted,
    thresholdsOf: (job) => ({ ...config.jobs.get(job.name)?.thresholds, ...typed.get(job.name) }),
  };
}

function chooseTarget({ targets }: Config, file: string, name?: string): Config['targets'][number] {
  const known = targets.map((target) => target.name);
  const chosen = name ?? (known.length === 1 ? known[0] : undefined);
  if (chosen === undefined) throw usage('--config needs --target', `It has: ${known.join(', ')}.`);
  const found = targets.find((target) => target.name === chosen);
  if (!found) throw usage(`${file} has no target ${chosen}`, hintFor(chosen, known));
  return found;
}

function openTarget(
  target: Pick<TargetConfig, 'name' | 'protect'> & { nodes: readonly Node[] },
  isDeep: boolean,
): CheckTarget {
  const nodes: CheckNode[] = target.nodes.map(({ name, url }) => ({
    name,
    reader: new Reader({ name, url }),
    ...(isDeep ? { lane: new SlowLane({ name, url }) } : {}),
  }));
  const ownPids = () => nodes.flatMap(({ reader, lane }) => [...reader.pids(), ...(lane?.pids() ?? [])]);
  return { name: target.name, nodes, protectedBecause: protectedBecause({ ownPids, names: target.protect }) };
}

function chooseJobs(names: readonly string[]): readonly AnyJob[] {
  const known = allJobs.map((job) => job.name);
  for (const name of names)
    if (name !== 'all' && !known.includes(name))
      throw new PgorderlyError('job-unknown', `there is no job ${name}`, { hint: hintFor(name, ['all', ...known]) });
  return names.includes('all') ? allJobs : allJobs.filter((job) => names.includes(job.name));
}

/** `<job>.<name>=<number>` each; throws threshold-unknown, job-unknown or usage. */
function parseThresholds(texts: readonly string[]): Typed {
  const typed = new Map<string, Record<string, number>>();
  for (const text of texts) {
    // Number() alone would take a blank for 0, which reports everything.
    const [, jobName, name, value] = /^([^.=]+)\.([^.=]+)=(\d+(?:\.\d+)?(?:e\d+)?)$/i.exec(text) ?? [];
    if (jobName === undefined || name === undefined || !Number.isFinite(Number(value)))
      throw usage(`--threshold ${text} is not <job>.<name>=<number>`, 'For example: lock-chains.minWaitSeconds=5');
    const known = chooseJobs([jobName]).flatMap((job) => Object.keys(job.thresholds));
    if (!known.includes(name))
      throw new PgorderlyError('threshold-unknown', `${jobName} has no threshold ${name}`, {
        hint: hintFor(name, known),
      });
    typed.set(jobName, { ...typed.get(jobName), [name]: Number(value) });
  }
  return typed;
}

function defaultsOf(job: AnyJob): Record<string, number> {
  const thresholds: Record<string, Threshold> = job.thresholds;
  return Object.fromEntries(Object.entries(thresholds).map(([key, threshold]) => [key, threshold.default]));
}

function hintFor(word: string, known: readonly string[]): string {
  const near = findNearest(word, known);
  return `${near ? `Did you mean ${near}? ` : ''}There are: ${known.join(', ')}.`;
}

function usage(message: string, hint: string): PgorderlyError {
  return new PgorderlyError('usage', message, { hint });
}
