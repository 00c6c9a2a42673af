import type { Ask } from '../src/detect/job.ts';
import { askOrReason } from './shared/ask-or-reason.ts';
import { doubtOf, type KnownColumns } from './shared/doubt.ts';
import type { Column } from './shared/row-layout.ts';
import type { Estimate, Heap } from './table-bloat.estimate.ts';
import { estimateFromCatalog } from './table-bloat.estimate.ts';
import { measureHeap, type Tools } from './table-bloat.measure.ts';

/** One row of table-bloat.sql: a table, a materialized view or a partition. */
export interface Candidate {
  oid: number;
  schema: string;
  name: string;
  file: string;
  qualified: string;
  rootOid: number;
  rootSchema: string;
  rootName: string;
  rootQualified: string;
  pages: number;
  rows: number | null;
  toastOid: number | null;
  toastPages: number;
  toastRows: number | null;
  fillfactor: number;
  toastTupleTarget: number;
  blockSize: number;
  deadRows: number;
  liveRows: number;
  toastDeadRows: number | null;
  changesSinceAnalyze: number;
  isAnalyzed: boolean;
  isVacuumed: boolean;
  /** By hand, in microseconds as text; 0 is never. */
  vacuumedAt: string;
  isToastVacuumed: boolean;
}

/** A table with what is outside its rows; partitions are still one by one. */
export interface TableLook {
  candidate: Candidate;
  heap: Estimate;
  toast: Estimate | null;
}

export interface Horizon {
  kind: string;
  who: string;
  xids: number;
  seconds: number | null;
}

export interface BloatFacts {
  /** The largest first. */
  tables: TableLook[];
  /** As SQL writes it. */
  role: string;
  /** server_version_num. */
  version: number;
  horizon: Horizon | null;
}

interface GatherOptions {
  /** Smaller ones are not looked at. */
  minBytes: number;
  /** A table is measured from here on. */
  suspectRatio: number;
  /** None where no table's data may be read. */
  samplePages: number;
}

export const maxCandidates = 5_000;
/** The worst of them: a check is not to read more than that, and the next one comes tomorrow. */
const maxMeasured = 40;
const measuringMs = 20_000;

export async function gatherBloat(ask: Ask, options: GatherOptions): Promise<BloatFacts> {
  const candidates = (await ask(undefined, [options.minBytes])) as unknown as Candidate[];
  const [server] = (await ask('tools')) as unknown as [ToolsRow];
  const { pgstattuple = null, pg_freespacemap: freeSpaceMap = null } = server.extensions ?? {};
  const tools = { pgstattuple, freeSpaceMap, samplePages: options.samplePages };
  const columns = await readColumns(ask, candidates);
  const looks = candidates.map((candidate) => lookInCatalog(candidate, columns));
  const until = performance.now() + measuringMs;
  for (const look of suspectsOf(looks, options).slice(0, maxMeasured)) {
    if (performance.now() > until) break;
    await measureTable(ask, look, { columns, tools });
  }
  const [horizon] = (await ask('horizon')) as unknown as Horizon[];
  return { tables: looks, role: server.role, version: server.version, horizon: horizon ?? null };
}

export async function readColumns(
  ask: Ask,
  candidates: readonly Candidate[],
): Promise<ReadonlyMap<number, KnownColumns>> {
  const oids = candidates.map(({ oid }) => oid);
  const rows = oids.length > 0 ? await ask('columns', [oids]) : [];
  return new Map(
    (rows as unknown as (KnownColumns & { oid: number })[]).map(({ oid, ...known }) => [oid, known] as const),
  );
}

interface ToolsRow {
  role: string;
  version: number;
  extensions: { pgstattuple?: string; pg_freespacemap?: string } | null;
}

export function lookInCatalog(candidate: Candidate, columns: ReadonlyMap<number, KnownColumns>): TableLook {
  const toast = toastOf(candidate);
  return {
    candidate,
    heap: estimateFromCatalog(heapOf(candidate, columns.get(candidate.oid))),
    toast: toast && estimateFromCatalog(toast),
  };
}

/** Those that may be bloated, and those of which the catalog says nothing: the most to be had first. */
function suspectsOf(looks: readonly TableLook[], { suspectRatio }: GatherOptions): TableLook[] {
  const gainOf = ({ heap, toast }: TableLook) => gainIn(heap) + gainIn(toast);
  return looks
    .filter((look) => {
      const pages = look.heap.pages + (look.toast?.pages ?? 0);
      return pages === 0 || gainOf(look) / pages >= suspectRatio;
    })
    .sort((a, b) => gainOf(b) - gainOf(a));
}

function gainIn(estimate: Estimate | null): number {
  if (estimate === null) return 0;
  return estimate.confidence === 'unknown' ? estimate.pages : estimate.pages - estimate.rebuiltPages;
}

/** Sizes are taken first: what was said by the catalog is as old as the last vacuum or analyze. */
export async function measureTable(
  ask: Ask,
  look: TableLook,
  { columns, tools }: { columns: ReadonlyMap<number, KnownColumns>; tools: Tools },
): Promise<void> {
  const { candidate } = look;
  const { oid, toastOid, blockSize } = candidate;
  const answer = await askOrReason(ask, 'size', [oid]);
  if (answer.refusal) {
    look.heap = { confidence: 'unknown', doubt: answer.refusal, pages: candidate.pages };
    look.toast = look.toast && { confidence: 'unknown', doubt: answer.refusal, pages: candidate.toastPages };
    return;
  }
  const [size] = answer.rows as unknown as { heapBytes: number; toastBytes: number }[];
  // Dropped since.
  if (!size) return;
  const known = columns.get(oid);
  const heap = { ...heapOf(candidate, known), pages: size.heapBytes / blockSize };
  const isReadable = known?.hidden === null;
  look.heap = await measureHeap(ask, { oid, heap, isReadable, catalog: look.heap }, tools);
  const toast = toastOf(candidate);
  if (toastOid === null || toast === null || look.toast === null) return;
  const toastHeap = { ...toast, pages: size.toastBytes / blockSize };
  look.toast = await measureHeap(ask, { oid: toastOid, heap: toastHeap, isReadable, catalog: look.toast }, tools);
}

function heapOf(candidate: Candidate, known: KnownColumns | undefined): Heap {
  const { pages, rows, fillfactor, blockSize, toastTupleTarget, deadRows } = candidate;
  const columns = known?.columns ?? [];
  const doubt = doubtOf(known, candidate);
  return { isToast: false, pages, rows, fillfactor, blockSize, toastTupleTarget, deadRows, columns, doubt };
}

const toastColumn = {
  isDropped: false,
  meanWidth: null,
  nullFraction: 0,
  alignment: 4,
  length: 4,
  storage: 'p',
} as const;
const toastColumns: Column[] = [toastColumn, toastColumn, { ...toastColumn, length: -1 }];

function toastOf(candidate: Candidate): Heap | null {
  const { toastOid, toastPages, toastRows, toastDeadRows, blockSize, toastTupleTarget, isToastVacuumed } = candidate;
  if (toastOid === null) return null;
  const deadRows = toastDeadRows ?? 0;
  const isStale = !isToastVacuumed || deadRows > 50 + 0.2 * (toastRows ?? 0);
  const doubt = toastRows === null ? 'no-statistics' : isStale ? 'stale-statistics' : null;
  return {
    isToast: true,
    pages: toastPages,
    rows: toastRows,
    fillfactor: 100,
    blockSize,
    toastTupleTarget,
    deadRows,
    columns: toastColumns,
    doubt,
  };
}
