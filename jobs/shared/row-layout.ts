/** A column as a row stores it, with what ANALYZE knows of its values. */
export interface Column {
  /** Bytes; -1 for a type of varying length, -2 for a C string. */
  length: number;
  alignment: 1 | 2 | 4 | 8;
  /** p: as it is · m, e, x: may be moved out of the row, or be compressed. */
  storage: string;
  isDropped: boolean;
  /** Mean bytes of what isn't null, headers included; null where ANALYZE has not been. */
  meanWidth: number | null;
  nullFraction: number | null;
  /** Bytes of some values, headers included, of a type of varying length. */
  widths?: readonly number[] | null;
}

/** What a rebuilt row takes: its bytes with header and padding, without its line pointer. */
export interface RowLayout {
  bytes: number;
  /** All rows take the same. */
  isFixed: boolean;
}

const headerBytes = 23;
/** What stands in a row for a value that was moved out of it. */
const pointerBytes = 18;
/** Up to here a value's header takes one byte, and it is not aligned. */
const shortBytes = 127;

/**
 * The mean length of a row that is written anew: dropped columns are null then, missing defaults are filled in.
 * Offsets are followed modulo 8, as a distribution where they vary. Null where a width is unknown.
 * Source: PostgreSQL manual, "Database Page Layout" (storage-page-layout) and "TOAST" (storage-toast).
 */
export function expectRow(columns: readonly Column[]): RowLayout | null {
  const kept = columns.filter(({ isDropped }) => !isDropped);
  if (kept.some((column) => column.length < 0 && column.meanWidth === null)) return null;
  const isAlwaysWhole = columns.length === kept.length && kept.every(({ nullFraction }) => (nullFraction ?? 0) === 0);
  const noNull = columns.length > kept.length ? 0 : kept.reduce((all, one) => all * (1 - (one.nullFraction ?? 0)), 1);
  const header = noNull * align(headerBytes, 8) + (1 - noNull) * align(headerBytes + bitmapBytes(columns.length), 8);
  return {
    bytes: header + expectData(kept),
    isFixed: isAlwaysWhole && kept.every(({ length }) => length > 0),
  };
}

/** The mean bytes of these columns' values, one behind the other, with the padding at their end. */
export function expectData(columns: readonly Column[]): number {
  let offsets: Offsets = { bytes: 0, residues: [1, 0, 0, 0, 0, 0, 0, 0] };
  for (const column of columns) offsets = append(offsets, column);
  return offsets.bytes + meanPadding(offsets.residues, 8);
}

/**
 * The length of one row that is written anew, from its values' bytes as pg_column_size tells them, null for null. That
 * of a value outside the row is its length there: as many are moved out as it takes to get below the target.
 */
export function measureRow(columns: readonly Column[], sizes: readonly (number | null)[], targetBytes = 2032): number {
  const kept = columns.filter(({ isDropped }) => !isDropped);
  const hasNull = kept.length < columns.length || sizes.some((size) => size === null);
  const header = align(headerBytes + (hasNull ? bitmapBytes(columns.length) : 0), 8);
  const inline = [...sizes];
  let data = walk(kept, inline);
  while (header + data > targetBytes) {
    const largest = largestMovable(kept, inline);
    if (largest === null) break;
    inline[largest] = pointerBytes;
    data = walk(kept, inline);
  }
  return align(header + data, 8);
}

interface Offsets {
  bytes: number;
  /** How probable it is that the next column begins at 0 … 7 modulo 8. */
  residues: readonly number[];
}

function append({ bytes, residues }: Offsets, column: Column): Offsets {
  const share = 1 - (column.nullFraction ?? 0);
  const { mean, widths } = widthsOf(column);
  const alignment = column.length < 0 && isShort(column, mean) ? 1 : column.alignment;
  const next = residues.map((probability) => probability * (1 - share));
  for (const [residue, probability] of residues.entries()) {
    for (const width of widths) {
      const end = (align(residue, alignment) + width) % 8;
      next[end] = (next[end] ?? 0) + (probability * share) / widths.length;
    }
  }
  return { bytes: bytes + share * (mean + meanPadding(residues, alignment)), residues: next };
}

const anyWidth = [0, 1, 2, 3, 4, 5, 6, 7];

/** Its mean, and widths that stand for all as to where the next column begins. */
function widthsOf({ length, meanWidth, widths }: Column): { mean: number; widths: readonly number[] } {
  if (length >= 0) return { mean: length, widths: [length] };
  const mean = meanWidth ?? 0;
  if (!widths?.length) return { mean: mean > 1 ? mean + 0.5 : mean, widths: anyWidth };
  const [first = 0] = widths;
  // ANALYZE cuts off the fraction of its mean.
  const isConstant = widths.every((width) => width === first) && Math.abs(mean - first) < 1;
  return { mean: isConstant ? first : mean + 0.5, widths: isConstant ? [first] : widths };
}

function meanPadding(residues: readonly number[], alignment: number): number {
  return residues.reduce((sum, probability, residue) => sum + probability * (align(residue, alignment) - residue), 0);
}

function walk(columns: readonly Column[], sizes: readonly (number | null)[]): number {
  return columns.reduce((offset, column, index) => {
    const size = sizes[index] ?? null;
    if (size === null) return offset;
    return align(offset, column.length < 0 && isShort(column, size) ? 1 : column.alignment) + size;
  }, 0);
}

function isShort({ length, storage }: Column, size: number): boolean {
  return length === -2 || (storage !== 'p' && size <= shortBytes);
}

/** Those that are kept in the row if possible go last. */
function largestMovable(columns: readonly Column[], sizes: readonly (number | null)[]): number | null {
  for (const storages of ['xe', 'm']) {
    let largest: number | null = null;
    for (const [index, { storage, length }] of columns.entries()) {
      const isMovable = length === -1 && storages.includes(storage) && (sizes[index] ?? 0) > align(pointerBytes, 8);
      if (isMovable && (largest === null || (sizes[index] ?? 0) > (sizes[largest] ?? 0))) largest = index;
    }
    if (largest !== null) return largest;
  }
  return null;
}

function bitmapBytes(columns: number): number {
  return Math.ceil(columns / 8);
}

export function align(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}
