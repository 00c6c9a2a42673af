import { describe, expect, it, test } from 'vitest';
import { type Debt, vacuumDebt } from '../../jobs/vacuum-debt.ts';
import type { JudgeContext } from '../../src/detect/job.ts';

const context: JudgeContext<typeof vacuumDebt.thresholds> = {
  thresholds: { overduePercent: 200, minRows: 10_000 },
  now: new Date(0),
  node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
  protectedBecause: () => null,
  history: () => [],
};
const debt: Debt = {
  oid: 16_400,
  schema: 'public',
  name: 'orders',
  file: '16401',
  vacuumedAt: '0',
  table: 'public.orders',
  isToast: false,
  deadRows: 100_000,
  deadLimit: 20_000,
  insertedRows: null,
  insertLimit: null,
  liveRows: 100_000,
  sizeBytes: 2 ** 30,
  isEnabled: true,
  isOn: true,
  vacuumedSecondsAgo: 86_400,
  isBeingVacuumed: false,
  workers: 1,
  maxWorkers: 3,
  holder: null,
  holderXids: null,
  holderSeconds: null,
};
const judge = (changes: Partial<Debt>) => vacuumDebt.judge([{ ...debt, ...changes }], context).findings[0];
const old = { holder: 'pid 4711', holderXids: 9, holderSeconds: 90_000 };

describe('vacuum-debt', () => {
  test.each<[string, Partial<Debt>, string | null]>([
    ['twice the threshold and no more', { deadRows: 40_000 }, null],
    ['more than twice', { deadRows: 40_001 }, 'dead'],
    ['many times, of a small table', { deadRows: 9_999, deadLimit: 60 }, null],
    ['inserted', { deadRows: 0, insertedRows: 50_000, insertLimit: 20_000 }, 'inserted'],
    ['inserted, where that calls for no vacuum', { deadRows: 0, insertedRows: 50_000 }, null],
  ])('%s', (_, changes, rows) => {
    expect(judge(changes)?.facts['rows'] ?? null).toBe(rows);
  });

  test.each<[string, Partial<Debt>, string]>([
    ['workers to spare', {}, 'cancelled'],
    ['no worker to spare', { workers: 3 }, 'starved'],
    ['off for the server', { isOn: false, isEnabled: false }, 'off'],
    ['off for the table', { isEnabled: false }, 'off-here'],
    ['at it now', { isBeingVacuumed: true, workers: 3 }, 'running'],
    ['vacuumed while an old transaction was open', old, 'xmin'],
    ['vacuumed before that', { ...old, holderSeconds: 80_000 }, 'cancelled'],
    ['never vacuumed', { ...old, vacuumedSecondsAgo: null }, 'cancelled'],
    ['held by a slot of unknown age', { ...old, holderSeconds: null }, 'xmin'],
    ['held, but inserted rows', { ...old, deadRows: 0, insertedRows: 50_000, insertLimit: 20_000 }, 'cancelled'],
  ])('says why: %s', (_, changes, cause) => {
    expect(judge(changes)?.facts['cause']).toBe(cause);
  });

  const offered = (changes: Partial<Debt>) => judge(changes)?.runbooks.map(({ name, params }) => ({ name, params }));

  it('offers a vacuum of the table that it was found for', () => {
    const table = { table_schema: 'public', table_name: 'orders', table_oid: '16400', table_file: '16401' };
    const params = { ...table, table_table: '16400', vacuumed_at: '7' };
    expect(offered({ vacuumedAt: '7' })).toEqual([{ name: 'vacuum-table', params }]);
    expect(offered({ isToast: true, vacuumedAt: '7' })).toEqual([{ name: 'vacuum-table', params }]);
  });

  test.each<[string, Partial<Debt>]>([
    ['an old xmin keeps its rows', old],
    ['an old xmin keeps what was inserted', { ...old, deadRows: 0, insertedRows: 50_000, insertLimit: 20_000 }],
    ['one is at it', { isBeingVacuumed: true }],
    ["the table is the server's own", { oid: 1_259 }],
  ])('offers no vacuum where %s', (_, changes) => {
    expect(offered(changes)).toEqual([]);
  });

  it('offers no vacuum where it cannot see who holds the xmin', () => {
    const node = { ...context.node, seesAll: false };
    expect(vacuumDebt.judge([debt], { ...context, node }).findings).toMatchObject([{ runbooks: [] }]);
  });

  it('does not judge by the counters of a standby', () => {
    const node = { ...context.node, isStandby: true };
    expect(vacuumDebt.judge([debt], { ...context, node })).toMatchObject({ findings: [], unjudged: [{}] });
  });
});
