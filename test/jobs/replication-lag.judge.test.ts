import { describe, expect, it } from 'vitest';
import { type LagMemory, rememberLag } from '../../jobs/replication-lag.memory.ts';
import type { Answers, NodeFacts, Position, Sender } from '../../jobs/replication-lag.standbys.ts';
import { replicationLag } from '../../jobs/replication-lag.ts';

const gib = 1_073_741_824;
const position: Position = {
  written: null,
  received: 0,
  replayed: 0,
  isPaused: false,
  delaySeconds: 0,
  replayAgeSeconds: 0,
  hasArchive: false,
  hasReceiver: true,
  receiverStatus: 'streaming',
  silentSeconds: 1,
  slot: null,
  application: 'b',
};
const role = { isStandby: true, systemIdentifier: '7', timeline: 1, login: 'monitor', seesAll: true };
const limits = Object.fromEntries(
  Object.entries(replicationLag.thresholds).map(([name, one]) => [name, one.default]),
) as Record<keyof typeof replicationLag.thresholds, number>;

const answer = (node: string, isStandby: boolean, facts: NodeFacts | null): Answers[number] => {
  return { node, role: facts && { ...role, isStandby }, facts, error: facts ? null : 'refused' };
};
const sender = (replayed: number): Sender => ({
  application: 'b',
  client: '10.0.0.7',
  state: 'streaming',
  slot: null,
  isLogical: false,
  sent: replayed,
  flushed: replayed,
  replayed,
  replayLagSeconds: null,
});

/** A primary at `written`, and a standby b as told; null is one that does not answer. */
function seen(written: number, standby: Partial<Position> | null, listed: Sender[] = [sender(0)]): Answers {
  const replica = standby && { position: { ...position, ...standby }, senders: [] };
  return [answer('a', false, { position: { ...position, written }, senders: listed }), answer('b', true, replica)];
}

/** Looks, each so many seconds after the first, and what is found at the last. */
function judge(looks: [seconds: number, Answers][]) {
  const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);
  const memory = looks.reduce<LagMemory | null>((before, [s, answers]) => rememberLag(answers, before, at(s)), null);
  const [seconds, answers] = looks.at(-1) ?? [0, []];
  const context = { thresholds: limits, now: at(seconds), isProduction: true, memory: memory ?? undefined };
  return replicationLag.judge(answers, { ...context, protectedBecause: () => null, history: () => [] });
}
const verdict = (looks: [number, Answers][]) =>
  judge(looks).findings.map(({ severity, title }) => `${severity}: ${title}`);

const steady = (written: number, replayed: number, more: Partial<Position> = {}) =>
  seen(written, { received: written, replayed, ...more });
const missing = { received: 0, replayed: 0, hasReceiver: false, receiverStatus: null };

describe('replication-lag, by what the nodes say', () => {
  it.each<[string, [number, Answers][], string[]]>([
    ['an idle primary', [[0, steady(gib, gib, { replayAgeSeconds: 90_000 })]], []],
    ['bytes that are nothing, after a long idle time', [[0, steady(100, 0, { replayAgeSeconds: 90_000 })]], []],
    ['1 GiB at the first look', [[0, steady(gib, 0)]], ['warning: standby b is 1.0 GB behind']],
    [
      '1 GiB that is less than a minute ago',
      [
        [0, steady(3 * gib, gib)],
        [60, steady(3 * gib, 2 * gib)],
      ],
      [],
    ],
    ['10 GiB', [[0, steady(10 * gib, 0)]], ['critical: standby b is 10 GB behind']],
    [
      'few bytes that were written 5 min ago',
      [
        [0, steady(100, 0)],
        [300, steady(100, 0)],
      ],
      ['warning: standby b is 100 bytes and 5 min behind'],
    ],
    [
      'few bytes at each look, but others each time',
      [
        [0, steady(100, 0)],
        [300, steady(200, 100)],
        [600, steady(300, 200)],
      ],
      [],
    ],
    [
      'as late as it is told to be',
      [
        [0, steady(gib, gib, { delaySeconds: 600 })],
        [300, steady(9 * gib, gib, { delaySeconds: 600 })],
        [800, steady(9 * gib, gib, { delaySeconds: 600 })],
      ],
      [],
    ],
    [
      'later than it is told to be',
      [
        [0, steady(gib, gib, { delaySeconds: 600 })],
        [300, steady(9 * gib, gib, { delaySeconds: 600 })],
        [1_300, steady(9 * gib, gib, { delaySeconds: 600 })],
      ],
      ['warning: standby b is 8.0 GB and 16 min 40 s behind'],
    ],
    ['no receiver at the first look', [[0, seen(0, missing, [])]], ['critical: standby b streams from nobody']],
    ['no receiver, but an archive', [[0, seen(0, { ...missing, hasArchive: true }, [])]], []],
    [
      'no receiver for a minute',
      [
        [0, steady(0, 0)],
        [30, seen(0, missing, [])],
        [90, seen(0, missing, [])],
      ],
      [],
    ],
    [
      'no receiver for long',
      [
        [0, steady(0, 0)],
        [30, seen(0, missing, [])],
        [180, seen(0, missing, [])],
      ],
      ['critical: standby b streams from nobody'],
    ],
    [
      'a receiver that hears nothing while the primary writes',
      [[0, seen(100, { received: 0, silentSeconds: 121 })]],
      ['critical: standby b streams from nobody'],
    ],
    ['a receiver that hears nothing because there is nothing', [[0, seen(0, { silentSeconds: 9_000 })]], []],
  ])('%s', (_, looks, expected) => {
    expect(verdict(looks)).toEqual(expected);
  });

  it('knows a standby that does not answer by what its primary lists, once it has answered', () => {
    const silent = judge([
      [0, steady(0, 0)],
      [30, seen(2 * gib, null, [sender(gib)])],
    ]);
    expect(silent.unjudged).toEqual([]);
    expect(silent.findings).toMatchObject([
      { node: 'b', severity: 'warning', facts: { upstream: 'a', isPaused: null } },
    ]);
    const never = judge([[30, seen(0, null, [])]]);
    expect(never).toMatchObject({ findings: [], unjudged: [{ node: 'b' }] });
  });

  it('keeps as many looks as a delay needs, and no more', () => {
    let memory: LagMemory | null = null;
    for (let look = 0; look < 3_000; look++) {
      const answers = steady(look, look, { delaySeconds: 36_000 });
      memory = rememberLag(answers, memory, new Date(1_700_000_000_000 + look * 30_000));
    }
    const heads = memory?.heads ?? [];
    expect(heads.length).toBeLessThan(120);
    expect((heads.at(-1)?.[0] ?? 0) - (heads[0]?.[0] ?? 0)).toBeGreaterThan(36_000);
  });
});
