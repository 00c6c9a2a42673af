import type { Ask } from '../src/detect/job.ts';
import {
  type Btree,
  type Density,
  estimateFromDensity,
  estimateIndex,
  type IndexEstimate,
  mostToGain,
} from './index-bloat.estimate.ts';
import type { KeyColumn } from './index-bloat.groups.ts';
import { askOrReason } from './shared/ask-or-reason.ts';
import { doubtOf, type KnownColumns } from './shared/doubt.ts';

/** One row of index-bloat.sql. */
export interface IndexCandidate {
  oid: number;
  schema: string;
  name: string;
  file: string;
  tableOid: string;
  isExclusion: boolean;
  /** As SQL writes it; so is `table`. */
  qualified: string;
  table: string;
  method: string;
  pages: number;
  rows: number | null;
  tableRows: number;
  isPartial: boolean;
  fillfactor: number;
  blockSize: number;
  deduplicates: boolean;
  deadRows: number;
  liveRows: number;
  changesSinceAnalyze: number;
  isAnalyzed: boolean;
}

export interface IndexLook {
  candidate: IndexCandidate;
  /** Null for what is not a btree: nothing in the catalog says what it should take. */
  estimate: IndexEstimate | null;
  /** Pages to gain at the most, as far as the catalog tells. */
  mayGainPages: number;
}

export interface IndexFacts {
  /** The largest first. */
  indexes: IndexLook[];
  /** As SQL writes it. */
  role: string;
  /** server_version_num. */
  version: number;
}

interface GatherOptions {
  /** Smaller ones are not looked at. */
  minBytes: number;
  /** An index is measured from here on. */
  suspectRatio: number;
}

type Columns = ReadonlyMap<number, KnownColumns<KeyColumn>>;

export const maxIndexes = 5_000;
/** The worst of them: a check is not to read more than that, and the next one comes tomorrow. */
const maxMeasured = 40;
const measuringMs = 20_000;
/** pgstatindex reads the whole of it, and nothing larger is read within a statement's bound. */
const maxMeasuredBytes = 8 * 1024 ** 3;

export async function gatherIndexes(ask: Ask, { minBytes, suspectRatio }: GatherOptions): Promise<IndexFacts> {
  const candidates = (await ask(undefined, [minBytes])) as unknown as IndexCandidate[];
  const [server] = (await ask('tools')) as unknown as [
    { role: string; version: number; extensions: { pgstattuple?: string } | null },
  ];
  const columns = await readIndexColumns(ask, candidates);
  const indexes = candidates.map((candidate) => lookAtIndex(candidate, columns));
  const schema = server.extensions?.pgstattuple;
  const until = performance.now() + measuringMs;
  for (const look of schema === undefined ? [] : suspectsOf(indexes, suspectRatio)) {
    if (performance.now() > until) break;
    await measureIndex(ask, look, { columns, schema: schema ?? '' });
  }
  return { indexes, role: server.role, version: server.version };
}

export async function readIndexColumns(ask: Ask, candidates: readonly IndexCandidate[]): Promise<Columns> {
  const oids = candidates.map(({ oid }) => oid);
  const rows = oids.length > 0 ? await ask('columns', [oids]) : [];
  return new Map(
    (rows as unknown as (KnownColumns<KeyColumn> & { oid: number })[]).map(
      ({ oid, ...known }) => [oid, known] as const,
    ),
  );
}

export function lookAtIndex(candidate: IndexCandidate, columns: Columns): IndexLook {
  if (candidate.method !== 'btree') return { candidate, estimate: null, mayGainPages: 0 };
  const btree = btreeOf(candidate, columns);
  return { candidate, estimate: estimateIndex(btree), mayGainPages: mostToGain(btree) };
}

/** Btrees that may be bloated, and those of which the catalog says nothing: the most to be had first. */
function suspectsOf(indexes: readonly IndexLook[], suspectRatio: number): IndexLook[] {
  return indexes
    .filter(
      (look) => isSuspect(look, suspectRatio) && look.candidate.pages * look.candidate.blockSize <= maxMeasuredBytes,
    )
    .sort((a, b) => b.mayGainPages - a.mayGainPages)
    .slice(0, maxMeasured);
}

export function isSuspect({ candidate, estimate, mayGainPages }: IndexLook, suspectRatio: number): boolean {
  return estimate !== null && mayGainPages >= suspectRatio * candidate.pages;
}

export async function measureIndex(
  ask: Ask,
  look: IndexLook,
  { columns, schema }: { columns: Columns; schema: string },
): Promise<void> {
  const { candidate } = look;
  const { rows, refusal } = await askOrReason(ask, 'pgstatindex', [candidate.oid, schema]);
  const [density] = rows as unknown as Density[];
  if (density) look.estimate = estimateFromDensity(btreeOf(candidate, columns), density);
  else if (refusal === 'locked') look.estimate = { confidence: 'unknown', doubt: refusal, pages: candidate.pages };
}

function btreeOf(candidate: IndexCandidate, columns: Columns): Btree {
  const { pages, rows, tableRows, fillfactor, blockSize, deduplicates, deadRows, liveRows } = candidate;
  const known = columns.get(candidate.oid);
  const doubt = doubtOf(known, candidate);
  return {
    pages,
    rows,
    tableRows,
    fillfactor,
    blockSize,
    deduplicates,
    deadRows,
    liveRows,
    columns: known?.columns ?? [],
    doubt,
  };
}
