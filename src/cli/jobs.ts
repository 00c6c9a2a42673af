import { jobs as all } from '../../jobs/index.ts';

/** `pgorderly jobs`: what is looked for, how often, and from where on it is trouble. */
export function listJobs(): string {
  return all
    .map((job) => {
      const thresholds = Object.entries(job.thresholds as typeof job.thresholds).map(
        ([name, one]) => `    ${name} = ${(one as { default: number }).default}  ${(one as { about: string }).about}`,
      );
      return [`${job.name}  ${job.title}`, `    ${job.delivery}, schedule ${job.schedule}`, ...thresholds].join('\n');
    })
    .join('\n\n');
}
