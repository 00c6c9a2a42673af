import cron, { type ScheduledTask } from 'node-cron';

export interface Ticking {
  job: string;
  schedule: string;
  targets: readonly string[];
}

/** Starts one schedule a job; each tick is told with its nominal time, the same in every replica. */
export function startTicks(
  jobs: readonly Ticking[],
  onTick: (job: string, target: string, at: Date) => Promise<void>,
): { stop(): Promise<void> } {
  const tasks = jobs.map(
    ({ job, schedule, targets }): ScheduledTask =>
      cron.schedule(
        schedule,
        async ({ date }) => {
          const at = new Date(date);
          await Promise.all(targets.map((target) => onTick(job, target, at)));
        },
        { name: job, timezone: 'UTC', suppressMissedWarning: true },
      ),
  );
  return {
    stop: async () => {
      await Promise.all(tasks.map((task) => task.destroy()));
    },
  };
}
