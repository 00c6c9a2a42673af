import { describe, expect, it } from 'vitest';
import type { ErrorCounts, Subscription } from '../../jobs/logical-replication.memory.ts';
import { logicalReplication, type Replication } from '../../jobs/logical-replication.ts';

const hour = 3_600;
const start = 1_700_000_000;
const well: Subscription = {
  name: 'crm',
  isEnabled: true,
  slot: 'crm',
  publications: ['shop'],
  isIdentified: true,
  pid: 100,
  silentSeconds: 1,
  tableCount: 3,
  notReadyCount: 0,
  notReady: {},
  running: 1,
  maxWorkers: 4,
  errors: null,
};
const counted = (errors: number): ErrorCounts => ({ errors, isDisabledByErrors: false, conflicts: {} });
const copying = { notReadyCount: 1, notReady: { 'public.orders': 'd' } };

type Look = [seconds: number, seen: Partial<Subscription>];

/** What is said at the last of these looks, each of which knows of those before. */
function judge(...looks: Look[]) {
  let memory = null as Parameters<NonNullable<typeof logicalReplication.remember>>[1];
  let facts: Replication = { subscriptions: [], published: { database: 'shop', tables: [] } };
  let now = new Date();
  for (const [seconds, seen] of looks) {
    now = new Date((start + seconds) * 1000);
    facts = { ...facts, subscriptions: [{ ...well, ...seen }] };
    memory = logicalReplication.remember?.(facts, memory, now) ?? null;
  }
  return logicalReplication.judge(facts, {
    thresholds: { notReadySeconds: hour, errorSeconds: 900 },
    now,
    node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
    protectedBecause: () => null,
    history: () => [],
    memory: memory ?? undefined,
  });
}
const troubleOf = (...looks: Look[]) => judge(...looks).findings[0]?.facts['trouble'] ?? null;

describe('logical-replication, by what its looks saw', () => {
  it.each<[string, Look[], string | null]>([
    [
      'a worker that stays',
      [
        [0, {}],
        [60, {}],
      ],
      null,
    ],
    ['no worker', [[0, { pid: null }]], 'no-worker'],
    [
      'another worker than before',
      [
        [0, {}],
        [60, { pid: 200 }],
      ],
      'no-worker',
    ],
    [
      'a worker in place of none, which may end as soon',
      [
        [0, { pid: null }],
        [60, {}],
      ],
      'no-worker',
    ],
    [
      'the same worker again',
      [
        [0, {}],
        [60, { pid: 200 }],
        [120, { pid: 200 }],
      ],
      null,
    ],
    ['one that somebody disabled', [[0, { isEnabled: false, pid: null }]], 'disabled'],
  ])('%s', (_, looks, trouble) => {
    expect(troubleOf(...looks)).toBe(trouble);
  });

  it.each<[string, Look[], string | null]>([
    [
      'errors of before we looked',
      [
        [0, { errors: counted(9) }],
        [60, { errors: counted(9) }],
      ],
      null,
    ],
    [
      'one more',
      [
        [0, { errors: counted(9) }],
        [60, { errors: counted(10) }],
      ],
      null,
    ],
    [
      'more at two looks',
      [
        [0, { errors: counted(0) }],
        [60, { errors: counted(1) }],
        [600, { errors: counted(2) }],
      ],
      'errors',
    ],
    [
      'more at two looks, far apart',
      [
        [0, { errors: counted(0) }],
        [60, { errors: counted(1) }],
        [1_000, { errors: counted(2) }],
      ],
      null,
    ],
    [
      'counts that were reset',
      [
        [0, { errors: counted(9) }],
        [60, { errors: counted(1) }],
        [120, { errors: counted(0) }],
      ],
      null,
    ],
    [
      'one that was to be disabled by them',
      [[0, { isEnabled: false, errors: { ...counted(1), isDisabledByErrors: true } }]],
      'disabled-by-errors',
    ],
    [
      'one that was to be, and has met none',
      [[0, { isEnabled: false, errors: { ...counted(0), isDisabledByErrors: true } }]],
      'disabled',
    ],
  ])('%s', (_, looks, trouble) => {
    expect(troubleOf(...looks)).toBe(trouble);
  });

  it.each<[string, Look[], string | null]>([
    [
      'a table that is being copied',
      [
        [0, copying],
        [hour - 1, copying],
      ],
      null,
    ],
    [
      'one that is for an hour',
      [
        [0, copying],
        [hour, copying],
      ],
      'not-ready',
    ],
    [
      'one that began anew in between',
      [
        [0, copying],
        [60, {}],
        [120, copying],
        [hour, copying],
      ],
      null,
    ],
  ])('%s', (_, looks, trouble) => {
    expect(troubleOf(...looks)).toBe(trouble);
  });

  it('says at a first look alone that it does not know since when', () => {
    expect(judge([0, copying]).unjudged).toHaveLength(1);
    expect(judge([0, copying], [60, copying]).unjudged).toEqual([]);
  });

  it('says why no worker can start where others have taken all', () => {
    const [finding] = judge([0, { pid: null, running: 4 }]).findings;
    expect(finding?.summary).toContain('All 4 workers of max_logical_replication_workers are taken by others.');
  });

  it('keeps its title while the figures change', () => {
    const late: Look[] = [
      [0, copying],
      [hour, copying],
    ];
    const later: Look[] = [
      ...late,
      [2 * hour, { notReadyCount: 2, notReady: { 'public.a': 'd', 'public.orders': 'd' } }],
    ];
    expect(judge(...later).findings[0]?.title).toBe(judge(...late).findings[0]?.title);
  });
});
