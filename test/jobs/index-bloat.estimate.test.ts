import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildBtree } from '../../jobs/index-bloat.btree.ts';
import { type Btree, estimateFromDensity, estimateIndex, mostToGain } from '../../jobs/index-bloat.estimate.ts';
import type { IndexCandidate, IndexLook } from '../../jobs/index-bloat.gather.ts';
import { groupKeys, type KeyColumn } from '../../jobs/index-bloat.groups.ts';
import { indexBloat } from '../../jobs/index-bloat.ts';

const int4: KeyColumn = {
  length: 4,
  alignment: 4,
  storage: 'p',
  isDropped: false,
  isKey: true,
  isExpression: false,
  meanWidth: 4,
  nullFraction: 0,
  distinct: -1,
  frequencies: null,
};
const text = (meanWidth: number | null): KeyColumn => ({ ...int4, length: -1, storage: 'x', meanWidth });
const settings = { blockSize: 8192, fillfactor: 90, deduplicates: true };
const build = (columns: KeyColumn[], rows: number, changes: Partial<typeof settings> = {}) =>
  buildBtree(groupKeys(columns, rows, rows) ?? [], { ...settings, ...changes });

describe('a btree that is built', () => {
  it.each<[string, KeyColumn[], number, Partial<typeof settings>, number]>([
    // What CREATE INDEX makes on PostgreSQL 18.
    ['a million ints', [int4], 1_000_000, {}, 2745],
    ['the same at fillfactor 50', [int4], 1_000_000, { fillfactor: 50 }, 4971],
    ['the same at fillfactor 100', [int4], 1_000_000, { fillfactor: 100 }, 2475],
    ['no row', [int4], 0, {}, 1],
    ['one row', [int4], 1, {}, 2],
    ['a million ints, 20 of them different', [{ ...int4, distinct: 20 }], 1_000_000, {}, 850],
    [
      'the same at fillfactor 50, 20 of them different',
      [{ ...int4, distinct: 20 }],
      1_000_000,
      { fillfactor: 50 },
      1522,
    ],
    ['20 ints without merging', [{ ...int4, distinct: 20 }], 1_000_000, { deduplicates: false }, 2745],
    ['a million nulls', [{ ...int4, nullFraction: 1, distinct: 0 }], 1_000_000, {}, 849],
  ])('of %s takes its pages', (_, columns, rows, changes, pages) => {
    expect(build(columns, rows, changes).pages / pages).toBeCloseTo(1, 1.5);
  });

  it('is not known where a width is not', () => {
    expect(groupKeys([int4, text(null)], 100, 100)).toBeNull();
  });

  it('has as many rows as there are, however they are grouped', () => {
    const column = fc.record({
      nullFraction: fc.double({ min: 0, max: 1, noNaN: true }),
      distinct: fc.oneof(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: -1, max: -0.001, noNaN: true })),
      frequencies: fc.option(fc.array(fc.double({ min: 0, max: 0.01, noNaN: true }), { maxLength: 90 })),
    });
    fc.assert(
      fc.property(
        fc.array(column, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 1e7 }),
        (changes, rows) => {
          const columns = changes.map((change) => ({
            ...int4,
            ...change,
            frequencies: change.frequencies?.map((one) => one * (1 - change.nullFraction)) ?? null,
          }));
          const groups = groupKeys(columns, rows, rows) ?? [];
          const grouped = groups.reduce((sum, { keys, rowsPerKey }) => sum + keys * rowsPerKey, 0);
          expect(grouped / rows).toBeCloseTo(1, 3);
          const { pages, density } = buildBtree(groups, settings);
          expect(pages).toBeGreaterThan(0);
          expect(density).toBeGreaterThan(0.3);
          expect(density).toBeLessThan(1.2);
        },
      ),
    );
  });

  it('takes a row a key where one column is unique, whatever the others are', () => {
    const groups = groupKeys([int4, { ...int4, distinct: 3, nullFraction: 0.3 }], 10_000, 10_000) ?? [];
    for (const { rowsPerKey } of groups) expect(rowsPerKey).toBeCloseTo(1, 5);
  });
});

const index: Btree = {
  pages: 5490,
  rows: 1_000_000,
  tableRows: 1_000_000,
  fillfactor: 90,
  blockSize: 8192,
  deduplicates: false,
  deadRows: 0,
  liveRows: 1_000_000,
  columns: [int4],
  doubt: null,
};

