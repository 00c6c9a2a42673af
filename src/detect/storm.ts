/** DEFAULTS: a storm is looked at so often; a slow look doubles that; it ends after so long, whatever is seen. */
const everySeconds = 3;
const slowMs = 200;
const slowestSeconds = 30;
const forSeconds = 600;
/** Between two hand-overs a look may see nobody wait: only so much later is it another storm. */
const calmSeconds = 60;

/** The storm that a job is in on a target, as it is stored with the check: it holds across replicas. */
export interface StormPace {
  since: Date;
  seenAt: Date;
  everySeconds: number;
  /** When an entry for the next look is due; null once it has lasted for too long. */
  nextAt: Date | null;
}

export interface Look {
  isStorm: boolean;
  durationMs: number;
  now: Date;
}

export type Paced =
  | { reason: 'calm'; pace: StormPace | null; nextInSeconds: null }
  /** The next look is due already, or the last one: the ordinary schedule goes on. */
  | { reason: 'expected' | 'too-long'; pace: StormPace; nextInSeconds: null }
  | { reason: 'began' | 'lasts' | 'slowed'; pace: StormPace; nextInSeconds: number };

/** When to look next, beside the job's schedule. Pure. A lost entry costs nothing: the look after it makes another. */
export function paceStorm(before: StormPace | null, { isStorm, durationMs, now }: Look): Paced {
  const last = before && now.getTime() - before.seenAt.getTime() <= calmSeconds * 1000 ? before : null;
  if (!isStorm) return { reason: 'calm', pace: last, nextInSeconds: null };
  const isSlow = durationMs > slowMs;
  const usual = last?.everySeconds ?? everySeconds;
  const every = isSlow ? Math.min(slowestSeconds, usual * 2) : usual;
  const pace = { since: last?.since ?? now, seenAt: now, everySeconds: every };
  if (now.getTime() - pace.since.getTime() >= forSeconds * 1000)
    return { reason: 'too-long', pace: { ...pace, nextAt: null }, nextInSeconds: null };
  // An entry may be early by what two clocks differ. Of less than half an interval, or two would take turns for ever.
  const slackMs = (every * 1000) / 3;
  if (last?.nextAt && last.nextAt.getTime() > now.getTime() + slackMs)
    return { reason: 'expected', pace: { ...pace, nextAt: last.nextAt }, nextInSeconds: null };
  const nextAt = new Date(now.getTime() + every * 1000);
  return { reason: last ? (isSlow ? 'slowed' : 'lasts') : 'began', pace: { ...pace, nextAt }, nextInSeconds: every };
}
