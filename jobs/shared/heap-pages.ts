import type { RowLayout } from './row-layout.ts';

/** A page's header, and what each row takes in its list of line pointers. */
export const pageHeaderBytes = 24;
export const linePointerBytes = 4;

export interface PageSettings {
  blockSize: number;
  /** Percent. */
  fillfactor: number;
}

/**
 * Pages of a table that is rebuilt with so many rows of that layout: a row goes to the next page when it would eat into
 * what fillfactor leaves free. Source: PostgreSQL manual, "Database Page Layout", and fillfactor in CREATE TABLE.
 */
export function pagesFor(rows: number, layout: RowLayout, settings: PageSettings): number {
  if (rows <= 0) return 0;
  const room = roomOf(settings);
  const slot = layout.bytes + linePointerBytes;
  // What is left at a page's end is half a row in the mean, where lengths vary.
  const rowsPerPage = layout.isFixed ? Math.floor(room / slot) : (room - slot / 2) / slot;
  return Math.ceil(rows / Math.max(1, rowsPerPage));
}

/** Rows of these lengths, put into pages one after another: how many go into one in the mean. */
export function packRows(lengths: readonly number[], settings: PageSettings): number {
  const room = roomOf(settings);
  let fullPages = 0;
  let rowsInFull = 0;
  let used = 0;
  let rowsInLast = 0;
  for (const length of lengths) {
    const slot = length + linePointerBytes;
    if (used > 0 && used + slot > room) {
      fullPages += 1;
      rowsInFull += rowsInLast;
      used = 0;
      rowsInLast = 0;
    }
    used += slot;
    rowsInLast += 1;
  }
  if (fullPages > 0) return rowsInFull / fullPages;
  return lengths.length === 0 ? 1 : Math.max(1, Math.floor((lengths.length * room) / used));
}

function roomOf({ blockSize, fillfactor }: PageSettings): number {
  return blockSize - pageHeaderBytes - Math.floor((blockSize * (100 - fillfactor)) / 100);
}
