import { describe, expect, it } from 'vitest';
import { packRows, pagesFor } from '../../jobs/shared/heap-pages.ts';
import { type Column, expectRow, measureRow } from '../../jobs/shared/row-layout.ts';
import {
  estimateFromCatalog,
  estimateFromFreeSpace,
  estimateFromPgstattuple,
  estimateFromSample,
  type Heap,
  samplingError,
} from '../../jobs/table-bloat.estimate.ts';
import { foldTables } from '../../jobs/table-bloat.fold.ts';
import type { Candidate, TableLook } from '../../jobs/table-bloat.gather.ts';
import { tableBloat } from '../../jobs/table-bloat.ts';

const fixed = (length: number, alignment: Column['alignment']): Column => ({
  length,
  alignment,
  storage: 'p',
  isDropped: false,
  meanWidth: length,
  nullFraction: 0,
});
const int4 = fixed(4, 4);
const int8 = fixed(8, 8);
const bool = fixed(1, 1);
const text = (meanWidth: number | null): Column => ({ ...int4, length: -1, storage: 'x', meanWidth });
const dropped = (column: Column): Column => ({ ...column, isDropped: true, meanWidth: null, nullFraction: null });
const half = (column: Column): Column => ({ ...column, nullFraction: 0.5 });

describe('a row that is written anew', () => {
  it.each<[string, Column[], number]>([
    ['without columns', [], 24],
    ['of one int', [int4], 32],
    ['of two ints', [int4, int4], 32],
    ['of int and bigint', [int4, int8], 40],
    ['of bigint and int', [int8, int4], 40],
    ['that alternates bool and bigint', [bool, int8, bool, int8], 24 + 32],
    ['of the same, well ordered', [int8, int8, bool, bool], 24 + 24],
    [
      'with a dropped column and eight in all',
      [int8, dropped(int8), ...Array.from({ length: 6 }, () => int4)],
      24 + 32,
    ],
    ['with a dropped column and nine in all', [int8, dropped(int8), ...Array.from({ length: 7 }, () => int4)], 32 + 40],
    ['of nothing but a dropped column', [dropped(text(100))], 24],
  ])('%s takes its bytes exactly', (_, columns, bytes) => {
    expect(expectRow(columns)?.bytes).toBeCloseTo(bytes, 10);
  });

  it.each<[string, Column[], number, number]>([
    ['a short text has one byte of header and no padding before it', [int4, text(5)], 24 + 4 + 5, 24 + 16],
    ['a long one is aligned', [bool, text(300)], 24 + 4 + 300, 24 + 4 + 308],
    ['a null takes nothing', [int8, half(int8)], 24 + 12, 24 + 12],
    [
      'a ninth column that may be null widens the header by half',
      [...Array.from({ length: 8 }, () => int8), half(int8)],
      24 + 4 + 68,
      24 + 4 + 68,
    ],
  ])('%s', (_, columns, least, most) => {
    const bytes = expectRow(columns)?.bytes ?? 0;
    expect(bytes).toBeGreaterThanOrEqual(least);
    expect(bytes).toBeLessThanOrEqual(most);
  });

  it('is not known where a width is not', () => {
    expect(expectRow([int4, text(null)])).toBeNull();
    expect(expectRow([{ ...int4, meanWidth: null, nullFraction: null }])?.bytes).toBe(32);
  });

  it.each<[string, Column[], (number | null)[], number]>([
    ['bool, bigint', [bool, int8], [1, 8], 40],
    ['a null in eight', [int8, int8], [null, 8], 32],
    ['a null in nine', Array.from({ length: 9 }, () => int8), [null, 8, 8, 8, 8, 8, 8, 8, 8], 32 + 64],
    ['a short text', [int4, text(5)], [4, 5], 40],
    ['a text of 128, which is aligned', [bool, text(5)], [1, 128], 24 + 136],
    ['one large text, moved out', [int4, text(5)], [4, 9000], 24 + 24],
    ['the larger of two, moved out', [int4, text(5), text(5)], [4, 1200, 1900], 24 + 4 + 1200 + 20],
    ['a plain one, which stays', [int4, { ...text(5), storage: 'p' }], [4, 2500], 24 + 2504],
    ['one kept in the row if possible, and one not', [{ ...text(5), storage: 'm' }, text(5)], [1500, 1400], 24 + 1520],
  ])('of lengths is measured: %s', (_, columns, sizes, bytes) => {
    expect(measureRow(columns, sizes)).toBe(bytes);
  });
});

