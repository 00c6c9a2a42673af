import type { AnyJob, Threshold } from '../detect/job.ts';
import { suggest } from './nearest.ts';
import type { Path, Remark } from './problem.ts';
import { type Source, select } from './source.ts';

/** Jobs and thresholds that nobody declared, and durations where something else is counted. */
export function checkJobNames(source: Source, jobs: readonly AnyJob[]): Remark[] {
  const known = new Map(jobs.map((job) => [job.name, job]));
  return select(source.value, ['jobs']).flatMap(({ value }) => {
    return typeof value !== 'object' || Array.isArray(value)
      ? []
      : Object.keys(value ?? {}).flatMap((name) => {
          const job = known.get(name);
          return job ? checkThresholds(source, job) : [unknown('job', ['jobs', name], [...known.keys()])];
        });
  });
}

function checkThresholds(source: Source, job: AnyJob): Remark[] {
  const declared = new Map(Object.entries(job.thresholds as Record<string, Threshold>));
  return select(source.value, ['jobs', job.name, 'thresholds', '*']).flatMap(({ path, value }) => {
    const threshold = declared.get(String(path.at(-1)));
    if (!threshold) return [unknown('threshold', path, [...declared.keys()])];
    const isDuration = typeof value === 'string' && /[smhd]$/.test(value);
    if (!isDuration || threshold.unit === 'seconds') return [];
    return [{ level: 'error', path, message: `expected a number of ${threshold.unit}, found a duration` }];
  });
}

function unknown(what: 'job' | 'threshold', path: Path, known: readonly string[]): Remark {
  const name = String(path.at(-1));
  const list = known.length > 0 ? `known: ${known.join(', ')}` : 'it has none';
  return {
    level: 'error',
    path,
    on: 'key',
    message: `there is no ${what} ${JSON.stringify(name)}`,
    hint: suggest(name, known) ?? list,
  };
}
