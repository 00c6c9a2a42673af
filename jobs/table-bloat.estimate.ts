import type { Doubt } from './shared/doubt.ts';
import { linePointerBytes, packRows, pageHeaderBytes, pagesFor } from './shared/heap-pages.ts';
import { type Column, expectRow, measureRow } from './shared/row-layout.ts';

/** A heap: a table's own, or that of what lies outside its rows. */
export interface Heap {
  isToast: boolean;
  /** As of the last vacuum or analyze. */
  pages: number;
  /** Null where nobody has counted them. */
  rows: number | null;
  fillfactor: number;
  blockSize: number;
  toastTupleTarget: number;
  deadRows: number;
  columns: readonly Column[];
  /** Why the catalog's figures can't be gone by. */
  doubt: Doubt | null;
}

export type Method = 'pgstattuple' | 'sample' | 'free-space-map' | 'catalog';

/** What a rebuild at the same fillfactor would leave. */
export type Estimate =
  | { confidence: 'measured' | 'estimated'; method: Method; pages: number; rebuiltPages: number }
  | { confidence: 'unknown'; doubt: Doubt; pages: number };

/**
 * Rows, and how many of them go into a page. What lies outside rows is in chunks of at most a quarter of a page: how many
 * are not full only reading them tells, so what is said of it is the least there is to gain.
 */
export function estimateFromCatalog(heap: Heap): Estimate {
  const { pages, rows, columns, doubt, isToast } = heap;
  const layout = expectRow(columns);
  if (doubt || rows === null) return { confidence: 'unknown', doubt: doubt ?? 'no-statistics', pages };
  if (layout === null && !isToast) return { confidence: 'unknown', doubt: 'no-statistics', pages };
  const needed = layout === null || isToast ? Math.ceil(rows / 4) : pagesFor(rows, layout, heap);
  const rebuiltPages = Math.min(pages, needed);
  return { confidence: 'estimated', method: 'catalog', pages, rebuiltPages };
}

/** Rows on each sampled page, in the order of pages, and the lengths of the values of some of them. */
export interface Sample {
  counts: readonly number[];
  sizes: readonly (readonly (number | null)[])[];
}

/** The mean of rows a page times the pages, over the rows that a rebuilt page takes. */
export function estimateFromSample(heap: Heap, { counts, sizes }: Sample): Estimate {
  const { pages, columns, toastTupleTarget } = heap;
  const lengths = sizes.map((row) => measureRow(columns, row, toastTupleTarget));
  const rows = (pages * counts.reduce((sum, count) => sum + count, 0)) / Math.max(1, counts.length);
  const rebuiltPages = Math.min(pages, Math.ceil(rows / packRows(lengths, heap)));
  return { confidence: 'measured', method: 'sample', pages, rebuiltPages };
}

/**
 * How far the mean of rows a page may be off, as a share of the most rows that a page has: from the differences between
 * neighbours, since the pages are taken one from each of equal stretches (Wolter, Introduction to Variance Estimation,
 * chapter 8: systematic samples).
 */
export function samplingError(pages: number, counts: readonly number[]): number {
  const most = Math.max(1, ...counts);
  if (counts.length < 2 || counts.length >= pages) return 0;
  const squares = counts.slice(1).reduce((sum, count, index) => sum + (count - (counts[index] ?? 0)) ** 2, 0);
  const variance = ((1 - counts.length / pages) * squares) / (2 * (counts.length - 1) * counts.length);
  return Math.sqrt(variance) / most;
}

export interface Approximation {
  heapBytes: number;
  scannedPercent: number;
  rows: number;
  rowBytes: number;
  deadBytes: number;
  freeBytes: number;
}

/** Of pages that it skips it knows the free space only, and takes the old count of rows for the new one. */
export function estimateFromPgstattuple(heap: Heap, found: Approximation): Estimate {
  const { blockSize, rows, doubt } = heap;
  const pages = Math.round(found.heapBytes / blockSize);
  const usedBytes = found.heapBytes - found.freeBytes - found.deadBytes - pages * pageHeaderBytes;
  const counted = found.scannedPercent > 99 ? found.rows : doubt === null ? rows : null;
  const rebuiltPages = rebuild({ ...heap, pages }, usedBytes, counted);
  // What dropped columns still take, it counts as in use.
  const isBlurred = doubt !== null && heap.columns.some(({ isDropped }) => isDropped);
  return { confidence: isBlurred ? 'estimated' : 'measured', method: 'pgstattuple', pages, rebuiltPages };
}

/** The map is as vacuum left it: what died since is taken off by the server's count. */
export function estimateFromFreeSpace(heap: Heap, freeBytes: number): Estimate {
  const { pages, rows, blockSize, deadRows, doubt } = heap;
  const deadBytes = deadRows * (expectRow(heap.columns)?.bytes ?? 0);
  const usedBytes = pages * (blockSize - pageHeaderBytes) - freeBytes - deadBytes;
  const rebuiltPages = rebuild(heap, usedBytes, doubt === null ? rows : null);
  return { confidence: 'estimated', method: 'free-space-map', pages, rebuiltPages };
}

/** Rows and their width say more than bytes in use, which have dropped columns and old line pointers in them. */
function rebuild(heap: Heap, usedBytes: number, rows: number | null): number {
  const { pages, blockSize, fillfactor, columns, doubt, isToast } = heap;
  const room = (blockSize - pageHeaderBytes) * (fillfactor / 100);
  const least = Math.max(0, Math.ceil(usedBytes / room));
  if (isToast) return Math.min(pages, rows === null ? least : Math.round((least + Math.max(least, rows / 4)) / 2));
  const layout = expectRow(columns);
  if (layout === null) return Math.min(pages, least);
  const isWidthKnown = doubt === null && rows !== null;
  return Math.min(pages, pagesFor(isWidthKnown ? rows : usedBytes / (layout.bytes + linePointerBytes), layout, heap));
}