describe('pages of a rebuilt table', () => {
  const settings = { blockSize: 8192, fillfactor: 100 };
  it.each([
    ['226 rows of two ints go into one', { bytes: 32, isFixed: true }, 226, 100, 1],
    ['227 do not', { bytes: 32, isFixed: true }, 227, 100, 2],
    ['three of 2,600 bytes do', { bytes: 2600, isFixed: true }, 3, 100, 1],
    ['but not four', { bytes: 2600, isFixed: true }, 4, 100, 2],
    ['half of it by fillfactor 50', { bytes: 32, isFixed: true }, 113, 50, 1],
    ['a page each where a row is larger than fillfactor allows', { bytes: 5000, isFixed: true }, 3, 50, 3],
    ['none for none', { bytes: 32, isFixed: true }, 0, 100, 0],
  ])('%s', (_, layout, rows, fillfactor, pages) => {
    expect(pagesFor(rows, layout, { ...settings, fillfactor })).toBe(pages);
  });

  it('takes rows one after another', () => {
    expect(packRows(Array(1000).fill(32), settings)).toBe(226);
    expect(packRows([4000, 4000, 4000, 100, 4000, 4000], settings)).toBe(2.5);
    expect(packRows(Array(10).fill(32), settings)).toBe(226);
  });
});

const heap: Heap = {
  isToast: false,
  pages: 1000,
  rows: 113_000,
  fillfactor: 100,
  blockSize: 8192,
  toastTupleTarget: 2032,
  deadRows: 0,
  columns: [int4, int4],
  doubt: null,
};

describe('an estimate', () => {
  it('from the catalog is pages for its rows', () => {
    expect(estimateFromCatalog(heap)).toMatchObject({ method: 'catalog', pages: 1000, rebuiltPages: 500 });
  });

  it('never promises more than there is', () => {
    const rows = 10_000_000;
    expect(estimateFromCatalog({ ...heap, rows })).toMatchObject({ rebuiltPages: 1000 });
    expect(
      estimateFromSample(heap, {
        counts: [226],
        sizes: [
          [4, 4],
          [4, 4],
        ],
      }),
    ).toMatchObject({ rebuiltPages: 1000 });
  });

  it.each([
    ['rows are not', { rows: null }, 'no-statistics'],
    ['a width is not', { columns: [text(null)] }, 'no-statistics'],
    ['the role may not see them', { doubt: 'no-privilege' as const }, 'no-privilege'],
  ])('is none where %s known', (_, changes, doubt) => {
    expect(estimateFromCatalog({ ...heap, ...changes })).toEqual({ confidence: 'unknown', doubt, pages: 1000 });
  });

  it('from a sample counts rows by its pages, whatever the statistics say', () => {
    const sizes = Array(500).fill([4, 4]);
    const found = estimateFromSample({ ...heap, rows: 5, doubt: 'stale-statistics' }, { counts: [113, 226, 0], sizes });
    expect(found).toMatchObject({ confidence: 'measured', rebuiltPages: 500 });
  });

  it('from the free space map leaves out what died since', () => {
    const stale: Heap = { ...heap, doubt: 'stale-statistics' };
    const freeBytes = 4_000_000;
    const one = estimateFromFreeSpace(stale, freeBytes);
    const other = estimateFromFreeSpace({ ...stale, deadRows: 50_000 }, freeBytes);
    expect(one).toMatchObject({ confidence: 'estimated', rebuiltPages: expect.closeTo(512, -1) });
    expect(other).toMatchObject({ rebuiltPages: expect.closeTo(316, -1) });
  });

  it('from pgstattuple_approx goes by its count only if it read all pages', () => {
    const found = { heapBytes: 8_192_000, rows: 22_600, rowBytes: 723_200, deadBytes: 0, freeBytes: 4_000_000 };
    const stale: Heap = { ...heap, doubt: 'stale-statistics' };
    expect(estimateFromPgstattuple(heap, { ...found, scannedPercent: 100 })).toMatchObject({ rebuiltPages: 100 });
    expect(estimateFromPgstattuple(heap, { ...found, scannedPercent: 5 })).toMatchObject({ rebuiltPages: 500 });
    expect(estimateFromPgstattuple(stale, { ...found, scannedPercent: 5 })).toMatchObject({
      rebuiltPages: expect.closeTo(512, -1),
    });
  });

  it('knows how far its sample may be off', () => {
    expect(samplingError(1000, Array(50).fill(60))).toBe(0);
    expect(
      samplingError(
        1000,
        Array.from({ length: 50 }, (_, n) => (n < 25 ? 60 : 0)),
      ),
    ).toBeLessThan(0.02);
    expect(
      samplingError(
        1000,
        Array.from({ length: 50 }, (_, n) => (n % 2) * 60),
      ),
    ).toBeGreaterThan(0.05);
    expect(
      samplingError(
        50,
        Array.from({ length: 50 }, (_, n) => (n % 2) * 60),
      ),
    ).toBe(0);
  });
});

