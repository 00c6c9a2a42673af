import cron, { type ScheduledTask } from 'node-cron';

export interface Ticking {
  job: string;
  schedule: string;
  targets: readonly string[];
}

/** When a schedule fires next, in a time zone; null for one that never does. */
export function nextRun(schedule: string, timezone: string): Date | null {
  const task = cron.createTask(schedule, () => {}, { timezone, suppressMissedWarning: true });
  try {
    task.start();
    return task.getNextRun();
  } finally {
    void task.destroy();
  }
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
