import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWallTime, parseWindow } from '../../src/config/hours.ts';
import { type Calendar, findOpening, formatMoment, isBound } from '../../src/remedy/window.ts';

const berlin = 'Europe/Berlin';

function calendar(windows: string[], timezone = 'UTC', freezes: [from: string, until: string][] = []): Calendar {
  return {
    timezone,
    windows: windows.map((text) => parseWindow(text) ?? expect.fail(`${text} is no window`)),
    freezes: freezes.map(([from, until]) => ({ from: wall(from), until: wall(until), reason: 'end of year' })),
  };
}

function wall(text: string): number {
  return parseWallTime(text)?.at ?? expect.fail(`${text} is no time`);
}

/** 'open', or the moment at which it opens, in UTC. */
function opening(at: Calendar, now: string): string | null {
  const found = findOpening(at, new Date(now));
  if (found.isOpen) return 'open';
  return found.opensAt?.toISOString().slice(0, 16) ?? null;
}

describe('a calendar', () => {
  it.each([
    ['without windows', [], '2026-11-21T12:00:00Z', 'open'],
    // 21 November 2026 is a Saturday.
    ['before its window', ['Sun 02:00-05:00'], '2026-11-21T12:00:30Z', '2026-11-22T02:00'],
    ['at its first second', ['Sun 02:00-05:00'], '2026-11-22T02:00:00Z', 'open'],
    ['at its last second', ['Sun 02:00-05:00'], '2026-11-22T04:59:59Z', 'open'],
    ['at its end', ['Sun 02:00-05:00'], '2026-11-22T05:00:00Z', '2026-11-29T02:00'],
    ['with two windows', ['Sun 02:00-05:00', 'Wed 03:00-04:00'], '2026-11-22T05:00:00Z', '2026-11-25T03:00'],
    ['on another day', ['Mon-Fri 22:00-23:00'], '2026-11-21T22:30:00Z', '2026-11-23T22:00'],
    ['over midnight, before it', ['Mon-Fri 22:00-04:00'], '2026-11-23T23:59:00Z', 'open'],
    ['over midnight, after it', ['Mon-Fri 22:00-04:00'], '2026-11-24T03:59:00Z', 'open'],
    ['over midnight, on the morning after its last day', ['Mon-Fri 22:00-04:00'], '2026-11-28T03:00:00Z', 'open'],
    ['over midnight, on the day before its first', ['Mon-Fri 22:00-04:00'], '2026-11-23T03:00:00Z', '2026-11-23T22:00'],
    ['every day', ['02:00-05:00'], '2026-11-21T05:00:00Z', '2026-11-22T02:00'],
    ['all of Saturday', ['Sat 00:00-24:00'], '2026-11-21T23:59:59Z', 'open'],
    ['over the end of the week', ['Sat 23:00-01:00'], '2026-11-22T00:30:00Z', 'open'],
  ])('%s', (_, windows, now, expected) => {
    expect(opening(calendar(windows), now)).toBe(expected);
  });

  it.each([
    ['is that of the target', ['Sun 02:00-05:00'], berlin, '2026-11-22T00:59:00Z', '2026-11-22T01:00'],
    ['may be half an hour off', ['Sun 02:00-05:00'], 'Asia/Kolkata', '2026-11-21T12:00:00Z', '2026-11-21T20:30'],
    // Berlin: 28 March 2027 02:00 → 03:00; 31 October 2027 03:00 → 02:00.
    ['opens later in summer time', ['Mon 02:00-05:00'], berlin, '2027-03-27T12:00:00Z', '2027-03-29T00:00'],
    [
      'opens at the jump where its start is left out',
      ['Sun 02:30-05:00'],
      berlin,
      '2027-03-27T12:00:00Z',
      '2027-03-28T01:00',
    ],
    ['is open at that jump', ['Sun 02:30-05:00'], berlin, '2027-03-28T01:00:00Z', 'open'],
    [
      'never opens where all of it is left out',
      ['Sun 02:00-03:00'],
      berlin,
      '2027-03-27T12:00:00Z',
      '2027-04-04T00:00',
    ],
    ['is an hour longer where it comes twice', ['Sun 02:00-05:00'], berlin, '2027-10-31T00:00:00Z', 'open'],
    ['is still open then', ['Sun 02:00-05:00'], berlin, '2027-10-31T03:59:00Z', 'open'],
    [
      'opens twice where it lies within that hour',
      ['Sun 02:15-02:45'],
      berlin,
      '2027-10-31T00:50:00Z',
      '2027-10-31T01:15',
    ],
  ])('by the clock of its time zone %s', (_, windows, timezone, now, expected) => {
    expect(opening(calendar(windows, timezone), now)).toBe(expected);
  });

  it.each([
    ['holds back what has no window', [], '2026-12-24T12:00:00Z', '2027-01-06T23:00'],
    ['holds back what has one, to the next', ['Sun 02:00-05:00'], '2026-12-24T12:00:00Z', '2027-01-10T01:00'],
    ['is not there before', ['Sun 02:00-05:00'], '2026-12-19T12:00:00Z', '2027-01-10T01:00'],
    ['is over at its end', [], '2027-01-06T23:00:00Z', 'open'],
  ])('a freeze %s', (_, windows, now, expected) => {
    expect(opening(calendar(windows, berlin, [['2026-12-20', '2027-01-07']]), now)).toBe(expected);
  });

  it('with a freeze that ends within a minute opens with the next', () => {
    const at = calendar([], berlin, [['2026-12-20', '2027-01-07']]);
    const freezes = at.freezes.map((freeze) => ({ ...freeze, until: freeze.until + 1 }));
    expect(opening({ ...at, freezes }, '2026-12-24T12:00:00Z')).toBe('2027-01-06T23:01');
  });

  it('says why it is closed, and within what it is open', () => {
    const at = calendar(['Sun 02:00-05:00'], berlin, [['2026-12-20', '2027-01-07']]);
    expect(findOpening(at, new Date('2026-11-21T12:00:00Z'))).toMatchObject({
      why: 'outside its windows (Sun 02:00-05:00, Europe/Berlin)',
    });
    expect(findOpening(at, new Date('2026-11-22T01:30:00Z'))).toEqual({
      isOpen: true,
      why: 'within its windows (Sun 02:00-05:00, Europe/Berlin)',
    });
    expect(findOpening(at, new Date('2026-12-24T12:00:00Z'))).toMatchObject({
      why: 'frozen until Thu 7 Jan 00:00 (Europe/Berlin): end of year',
    });
  });

  it('that opens in no year that anybody plans for says so', () => {
    expect(opening(calendar([], 'UTC', [['2020-01-01', '2099-01-01']]), '2026-11-21T12:00:00Z')).toBeNull();
  });

  it('opens at the first minute that is open, whatever the windows and wherever the clocks change', () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const time = (at: number) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
    const window = fc
      .tuple(fc.constantFrom('Sat', 'Sun', 'Mon', 'Sat-Mon', 'Sun,Tue'), minute, minute)
      .filter(([, from, until]) => from !== until)
      .map(([days, from, until]) => `${days} ${time(from)}-${time(until)}`);
    // Days on which clocks change: Berlin, New York, Lord Howe (by half an hour), Santiago (at midnight).
    const place = fc.constantFrom(
      [berlin, '2027-03-28T00:00Z'],
      [berlin, '2027-10-31T00:00Z'],
      ['America/New_York', '2027-03-14T06:00Z'],
      ['Australia/Lord_Howe', '2027-04-03T14:00Z'],
      ['America/Santiago', '2027-09-05T03:00Z'],
    );
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 2 }),
        place,
        minute,
        (windows, [zone = '', day = ''], before) => {
          const at = calendar(windows, zone);
          const start = Date.parse(day) - before * 60_000;
          const found = findOpening(at, new Date(start));
          const end = found.isOpen ? start : (found.opensAt?.getTime() ?? 0);
          // Hour by hour up to the last, then minute by minute; each must be closed.
          const probes = Array.from({ length: 48 }, (_, index) => start + index * 37 * 60_000);
          const last = Array.from({ length: 60 }, (_, index) => end - (index + 1) * 60_000);
          for (const probe of [...probes, ...last].filter((one) => one >= start && one < end))
            expect(findOpening(at, new Date(probe)).isOpen, new Date(probe).toISOString()).toBe(false);
          expect(findOpening(at, new Date(end)).isOpen).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });
});

