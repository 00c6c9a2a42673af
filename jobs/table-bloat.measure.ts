import type { Ask } from '../src/detect/job.ts';
import { askOrReason, type Refusal } from './shared/ask-or-reason.ts';
import {
  type Approximation,
  type Estimate,
  estimateFromFreeSpace,
  estimateFromPgstattuple,
  estimateFromSample,
  type Heap,
  type Sample,
  samplingError,
} from './table-bloat.estimate.ts';

/** What there is to measure with: the schemas of the extensions, and how many pages may be read. */
export interface Tools {
  pgstattuple: string | null;
  freeSpaceMap: string | null;
  samplePages: number;
}

interface Place {
  oid: number;
  heap: Heap;
  isReadable: boolean;
  catalog: Estimate;
}

/** A sample that is further off than this is widened. */
const enoughError = 0.01;
const widening = 10;
const freeSpacePages = 20_000;

/** One heap, by the best that is allowed here; what can't be had gives way to the next, and at last to the catalog. */
export async function measureHeap(ask: Ask, place: Place, tools: Tools): Promise<Estimate> {
  if (place.heap.pages === 0) return { confidence: 'measured', method: 'catalog', pages: 0, rebuiltPages: 0 };
  const ways = [
    tools.samplePages >= 1 && place.isReadable
      ? () => measureBySample(ask, place, Math.floor(tools.samplePages))
      : null,
    tools.pgstattuple !== null ? () => measureByPgstattuple(ask, place, tools.pgstattuple) : null,
    tools.freeSpaceMap !== null ? () => measureByFreeSpace(ask, place, tools.freeSpaceMap) : null,
  ];
  for (const way of ways) {
    const found = way === null ? 'refused' : await way();
    if (typeof found !== 'string') return found;
    if (found === 'locked') return { confidence: 'unknown', doubt: 'locked', pages: place.heap.pages };
  }
  const { catalog, heap } = place;
  // Of a file that has changed its size the catalog's figures are another time's.
  const isAsBefore = Math.abs(catalog.pages - heap.pages) <= Math.max(2, 0.1 * heap.pages);
  if (catalog.confidence === 'unknown') return { ...catalog, pages: heap.pages };
  return isAsBefore ? catalog : { confidence: 'unknown', doubt: 'stale-statistics', pages: heap.pages };
}

/** The 50 or so pages first; more of them, but only counted, where these differ much. */
async function measureBySample(ask: Ask, { oid, heap }: Place, samplePages: number): Promise<Estimate | Refusal> {
  const first = await readSample(ask, { oid, blocks: spread(heap.pages, samplePages), hasSizes: true });
  if (typeof first === 'string') return first;
  if (samplingError(heap.pages, first.counts) <= enoughError) return estimateFromSample(heap, first);
  const more = await readSample(ask, { oid, blocks: spread(heap.pages, widening * samplePages), hasSizes: false });
  return typeof more === 'string' ? more : estimateFromSample(heap, { ...first, counts: more.counts });
}

async function readSample(
  ask: Ask,
  { oid, blocks, hasSizes }: { oid: number; blocks: readonly number[]; hasSizes: boolean },
): Promise<Sample | Refusal> {
  const { rows, refusal } = await askOrReason(ask, 'sample', [oid, blocks, hasSizes]);
  return refusal ?? parseSample(String(rows[0]?.['pages'] ?? ''), blocks);
}

/** "page:rows:lengths of a row lengths of a row;page:…", lengths with commas between. */
function parseSample(text: string, blocks: readonly number[]): Sample {
  const pages = text
    .split(';')
    .filter(Boolean)
    .map((page) => page.split(':'));
  const counts = new Map(pages.map(([block, count]) => [Number(block), Number(count)]));
  const sizes = pages
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, , rows]) => (rows ? rows.split(' ') : []))
    .map((row) => row.split(',').map((size) => (size === '' ? null : Number(size))));
  return { counts: blocks.map((block) => counts.get(block) ?? 0), sizes };
}

/** One page from each of so many equal stretches: what was deleted in ranges is hit in proportion. */
function spread(pages: number, wanted: number): number[] {
  if (pages <= wanted) return Array.from({ length: pages }, (_, page) => page);
  return Array.from({ length: wanted }, (_, index) => {
    const begin = Math.floor((index * pages) / wanted);
    const end = Math.floor(((index + 1) * pages) / wanted);
    return begin + Math.floor(Math.random() * (end - begin));
  });
}

async function measureByPgstattuple(ask: Ask, { oid, heap }: Place, schema: string | null) {
  const { rows, refusal } = await askOrReason(ask, 'pgstattuple', [oid, schema]);
  return refusal ?? estimateFromPgstattuple(heap, rows[0] as unknown as Approximation);
}

/** A map without any space is no map: none is kept of a small table, nor before the first vacuum. */
async function measureByFreeSpace(ask: Ask, { oid, heap }: Place, schema: string | null): Promise<Estimate | Refusal> {
  const blocks = spread(heap.pages, freeSpacePages);
  const { rows, refusal } = await askOrReason(ask, 'free-space', [oid, schema, blocks]);
  if (refusal) return refusal;
  const [found] = rows as unknown as { freeBytes: number; pagesWithSpace: number }[];
  if (!found || found.pagesWithSpace === 0) return 'refused';
  return estimateFromFreeSpace(heap, (found.freeBytes * heap.pages) / blocks.length);
}
