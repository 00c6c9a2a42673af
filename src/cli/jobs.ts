import { jobs } from '../../jobs/index.ts';
import type { AnyJob, Threshold } from '../detect/job.ts';

/** `pgorderly jobs`: what is looked for, how often, and from where on it is trouble. */
export function listJobs(): string {
  return jobs.map(describeJob).join('\n\n');
}

function describeJob({ name, title, delivery, schedule, thresholds }: AnyJob): string {
  const lines = Object.entries<Threshold>(thresholds).map(
    ([threshold, { default: figure, unit, about }]) => `    ${threshold} = ${figure} ${unit}  ${about}`,
  );
  return [`${name}  ${title}`, `    ${delivery}, schedule ${schedule}`, ...lines].join('\n');
}