describe('an estimate of an index', () => {
  it('is the pages of a build of it', () => {
    expect(estimateIndex(index)).toMatchObject({ method: 'catalog', pages: 5490, rebuiltPages: 2745 });
  });

  it('may be too low where one column follows from another: then it is a suspect', () => {
    const columns = [
      { ...int4, distinct: 5000 },
      { ...int4, distinct: 3000 },
    ];
    const merged: Btree = { ...index, pages: 2745, deduplicates: true, columns };
    expect(estimateIndex(merged)).toMatchObject({ rebuiltPages: 2726 });
    expect(mostToGain(merged)).toBeGreaterThan(1500);
    expect(mostToGain({ ...merged, deduplicates: false })).toBe(0);
  });

  it('never promises more than there is', () => {
    expect(estimateIndex({ ...index, pages: 100 })).toMatchObject({ pages: 100, rebuiltPages: 100 });
  });

  it.each([
    ['rows are not', { rows: null }, 'no-statistics'],
    ['a width is not', { columns: [text(null)] }, 'no-statistics'],
    ['statistics are old', { doubt: 'stale-statistics' as const }, 'stale-statistics'],
  ])('is none where %s known', (_, changes, doubt) => {
    expect(estimateIndex({ ...index, ...changes })).toEqual({ confidence: 'unknown', doubt, pages: 5490 });
  });

  const found = { sizeBytes: 5490 * 8192, leafPages: 5462, densityPercent: 45 };
  it.each([
    ['takes what is in its leaves', {}, 2745],
    ['however old the statistics are', { doubt: 'stale-statistics' as const }, 2745],
    ['and is not talked out of it by them', { rows: 10_000, liveRows: 10_000 }, 2745],
    ['but by duplicates that would be merged', { rows: 10_000, deduplicates: true }, 30],
    ['and by rows that died, if they are counted', { rows: 500_000, deadRows: 500_000, liveRows: 500_000 }, 1374],
  ])('by pgstatindex %s', (_, changes, pages) => {
    const estimate = estimateFromDensity({ ...index, ...changes }, found);
    expect(estimate).toMatchObject({ confidence: 'measured' });
    expect(('rebuiltPages' in estimate ? estimate.rebuiltPages : 0) / pages).toBeCloseTo(1, 1.5);
  });

  it('by pgstatindex is none while many rows that died are in it and nobody has counted the others', () => {
    const full: Btree = { ...index, doubt: 'stale-statistics', deadRows: 500_000 };
    expect(estimateFromDensity(full, found)).toMatchObject({ confidence: 'unknown', doubt: 'dead-rows' });
  });
});

describe('an index with a past', () => {
  const candidate = {
    oid: 1,
    qualified: 'public.i',
    table: 'public.t',
    method: 'gin',
    pages: 1000,
    rows: 100_000,
    blockSize: 8192,
  } as IndexCandidate;
  const judge = (past: number[], look: Partial<IndexLook> = {}) =>
    indexBloat.judge(
      { indexes: [{ candidate, estimate: null, mayGainPages: 0, ...look }], role: 'monitor', version: 180_000 },
      {
        thresholds: { minBytes: 0, minRatio: 0.4 },
        now: new Date(0),
        node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
        protectedBecause: () => null,
        history: () => past.map((value) => ({ at: new Date(0), value, highest: value })),
      },
    );
  const [sample] = indexBloat.sample?.({ indexes: [{ candidate, estimate: null }] } as never, {} as never) ?? [];

  it('is sampled by the bytes that it takes to a row', () => {
    expect(sample).toEqual({ series: 'bytesPerRow', objects: { 'public.i': 81.92 } });
  });

  it('is found once it takes twice what it took at its best', () => {
    const { findings, unjudged } = judge([60, 40, 70]);
    expect(unjudged).toEqual([]);
    expect(findings).toMatchObject([{ facts: { method: 'baseline', confidence: 'estimated', bloatRatio: 0.512 } }]);
  });

  it('is well below that, and not judged without', () => {
    expect(judge([60, 50, 70])).toEqual({ findings: [], unjudged: [] });
    expect(judge([]).unjudged).toHaveLength(1);
  });

  it('is believed against statistics that are missing, but not against what was measured', () => {
    const unknown = { confidence: 'unknown', doubt: 'no-statistics', pages: 1000 } as const;
    expect(judge([40], { estimate: unknown }).findings).toHaveLength(1);
    const measured = { confidence: 'measured', method: 'pgstatindex', pages: 1000, rebuiltPages: 990 } as const;
    expect(judge([40], { estimate: measured })).toEqual({ findings: [], unjudged: [] });
  });
});
