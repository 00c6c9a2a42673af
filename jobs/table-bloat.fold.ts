import type { Doubt } from './shared/doubt.ts';
import type { Estimate, Method } from './table-bloat.estimate.ts';
import type { Candidate, TableLook } from './table-bloat.gather.ts';

/** A table as people know it: with what lies outside its rows, and with its partitions. */
export interface WholeTable {
  oid: number;
  schema: string;
  name: string;
  qualified: string;
  sizeBytes: number;
  deadRows: number;
  /** 0 of a table that has none. */
  partitions: number;
  /** What tells it from its successor, and its vacuum from the next; null of a table with partitions. */
  itself: Pick<Candidate, 'file' | 'vacuumedAt'> | null;
  bloat:
    | { confidence: 'measured' | 'estimated'; method: Method; reclaimableBytes: number }
    | { confidence: 'unknown'; doubt: Doubt };
}

/** So much of a table may be unknown before the whole is; it counts as not bloated. */
const unknownShare = 0.1;

/** Pure. */
export function foldTables(looks: readonly TableLook[]): WholeTable[] {
  const roots = new Map<number, TableLook[]>();
  for (const look of looks) {
    const known = roots.get(look.candidate.rootOid);
    if (known) known.push(look);
    else roots.set(look.candidate.rootOid, [look]);
  }
  return [...roots.values()].flatMap((group) => fold(group) ?? []);
}

function fold(looks: readonly TableLook[]): WholeTable | null {
  const [first] = looks;
  if (!first) return null;
  const { rootOid, rootSchema, rootName, rootQualified, oid, blockSize } = first.candidate;
  const heaps = looks.flatMap(({ heap, toast }) => (toast ? [heap, toast] : [heap]));
  const pages = heaps.reduce((sum, one) => sum + one.pages, 0);
  return {
    oid: rootOid,
    schema: rootSchema,
    name: rootName,
    qualified: rootQualified,
    sizeBytes: pages * blockSize,
    deadRows: looks.reduce((sum, { candidate }) => sum + candidate.deadRows, 0),
    partitions: rootOid === oid ? 0 : looks.length,
    itself: rootOid === oid ? { file: first.candidate.file, vacuumedAt: first.candidate.vacuumedAt } : null,
    bloat: foldBloat(heaps, pages, blockSize),
  };
}

function foldBloat(heaps: readonly Estimate[], pages: number, blockSize: number): WholeTable['bloat'] {
  const largestFirst = [...heaps].sort((a, b) => b.pages - a.pages);
  const unknown = largestFirst.flatMap((one) => (one.confidence === 'unknown' ? [one] : []));
  const known = largestFirst.flatMap((one) => (one.confidence === 'unknown' ? [] : [one]));
  const [worst] = unknown;
  const unknownPages = unknown.reduce((sum, one) => sum + one.pages, 0);
  const [main] = known;
  if (!main || (worst && unknownPages > unknownShare * pages))
    return { confidence: 'unknown', doubt: worst?.doubt ?? 'no-statistics' };
  const gain = known.reduce((sum, one) => sum + one.pages - one.rebuiltPages, 0);
  const estimated = known.reduce((sum, one) => sum + (one.confidence === 'estimated' ? one.pages : 0), unknownPages);
  const confidence = estimated > unknownShare * pages ? 'estimated' : 'measured';
  return { confidence, method: main.method, reclaimableBytes: gain * blockSize };
}
