import type { Refusal } from './ask-or-reason.ts';
import type { Column } from './row-layout.ts';

/** Why what the catalog says of a relation can't be gone by, or why it could not be measured. */
export type Doubt = 'no-statistics' | 'stale-statistics' | 'dead-rows' | 'row-security' | Refusal;

/** What is known of a table's statistics. */
export interface Freshness {
  /** Null where nobody has counted them. */
  rows: number | null;
  liveRows: number;
  changesSinceAnalyze: number;
  isAnalyzed: boolean;
}

export interface KnownColumns<C extends Column = Column> {
  /** Why the role sees no statistics, and may read no pages; null where it may. */
  hidden: 'no-privilege' | 'row-security' | null;
  columns: readonly C[];
}

/** What autovacuum analyzes by default: 50 rows and a tenth changed. With more, counts and widths are another time's. */
export function doubtOf(known: KnownColumns | undefined, freshness: Freshness): Doubt | null {
  const { rows, liveRows, changesSinceAnalyze, isAnalyzed } = freshness;
  if (known?.hidden) return known.hidden;
  const isDescribed = known?.columns.some(({ meanWidth }) => meanWidth !== null) ?? false;
  if (rows === null || !(isDescribed || (rows === 0 && isAnalyzed))) return 'no-statistics';
  if (!isAnalyzed || changesSinceAnalyze > 50 + 0.1 * Math.max(rows, liveRows)) return 'stale-statistics';
  return null;
}
