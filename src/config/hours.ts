/** A time of the week at which a target may be worked on, by the clock on the wall in its time zone. */
export interface Window {
  /** As it is written: "Mon-Fri 22:00-04:00". */
  text: string;
  /** The days on which it begins; 0 is Sunday. */
  days: readonly number[];
  /** Minutes of that day. */
  from: number;
  /** Minutes from the start of that day; over midnight it is more than a day has. */
  until: number;
}

/** A time in which nothing is begun; both ends as epoch milliseconds of a wall clock that stood on UTC. */
export interface Freeze {
  from: number;
  until: number;
  reason: string;
}

/** A moment by the clock on the wall, and whether only its day was written. */
export interface WallTime {
  at: number;
  isDay: boolean;
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
export const minutesOfDay = 1_440;
const dayMs = minutesOfDay * 60_000;

/** `Sun 02:00-05:00`, `Mon-Fri 22:00-04:00`, `Sat,Sun 00:00-24:00`; without days it is every day. Null for anything else. */
export function parseWindow(written: string): Window | null {
  const text = written.trim();
  const [, words, from, until] = /^(?:([a-z,-]+)\s+)?([\d:]+)-([\d:]+)$/i.exec(text) ?? [];
  const days = words === undefined ? dayNames.map((_, day) => day) : parseDays(words);
  const [start, end] = [minutesOf(from), minutesOf(until)];
  if (days === null || start === null || end === null || start === end || start === minutesOfDay) return null;
  return { text, days, from: start, until: end < start ? end + minutesOfDay : end };
}

/** `2026-12-20` or `2026-12-20 18:00`. Null for anything else. */
export function parseWallTime(written: string): WallTime | null {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?$/.exec(written.trim()) ?? [];
  const at = Date.parse(`${day}T${time ?? '00:00'}:00Z`);
  const isMoment = day !== undefined && new Date(at || 0).toISOString().startsWith(day);
  return isMoment ? { at, isDay: time === undefined } : null;
}

/** The last moment of it: a day is over when the next one begins. */
export function endOf({ at, isDay }: WallTime): number {
  return isDay ? at + dayMs : at;
}

/** A range may go over Sunday: `Fri-Mon`. */
function parseDays(words: string): number[] | null {
  const days = words
    .toLowerCase()
    .split(',')
    .flatMap((word): (number | null)[] => {
      const [first, last = first, ...rest] = word.split('-').map((name) => dayNames.indexOf(name));
      if (first === undefined || last === undefined || first < 0 || last < 0 || rest.length > 0) return [null];
      const count = ((last - first + 7) % 7) + 1;
      return Array.from({ length: count }, (_, index) => (first + index) % 7);
    });
  return days.includes(null) ? null : [...new Set(days as number[])];
}

function minutesOf(time: string | undefined): number | null {
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(time ?? '') ?? [];
  const total = Number(hours) * 60 + Number(minutes);
  return hours !== undefined && Number(minutes) < 60 && total <= minutesOfDay ? total : null;
}
