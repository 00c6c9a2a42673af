import { describe, expect, it } from 'vitest';
import type { LockFacts } from '../../jobs/lock-chains.chain.ts';
import type { ChainSession } from '../../jobs/lock-chains.graph.ts';
import { type LockMemory, recallLocks, rememberLocks } from '../../jobs/lock-chains.memory.ts';
import { lockChains } from '../../jobs/lock-chains.ts';
import { factsOf, session as sessionOf, type TestSession } from './lock-session.ts';

type Source = ChainSession['waitSource'];

const start = 1_800_000_000;
const dateOf = (second: number) => new Date((start + second) * 1000);

/** Session `pid` as it is read at a second, with all its times since then. */
function session(second: number, pid: number, changes: Partial<TestSession> & { since?: number } = {}): TestSession {
  const { since = 0, ...rest } = changes;
  const began = String((start + since) * 1e6);
  const seconds = second - since;
  const ages = { transactionSeconds: seconds, statementSeconds: seconds, stateSeconds: seconds };
  return sessionOf(pid, { state: 'active', xactStart: began, queryStart: began, ...ages, ...rest });
}

function waiter(second: number, pid: number, waitSeconds: number, waitSource: Source = 'waitstart'): TestSession {
  const lock = { lockType: 'tuple', mode: 'ExclusiveLock', lockDatabaseOid: 5, relationOid: 16_400 };
  return session(second, pid, { ...lock, blockedBy: [1], waitSeconds, waitSource });
}

const facts = (...sessions: TestSession[]): LockFacts => factsOf(sessions);
const nobody = facts();

/** What is remembered after these looks, each at its second. */
function after(...looks: [second: number, facts: LockFacts][]): LockMemory {
  return looks.reduce<LockMemory | null>(
    (before, [second, seen]) => rememberLocks(seen, before, dateOf(second)),
    null,
  ) as LockMemory;
}

/** The wait of pid 2 as the judge gets it at the last of these looks. */
function waitAfter(...looks: [second: number, facts: LockFacts][]) {
  const last = looks.at(-1)?.[1] ?? nobody;
  const found = recallLocks(last, after(...looks)).sessions.find(({ pid }) => pid === 2);
  return { seconds: found?.waitSeconds, source: found?.waitSource, place: found?.placeSeconds };
}

