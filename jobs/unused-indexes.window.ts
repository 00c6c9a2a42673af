import type { Point, Sample } from '../src/detect/job.ts';
import { type IndexRow, type Known, keyOf } from './unused-indexes.facts.ts';

export const daySeconds = 86_400;
/** What runs once a month has run in it, wherever it begins (pganalyze: 35 days). */
export const windowDays = 35;
const windowSeconds = windowDays * daySeconds;
/** So much of it has to be seen. */
const minSeenShare = 0.95;
/** A daily look comes some time sooner or later than the day before. */
const jitterSeconds = 6 * 3_600;

type History = (series: string, object?: string) => readonly Point[];

/** What is known of the last 35 days on a node. */
export interface Window {
  node: string;
  isStandby: boolean;
  source: 'samples' | 'server';
  /** Of the 35 days: seen, and how long ago the first look was. */
  seenDays: number;
  reachDays: number;
  isFull: boolean;
  /** How often the index was scanned, as far as that is known, and whether it was there all the time. */
  scansOf(index: IndexRow): { scans: number; isOld: boolean };
}

/** One look at a node: one of each day is kept. */
interface Look {
  atSeconds: number;
  /** When the counters began that it saw. */
  since: number;
  day: number;
  /** Where its sample is kept; null for the look of now. */
  sample: number | null;
}

interface Stretch {
  /** Scans before it, since the look before, are lost: counters began anew. */
  from: number;
  to: number;
  days: number;
}

/** Figures of one node and day: when it was looked at, when its counters began, and how often it scanned what. */
export function sampleOf({ node, facts: { server, indexes } }: Known): Sample[] {
  if (!server.isCounting) return [];
  const scans = indexes.flatMap((index) => (index.scans === null ? [] : [[keyOf(index), index.scans] as const]));
  const objects = { at: server.nowSeconds, since: server.countedSinceSeconds ?? 0, ...Object.fromEntries(scans) };
  return [{ series: seriesOf(node), objects }];
}

/** The last 35 days by what was sampled on a node, and by what it says now. Pure. */
export function windowOf({ node, isStandby, facts }: Known, history: History): Window {
  const now = facts.server.nowSeconds;
  const looks = looksOf({ node, isStandby, facts }, history);
  const stretches = looks.slice(1).map((look, at) => stretchBetween(looks[at] as Look, look));
  const begin = now - windowSeconds;
  const seen = stretches.map(({ from, to, days }) => Math.max(0, to - Math.max(from, begin)) / days);
  const seenDays = seen.reduce((sum, seconds) => sum + seconds, 0) / daySeconds;
  const reachDays = (now - (looks[0]?.atSeconds ?? now)) / daySeconds;
  const current = new Map(facts.indexes.map((index) => [keyOf(index), index.scans ?? undefined]));
  const isMonthEndSeen = stretches.some(({ from, to }) => endsMonth(Math.max(from, begin), to));
  return {
    node,
    isStandby,
    source: 'samples',
    seenDays,
    reachDays,
    isFull:
      reachDays >= windowDays - jitterSeconds / daySeconds && seenDays >= minSeenShare * windowDays && isMonthEndSeen,
    scansOf: (index) => countScans(keyOf(index), { node, looks, history, current }),
  };
}

/** All that one look tells: what the node counted since its counters began. Pure. */
export function windowOfCounters({ node, isStandby, facts: { server, indexes } }: Known): Window {
  const since = server.countedSinceSeconds ?? server.nowSeconds;
  const days = (server.nowSeconds - since) / daySeconds;
  const scans = new Map(indexes.map((index) => [keyOf(index), index.scans]));
  return {
    node,
    isStandby,
    source: 'server',
    seenDays: days,
    reachDays: days,
    isFull: days >= windowDays,
    scansOf: (index) => ({ scans: scans.get(keyOf(index)) ?? 0, isOld: scans.has(keyOf(index)) }),
  };
}

/** From the last one before the window on; the last is the look of now. */
function looksOf({ node, facts: { server } }: Known, history: History): Look[] {
  const since = pointsByDay(history(seriesOf(node), 'since'));
  const past = history(seriesOf(node), 'at')
    .map(({ at, value }) => ({
      atSeconds: value,
      since: since.get(at.getTime()) ?? 0,
      day: dayOf(value),
      sample: at.getTime(),
    }))
    .filter(({ atSeconds }) => atSeconds < server.nowSeconds);
  const begin = server.nowSeconds - windowSeconds + jitterSeconds;
  const first = Math.max(
    0,
    past.findLastIndex(({ atSeconds }) => atSeconds <= begin),
  );
  const now = { atSeconds: server.nowSeconds, day: dayOf(server.nowSeconds), sample: null };
  return [...past.slice(first), { ...now, since: server.countedSinceSeconds ?? 0 }];
}

/** Of a stretch of several days without a look one is seen. */
function stretchBetween(a: Look, b: Look): Stretch {
  return { from: countedFrom(a, b), to: b.atSeconds, days: Math.max(1, b.day - a.day) };
}

/** Counters that began at another time than within the stretch are another server's. */
function countedFrom(a: Look, b: Look): number {
  if (a.since === b.since) return a.atSeconds;
  return b.since > a.atSeconds && b.since <= b.atSeconds ? b.since : b.atSeconds;
}

/** Whether a month ended, in UTC: what runs then has had its chance. */
function endsMonth(from: number, to: number): boolean {
  const last = new Date(to * 1_000);
  return Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), 1) / 1_000 >= from;
}

interface Counting {
  node: string;
  looks: readonly Look[];
  history: History;
  current: ReadonlyMap<string, number | undefined>;
}

/** After a reset what is counted is what was added: neither does the window begin anew, nor does it never end. */
function countScans(key: string, { node, looks, history, current }: Counting): { scans: number; isOld: boolean } {
  const kept = pointsByDay(history(seriesOf(node), key));
  const valueAt = ({ sample }: Look) => (sample === null ? current.get(key) : kept.get(sample));
  let scans = 0;
  let before: { value: number; since: number } | null = null;
  for (const look of looks) {
    const value = valueAt(look);
    if (value === undefined) continue;
    const { since } = look;
    if (before) scans += before.since === since && value >= before.value ? value - before.value : value;
    before = { value, since };
  }
  const [first] = looks;
  return { scans, isOld: first !== undefined && valueAt(first) !== undefined };
}

function pointsByDay(points: readonly Point[]): Map<number, number> {
  return new Map(points.map(({ at, value }) => [at.getTime(), value]));
}

function dayOf(seconds: number): number {
  return Math.floor(seconds / daySeconds);
}

function seriesOf(node: string): string {
  return `scans ${node}`;
}
