import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { checkTarget } from '../../src/detect/check.ts';
import type { AnyJob } from '../../src/detect/job.ts';
import type { CheckResult } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';

export const jobsFolder = fileURLToPath(new URL('../../jobs', import.meta.url));
export const jobFiles = readdirSync(jobsFolder);

/** `jobs/<job>.sql` and `jobs/<job>.<statement>.sql`. */
export function statementsOf(job: string): string[] {
  return jobFiles.filter((file) => file === `${job}.sql` || (file.startsWith(`${job}.`) && file.endsWith('.sql')));
}

/** One warm connection and one for databases, and checks over it that show that they end within the job's bound. */
export interface Watch {
  check(job: AnyJob): Promise<CheckResult>;
  pids(): number[];
  close(): Promise<void>;
}

export function watch(url: string): Watch {
  const reader = new Reader({ name: 'main', url });
  const lane = new SlowLane({ name: 'main', url });
  const target = { name: 'test', nodes: [{ name: 'main', reader, lane }], protectedBecause: () => null };
  return {
    check: async (job) => {
      const thresholds = Object.fromEntries(Object.keys(job.thresholds).map((name) => [name, 0]));
      const startedAt = performance.now();
      const { result } = await checkTarget(job, target, thresholds);
      expect(performance.now() - startedAt).toBeLessThan(boundMs(job));
      expect(result.job).toBe(job.name);
      return result;
    },
    pids: () => reader.pids(),
    close: async () => {
      await Promise.all([reader.close(), lane.close()]);
    },
  };
}

/** Each statement, and the probe before them, may take its 3 s or 5 s and 2 s of grace; the rest is a busy machine. */
function boundMs(job: AnyJob): number {
  const statementMs = job.scope === 'database' ? 7_000 : 5_000;
  return (statementsOf(job.name).length + 1) * statementMs + 5_000;
}
