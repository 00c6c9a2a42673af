import { type Column, expectData } from './shared/row-layout.ts';

/** A column of an index, with how its values repeat. */
export interface KeyColumn extends Column {
  /** Not one that is only included. */
  isKey: boolean;
  isExpression: boolean;
  /** As pg_stats has it: a count, or, negative, a share of the table's rows. */
  distinct: number | null;
  /** Shares of the most common values among all rows. */
  frequencies: readonly number[] | null;
}

/** Keys that are alike: how many there are, how many rows each has, and the bytes of its tuple. */
export interface KeyGroup {
  keys: number;
  rowsPerKey: number;
  tupleBytes: number;
  isFixed: boolean;
}

interface Part {
  share: number;
  values: number;
  isNull: boolean;
}

const headerBytes = 8;
/** With a bitmap of which columns are null. */
const headerWithNullsBytes = 16;
const maxParts = 10;
const maxGroups = 20_000;

/**
 * The keys of so many rows, by how often each occurs, columns taken as independent of each other. Null where a width is
 * unknown. Source: PostgreSQL manual, pg_stats, and "Row Estimation Examples" for what n_distinct and the most common
 * values say together.
 */
export function groupKeys(columns: readonly KeyColumn[], rows: number, tableRows: number): KeyGroup[] | null {
  if (columns.some(({ length, meanWidth }) => length < 0 && meanWidth === null)) return null;
  let groups: Part[][] = [[]];
  for (const column of columns) {
    const parts = partsOf(column, tableRows);
    // More would cost more than they tell.
    const kept = groups.length * parts.length > maxGroups ? merge(parts, 2) : parts;
    groups = groups.flatMap((group) => kept.map((part) => [...group, part]));
  }
  return groups.map((group) => describe(group, columns, rows)).filter(({ keys, rowsPerKey }) => keys * rowsPerKey > 0);
}

function describe(parts: readonly Part[], columns: readonly KeyColumn[], rows: number): KeyGroup {
  const combinations = parts.reduce((all, { values }) => all * values, 1);
  const share = parts.reduce((all, part) => (all * part.share) / Math.max(1, part.values), 1);
  const keys = combinations * occurring(parts, rows, share);
  const present = columns.filter((_, index) => !parts[index]?.isNull);
  const data = expectData(present.map(asStored));
  return {
    keys,
    rowsPerKey: keys > 0 ? (rows * share * combinations) / keys : 0,
    tupleBytes: (present.length < columns.length ? headerWithNullsBytes : headerBytes) + data,
    isFixed: present.every(({ length }) => length > 0),
  };
}

/** Of an expression's values ANALYZE counts four bytes of header, where a short one is stored with one. */
function asStored(column: KeyColumn): Column {
  const { isExpression, length, meanWidth } = column;
  const isLonger = isExpression && length === -1 && meanWidth !== null && meanWidth < 130;
  return { ...column, nullFraction: 0, meanWidth: isLonger ? meanWidth - 3 : meanWidth };
}

/** Which share of the combinations has any row: those of the column with the fewest to a value fall on the others. */
function occurring(parts: readonly Part[], rows: number, share: number): number {
  if (parts.length < 2) return 1;
  const fewest = Math.max(1, Math.min(...parts.map((part) => (rows * part.share) / Math.max(1, part.values))));
  const chance = Math.min(1, (rows * share) / fewest);
  return chance >= 1 ? 1 : -Math.expm1(fewest * Math.log1p(-chance));
}

/** Its nulls, its most common values, similar ones together, and the others, which share what is left. */
function partsOf({ nullFraction, distinct, frequencies }: KeyColumn, tableRows: number): Part[] {
  const nulls = nullFraction ?? 0;
  const common = (frequencies ?? []).map((share) => ({ share, values: 1, isNull: false }));
  const commonShare = common.reduce((sum, { share }) => sum + share, 0);
  const values = Math.max(1, distinct === null ? tableRows : distinct < 0 ? -distinct * tableRows : distinct);
  const rest = {
    share: Math.max(0, 1 - nulls - commonShare),
    values: Math.max(1, values - common.length),
    isNull: false,
  };
  const parts = merge(common, maxParts);
  // What the rounding of shares leaves is no value.
  if (rest.share > 1e-6) parts.push(rest);
  return nulls > 0 ? [{ share: nulls, values: 1, isNull: true }, ...parts] : parts;
}

function merge(parts: readonly Part[], most: number): Part[] {
  if (parts.length <= most) return [...parts];
  const sorted = [...parts].sort((a, b) => b.share / b.values - a.share / a.values);
  const size = Math.ceil(sorted.length / most);
  return Array.from({ length: Math.ceil(sorted.length / size) }, (_, index) => {
    const some = sorted.slice(index * size, (index + 1) * size);
    return {
      share: some.reduce((sum, { share }) => sum + share, 0),
      values: some.reduce((sum, { values }) => sum + values, 0),
      isNull: some.every(({ isNull }) => isNull),
    };
  });
}
