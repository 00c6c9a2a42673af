import type { Checked } from '../detect/check.ts';
import { paceStorm } from '../detect/storm.ts';
import { readStorm, writeStorm } from '../state/checks.ts';
import type { Queryable } from '../state/database.ts';
import { keepStormSample, trimStormSamples } from '../state/storm-samples.ts';

/** Of more, the worst are kept. */
const mostAtOnce = 3;

/** Keeps what a check saw of a storm; returns in how many seconds to look again, or null where the schedule will do. */
export async function recordStorm(db: Queryable, { result, storms }: Checked): Promise<number | null> {
  const { job, target, durationMs } = result;
  const { before, now } = await readStorm(db, job, target);
  const isStorm = storms.length > 0;
  if (!isStorm && !before) return null;
  const { reason, pace, nextInSeconds } = paceStorm(before, { isStorm, durationMs, now });
  await writeStorm(db, { job, target, pace });
  if (reason === 'calm' || reason === 'too-long') return null;
  for (const storm of storms.slice(0, mostAtOnce))
    await keepStormSample(db, {
      ...storm,
      job,
      target,
      at: now,
      stormSince: pace.since,
      everySeconds: pace.everySeconds,
    });
  await trimStormSamples(db, { job, target, stormSince: pace.since });
  return nextInSeconds;
}
