import { type Build, buildBtree, innerPages } from './index-bloat.btree.ts';
import { groupKeys, type KeyColumn } from './index-bloat.groups.ts';
import type { Doubt } from './shared/doubt.ts';

/** A btree index with what the catalog knows of it. */
export interface Btree {
  pages: number;
  /** Null where nobody has counted them. */
  rows: number | null;
  tableRows: number;
  fillfactor: number;
  blockSize: number;
  deduplicates: boolean;
  deadRows: number;
  liveRows: number;
  columns: readonly KeyColumn[];
  doubt: Doubt | null;
}

/** What a rebuild at the same fillfactor would leave. */
export type IndexEstimate =
  | { confidence: 'measured' | 'estimated'; method: 'catalog' | 'pgstatindex'; pages: number; rebuiltPages: number }
  | { confidence: 'unknown'; doubt: Doubt; pages: number };

export function estimateIndex(index: Btree): IndexEstimate {
  const { pages, doubt } = index;
  const build = buildOf(index);
  if (doubt || build === null) return { confidence: 'unknown', doubt: doubt ?? 'no-statistics', pages };
  return { confidence: 'estimated', method: 'catalog', pages, rebuiltPages: Math.min(pages, build.pages) };
}

/** Pages to gain at the most: if each of its columns follows from the one with the most values, as a region from a city. */
export function mostToGain(index: Btree): number {
  const values = ({ distinct }: KeyColumn) => Math.abs(distinct ?? -1) * ((distinct ?? -1) < 0 ? index.tableRows : 1);
  const [leading] = [...index.columns].sort((a, b) => values(b) - values(a));
  const columns = index.columns.map((one) => (one === leading ? one : { ...one, distinct: 1, frequencies: null }));
  const estimate = estimateIndex({ ...index, columns });
  return estimate.confidence === 'unknown' ? index.pages : index.pages - estimate.rebuiltPages;
}

export interface Density {
  sizeBytes: number;
  leafPages: number;
  densityPercent: number;
}

/**
 * What is in the leaves now, as dense as a build makes them: a rebuild takes no more. It takes less only where it merges
 * equal keys, or leaves out rows that are dead.
 */
export function estimateFromDensity(index: Btree, { sizeBytes, leafPages, densityPercent }: Density): IndexEstimate {
  const { blockSize, fillfactor, doubt, deduplicates, deadRows, liveRows } = index;
  const pages = Math.round(sizeBytes / blockSize);
  const isFullOfDead = deadRows > 0.1 * (liveRows + deadRows);
  // They fill the leaves until VACUUM has been there, and how many of them a rebuild leaves out is not known.
  if (isFullOfDead && doubt !== null) return { confidence: 'unknown', doubt: 'dead-rows', pages };
  const build = buildOf(index);
  const density = build?.density ?? fillfactor / 100;
  const leaves = Math.ceil((leafPages * densityPercent) / 100 / density) || 0;
  const atMost = 1 + leaves + innerPages(leaves, build?.keyBytes ?? 16, blockSize);
  const mayTakeLess = deduplicates || deadRows > 0.02 * liveRows;
  const rebuiltPages = build && doubt === null && mayTakeLess ? Math.min(atMost, build.pages) : atMost;
  return { confidence: 'measured', method: 'pgstatindex', pages, rebuiltPages: Math.min(pages, rebuiltPages) };
}

function buildOf({ rows, tableRows, columns, ...settings }: Btree): Build | null {
  if (rows === null) return null;
  const groups = groupKeys(columns, rows, tableRows);
  return groups && buildBtree(groups, settings);
}
