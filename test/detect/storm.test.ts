import { describe, expect, it, test } from 'vitest';
import { type Look, paceStorm, type StormPace } from '../../src/detect/storm.ts';

const at = (second: number) => new Date(1_800_000_000_000 + second * 1_000);
const pace = (changes: Partial<Record<'since' | 'seen' | 'next' | 'every', number>> = {}): StormPace => ({
  since: at(changes.since ?? 0),
  seenAt: at(changes.seen ?? 0),
  nextAt: at(changes.next ?? 3),
  everySeconds: changes.every ?? 3,
});
const look = (second: number, changes: Partial<Look> = {}): Look => {
  return { isStorm: true, durationMs: 20, now: at(second), ...changes };
};

test.each<[string, StormPace | null, Look, string, number | null]>([
  ['nothing is no storm', null, look(0, { isStorm: false }), 'calm', null],
  ['the first look at one is followed by another in 3 s', null, look(0), 'began', 3],
  ['so is each one while it lasts', pace(), look(3), 'lasts', 3],
  ['a tick in between makes no second entry', pace({ next: 3 }), look(1), 'expected', null],
  ['an entry that comes a little early by this clock counts', pace({ next: 3 }), look(2.5), 'lasts', 3],
  ['a lost entry is replaced by whoever looks next', pace({ next: 3 }), look(10), 'lasts', 3],
  ['a slow look doubles the interval', pace(), look(3, { durationMs: 201 }), 'slowed', 6],
  ['up to 30 s', pace({ every: 24 }), look(3, { durationMs: 900 }), 'slowed', 30],
  ['and a quick one leaves it', pace({ every: 24 }), look(3), 'lasts', 24],
  ['a first look that is slow begins slower', null, look(0, { durationMs: 201 }), 'began', 6],
  ['a calm look is not followed', pace(), look(3, { isStorm: false }), 'calm', null],
  ['ten minutes end it', pace({ seen: 597, next: 600 }), look(600), 'too-long', null],
  ['and it stays ended while it is seen', pace({ seen: 700 }), look(710), 'too-long', null],
  ['a minute without it makes the next one another', pace({ seen: 700 }), look(761), 'began', 3],
])('%s', (_, before, what, reason, nextInSeconds) => {
  expect(paceStorm(before, what)).toMatchObject({ reason, nextInSeconds });
});

describe('a storm', () => {
  it('is the same after a moment of calm, so that its ten minutes hold', () => {
    const calm = paceStorm(pace({ since: 0, seen: 30 }), look(33, { isStorm: false })).pace;
    expect(paceStorm(calm, look(43)).pace).toMatchObject({ since: at(0), seenAt: at(43), nextAt: at(46) });
  });

  it('that stays calm is forgotten', () => {
    expect(paceStorm(pace({ seen: 30 }), look(91, { isStorm: false })).pace).toBeNull();
  });
});
