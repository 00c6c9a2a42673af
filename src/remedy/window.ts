import { type Freeze, minutesOfDay, type Window } from '../config/hours.ts';
import type { RunbookClass } from '../model.ts';

/** When runs that last or change something may begin on a target; without windows that is always. */
export interface Calendar {
  timezone: string;
  windows: readonly Window[];
  freezes: readonly Freeze[];
}

export type Opening =
  | { isOpen: true; why: string | null }
  /** `opensAt` is null where that is further away than anybody plans. */
  | { isOpen: false; why: string; opensAt: Date | null };

/** A signal is what helps at 3 a.m.: windows and freezes are for the others. */
export function isBound(runbookClass: RunbookClass): boolean {
  return runbookClass !== 'signal';
}

/**
 * Whether the calendar is open at that moment; else why not, and when it opens. It goes by the clock on the wall: where
 * the clocks are put forward a window is shorter by what is left out, where they are put back it is longer.
 */
export function findOpening(calendar: Calendar, now: Date): Opening {
  const toWall = wallClock(calendar.timezone);
  const closed = whyClosed(calendar, toWall(now.getTime()));
  if (closed) return { isOpen: false, why: closed.why, opensAt: nextOpening(calendar, toWall, now.getTime()) };
  return { isOpen: true, why: calendar.windows.length === 0 ? null : `within its windows (${listWindows(calendar)})` };
}

/** "Sun 22 Nov 02:00 (Europe/Berlin)". */
export function formatMoment(at: Date, timezone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  return `${format.format(at).replaceAll(',', '')} (${timezone})`;
}

interface Closed {
  why: string;
  /** Whole minutes, as the clock on the wall goes, unless it is put forward or back before. */
  forMs: number;
}

const minuteMs = 60_000;
const dayMs = minutesOfDay * minuteMs;
/** A jump goes to a window, a freeze's end or the day on which clocks change: more than that is no calendar. */
const maxJumps = 200;
const maxDays = 400;

/** Goes from one moment that may change something to the next. */
function nextOpening(calendar: Calendar, toWall: (at: number) => number, now: number): Date | null {
  let at = Math.floor(now / minuteMs) * minuteMs;
  for (let jump = 0; jump < maxJumps && at - now < maxDays * dayMs; jump++) {
    const closed = whyClosed(calendar, toWall(at));
    if (!closed) return new Date(at);
    at = advance(at, closed.forMs, toWall);
  }
  return null;
}

/** So much later, or at the moment in between at which the clocks are changed. */
function advance(at: number, ms: number, toWall: (at: number) => number): number {
  const offset = toWall(at) - at;
  let [before, after] = [at, at + ms];
  if (toWall(after) - after === offset) return after;
  while (after - before > minuteMs) {
    const middle = before + Math.floor((after - before) / 2 / minuteMs) * minuteMs;
    if (toWall(middle) - middle === offset) before = middle;
    else after = middle;
  }
  return after;
}

function whyClosed(calendar: Calendar, wall: number): Closed | null {
  const freeze = calendar.freezes.find(({ from, until }) => from <= wall && wall < until);
  if (freeze) {
    const until = formatMoment(new Date(freeze.until), 'UTC').replace('UTC', calendar.timezone);
    const forMs = Math.ceil((freeze.until - wall) / minuteMs) * minuteMs;
    return { why: `frozen until ${until}: ${freeze.reason}`, forMs };
  }
  const minutes = Math.min(...calendar.windows.map((window) => minutesUntil(window, wall)));
  if (minutes <= 0 || calendar.windows.length === 0) return null;
  return { why: `outside its windows (${listWindows(calendar)})`, forMs: minutes * minuteMs };
}

function listWindows({ windows, timezone }: Calendar): string {
  return `${windows.map(({ text }) => text).join(', ')}, ${timezone}`;
}

/** Until a window opens; 0 within it. */
function minutesUntil({ days, from, until }: Window, wall: number): number {
  const at = new Date(wall);
  const minute = at.getUTCHours() * 60 + at.getUTCMinutes();
  // From yesterday, whose window may last over midnight, to this day in a week.
  const distances = Array.from({ length: 9 }, (_, index) => index - 1)
    .filter((day) => days.includes((at.getUTCDay() + day + 7) % 7))
    .map((day) => ({ opens: day * minutesOfDay + from - minute, closes: day * minutesOfDay + until - minute }))
    .filter(({ closes }) => closes > 0);
  return Math.min(...distances.map(({ opens }) => Math.max(0, opens)));
}

/** Epoch milliseconds into those that a clock on the wall of this time zone would show if it stood on UTC. */
function wallClock(timezone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute);
  };
}
