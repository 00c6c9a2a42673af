import type { Point } from '../../src/detect/job.ts';

interface Course {
  /** The figure now. */
  value: number;
  now: Date;
  /** As `history` gives it: oldest first. */
  past: readonly Point[];
  windowSeconds: number;
}

/** How much a figure grew a second since the oldest sample in the window; null where nothing of long enough ago is known. */
export function perSecond({ value, now, past, windowSeconds }: Course): number | null {
  const since = past.find(({ at }) => now.getTime() - at.getTime() <= windowSeconds * 1000);
  const seconds = since ? (now.getTime() - since.at.getTime()) / 1000 : 0;
  // Over less than a third of the window one burst would pass for a rate.
  return since && seconds >= windowSeconds / 3 ? (value - since.value) / seconds : null;
}

/** In how many seconds a growing figure reaches a limit; null where it does not grow or its rate is not known. */
export function secondsUntil(limit: number, course: Course): number | null {
  const rate = perSecond(course);
  return rate !== null && rate > 0 ? Math.max(0, limit - course.value) / rate : null;
}