describe('a wait', () => {
  it.each<[string, [number, LockFacts][], object]>([
    ['is what its server says at the first look', [[50, facts(waiter(50, 2, 7))]], { seconds: 7, source: 'waitstart' }],
    [
      'is at most its statement at the first look where it is not dated',
      [[50, facts(waiter(50, 2, 50, 'query_start'))]],
      { seconds: 50, source: 'query_start', place: undefined },
    ],
    [
      'stays at most that long for who waited at the first look',
      [
        [50, facts(waiter(50, 2, 50, 'query_start'))],
        [60, facts(waiter(60, 2, 60, 'query_start'))],
      ],
      { seconds: 60, source: 'query_start' },
    ],
    [
      'begins when it is first seen where it is not dated, not with its statement',
      [
        [40, nobody],
        [50, facts(waiter(50, 2, 50, 'query_start'))],
        [60, facts(waiter(60, 2, 60, 'query_start'))],
      ],
      { seconds: 10, source: 'first-seen', place: undefined },
    ],
    [
      'is at most its statement again after a pause',
      [
        [40, nobody],
        [140, facts(waiter(140, 2, 140, 'query_start'))],
      ],
      { seconds: 140, source: 'query_start' },
    ],
    [
      'that was seen to begin stays known to the second after a pause',
      [
        [40, nobody],
        [50, facts(waiter(50, 2, 50, 'query_start'))],
        [150, facts(waiter(150, 2, 150, 'query_start'))],
      ],
      { seconds: 100, source: 'first-seen' },
    ],
    [
      'goes on when its place in the queue begins anew',
      [
        [10, facts(waiter(10, 2, 7))],
        [20, facts(waiter(20, 2, 0.5))],
        [30, facts(waiter(30, 2, 0.2))],
      ],
      { seconds: 27, source: 'first-seen', place: 0.2 },
    ],
    [
      'goes on after looks that did not see it, without that time',
      [
        [10, facts(waiter(10, 2, 7))],
        [20, nobody],
        [30, facts(waiter(30, 2, 0.2))],
      ],
      { seconds: 17, source: 'first-seen' },
    ],
    [
      'begins anew when it was not seen for more than a minute',
      [
        [10, facts(waiter(10, 2, 7))],
        [45, nobody],
        [75, nobody],
        [80, facts(waiter(80, 2, 0.2))],
      ],
      { seconds: 0.2, source: 'waitstart' },
    ],
    [
      'is as read where the role may not know the statement',
      [
        [10, facts({ ...waiter(10, 2, 7), queryStart: null })],
        [20, facts({ ...waiter(20, 2, 1), queryStart: null })],
      ],
      { seconds: 1, source: 'waitstart' },
    ],
  ])('%s', (_, looks, expected) => {
    const { seconds, ...wait } = waitAfter(...looks);
    const { seconds: expectedSeconds, ...rest } = expected as { seconds: number };
    expect(seconds).toBeCloseTo(expectedSeconds, 2);
    expect(wait).toMatchObject(rest);
  });

  it('of another statement of the same session is another wait', () => {
    const next = { ...waiter(20, 2, 1), queryStart: String((start + 19) * 1e6), statementSeconds: 1 };
    expect(waitAfter([10, facts(waiter(10, 2, 7))], [20, facts(next)])).toMatchObject({ seconds: 1 });
  });
});

it('is never larger than 5,000 waits, and keeps those that are seen now', () => {
  const many = (second: number, from: number) =>
    facts(...Array.from({ length: 4_000 }, (_, index) => waiter(second, from + index, 1)));
  const { waits } = after([10, many(10, 1)], [20, many(20, 10_000)]);
  expect(Object.keys(waits)).toHaveLength(5_000);
  expect(Object.keys(waits).filter((key) => Number(key.split('/')[0]) >= 10_000)).toHaveLength(4_000);
});

describe('a root', () => {
  const thresholds = { minWaitSeconds: 20, criticalWaitSeconds: 300, criticalVictims: 50 };
  const node = { name: 'main', isStandby: false, role: 'monitor', seesAll: true };
  const judge = (...looks: [number, LockFacts][]) =>
    lockChains.judge(looks.at(-1)?.[1] ?? nobody, {
      thresholds,
      now: dateOf(looks.at(-1)?.[0] ?? 0),
      node,
      protectedBecause: () => null,
      history: () => [],
      memory: after(...looks),
    }).findings[0];
  const undated = (second: number, root: TestSession) =>
    facts(root, ...[2, 3].map((pid) => ({ ...waiter(second, pid, second, 'query_start'), blockedBy: [root.pid] })));

  it('that others waited for before it blocked anybody got the lock by hand-over', () => {
    const looks = [0, 10, 20, 30].map((second): [number, LockFacts] => {
      return [second, second === 0 ? nobody : undated(second, session(second, 10 + second))];
    });
    const finding = judge(...looks);
    expect(finding?.title).toBe('2 sessions wait in turn for a row of relation 16400');
    expect(finding?.summary).toContain('Who wants it: web (role app) 3 sessions.');
    expect(finding?.runbooks).toEqual([]);
  });

  it('that blocked them all the time is offered', () => {
    const looks = [0, 10, 20, 30].map((second): [number, LockFacts] => {
      return [second, second === 0 ? nobody : undated(second, session(second, 1))];
    });
    const finding = judge(...looks);
    expect(finding?.title).toBe('2 sessions wait behind one running statement');
    expect(finding?.runbooks.map((offer) => offer.name)).toEqual(['cancel-query']);
  });
});