describe('a table with partitions and values outside its rows', () => {
  const candidate = { rootOid: 1, rootQualified: 'public.t', oid: 2, blockSize: 8192, deadRows: 3 } as Candidate;
  const known = (pages: number, rebuiltPages: number) =>
    ({ confidence: 'estimated', method: 'catalog', pages, rebuiltPages }) as const;
  const unknown = (pages: number) => ({ confidence: 'unknown', doubt: 'locked', pages }) as const;
  const look = (heap: TableLook['heap'], toast: TableLook['toast'] = null): TableLook => ({ candidate, heap, toast });

  it('is the sum of its parts', () => {
    expect(foldTables([look(known(100, 50), known(50, 50)), look(known(50, 10))])).toMatchObject([
      {
        qualified: 'public.t',
        sizeBytes: 200 * 8192,
        deadRows: 6,
        partitions: 2,
        bloat: { reclaimableBytes: 90 * 8192 },
      },
    ]);
  });

  it('is known although a small part is not, and unknown if it is a large one', () => {
    expect(foldTables([look(known(1000, 500), unknown(50))])).toMatchObject([{ bloat: { confidence: 'estimated' } }]);
    expect(foldTables([look(known(1000, 500), unknown(500))])).toMatchObject([
      { bloat: { confidence: 'unknown', doubt: 'locked' } },
    ]);
  });

  it('is told with who keeps vacuum from its dead rows, if that is old', () => {
    const say = (seconds: number | null) => {
      const horizon = { kind: 'replication slot', who: 'old', xids: 5_000_000, seconds };
      const tables = [{ ...look(known(200_000, 50_000)), candidate: { ...candidate, rootOid: 2 } }];
      const context = {
        thresholds: { minBytes: 1, minRatio: 0.4, samplePages: 0 },
        now: new Date(0),
        node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
        protectedBecause: () => null,
        history: () => [],
      };
      return tableBloat.judge({ tables, horizon, role: 'monitor', version: 180_000 }, context).findings[0]?.summary;
    };
    expect(say(null)).toContain('replication slot old has held the oldest xmin for 5,000,000 transactions.');
    expect(say(7_200)).toContain('for 2 h.');
    expect(say(60)).not.toContain('xmin');
  });
});