it('a moment is told in the time zone that it is for', () => {
  expect(formatMoment(new Date('2026-11-22T01:00:00Z'), berlin)).toBe('Sun 22 Nov 02:00 (Europe/Berlin)');
});

it('signals are bound by no window', () => {
  expect((['signal', 'maintain', 'ddl', 'replication', 'settings'] as const).filter(isBound)).toEqual([
    'maintain',
    'ddl',
    'replication',
    'settings',
  ]);
});

describe('a window as it is written', () => {
  it.each([
    ['Sun 02:00-05:00', { days: [0], from: 120, until: 300 }],
    [' mon-fri  22:00-04:00 ', { days: [1, 2, 3, 4, 5], from: 1_320, until: 1_680 }],
    ['Fri-Mon 1:00-2:30', { days: [5, 6, 0, 1], from: 60, until: 150 }],
    ['Sat,Sun 00:00-24:00', { days: [6, 0], from: 0, until: 1_440 }],
    ['Mon,Mon-Tue 01:00-02:00', { days: [1, 2], from: 60, until: 120 }],
    ['22:00-00:00', { days: [0, 1, 2, 3, 4, 5, 6], from: 1_320, until: 1_440 }],
  ])('%s is understood', (text, window) => {
    expect(parseWindow(text)).toEqual({ text: text.trim(), ...window });
  });

  it.each([
    '',
    'Sun',
    'Sun 02:00',
    'Sunday 02:00-05:00',
    'Mon- 02:00-05:00',
    'Mon-Tue-Wed 02:00-05:00',
    ',Mon 02:00-05:00',
    'Sun 02:00-02:00',
    'Sun 24:00-02:00',
    'Sun 02:60-05:00',
    'Sun 02:00-25:00',
    'Sun 2-5',
    'Sun 02:00 - 05:00',
  ])('"%s" is none', (text) => {
    expect(parseWindow(text)).toBeNull();
  });

  it.each([
    ['2026-12-20', { at: Date.UTC(2026, 11, 20), isDay: true }],
    ['2026-12-20 18:30', { at: Date.UTC(2026, 11, 20, 18, 30), isDay: false }],
    ['2026-12-20T18:30', { at: Date.UTC(2026, 11, 20, 18, 30), isDay: false }],
    ['2026-02-30', null],
    ['2026-12-20 24:30', null],
    ['20.12.2026', null],
    ['2026-12-20 18:30:00Z', null],
  ])('%s is a moment, or none', (text, moment) => {
    expect(parseWallTime(text)).toEqual(moment);
  });
});
