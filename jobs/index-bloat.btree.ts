import type { KeyGroup } from './index-bloat.groups.ts';
import { align } from './shared/row-layout.ts';

export interface BtreeSettings {
  blockSize: number;
  /** Percent, of leaf pages. */
  fillfactor: number;
  /** Equal keys share a tuple. */
  deduplicates: boolean;
}

const pageOverheadBytes = 40;
const linePointerBytes = 4;
const rowPointerBytes = 6;
/** Tuples of one size that take this share of all decide how many go into a leaf. */
const uniformShare = 0.9;
/** The fillfactor of the pages above the leaves, which nobody can set. */
const innerFillfactor = 70;

/** Tuples of a kind, of which a build puts as many into a leaf as fit. */
interface Tuples {
  count: number;
  /** With the line pointer. */
  slotBytes: number;
  /** What its row pointers take, which the key at a page's end does without. */
  listBytes: number;
}

export interface Build {
  pages: number;
  leaves: number;
  /** Of a leaf as the build leaves it: what is in it, as a share of what could be. */
  density: number;
  /** Of the largest key. */
  keyBytes: number;
}

/**
 * What building a btree of these keys takes. Tuples are laid out sorted, each leaf up to its fillfactor; the last tuple
 * that passes it begins the next one. Rows with equal keys go into lists of row pointers, each at most a tenth of a page.
 * Source: PostgreSQL manual, "B-Tree Indexes: Implementation" (btree structure, deduplication), and nbtree's README.
 */
export function buildBtree(groups: readonly KeyGroup[], settings: BtreeSettings): Build {
  const room = settings.blockSize - pageOverheadBytes;
  const runs: { tuples: Tuples[]; isFixed: boolean }[] = [];
  const mixed: Tuples[] = [];
  for (const group of groups) {
    const tuples = tuplesOf(group, settings);
    const bytesPerKey = sumOf(tuples, ({ slotBytes }) => slotBytes) / group.keys;
    // A key that fills pages by itself has no other keys among its own.
    if (bytesPerKey > room) runs.push({ tuples, isFixed: true });
    else mixed.push(...tuples);
  }
  if (mixed.length > 0) runs.push({ tuples: mixed, isFixed: groups.every(({ isFixed }) => isFixed) });
  const filled = runs.map((run) => fillLeaves(run.tuples, run.isFixed, settings));
  const leaves = filled.reduce((sum, one) => sum + one.leaves, 0);
  const bytes = filled.reduce((sum, one) => sum + one.bytes, 0);
  const keyBytes = Math.max(...groups.map(({ tupleBytes }) => tupleBytes), 8);
  return {
    pages: 1 + Math.ceil(leaves) + innerPages(Math.ceil(leaves), keyBytes, settings.blockSize),
    leaves,
    density: leaves > 0 ? bytes / leaves / room : 1,
    keyBytes,
  };
}

/** How many rows a list holds varies around its mean: as if they had been dealt at random, and no key without any. */
function tuplesOf({ keys, rowsPerKey, tupleBytes }: KeyGroup, settings: BtreeSettings): Tuples[] {
  const size = align(Math.round(tupleBytes * 1000) / 1000, 1);
  const single = { slotBytes: size + linePointerBytes, listBytes: 0 };
  const most = settings.deduplicates ? listCapacity(size, settings.blockSize) : 1;
  if (most < 2 || rowsPerKey <= 1) return [{ ...single, count: keys * rowsPerKey }];
  if (rowsPerKey > 40) return listsOf(rowsPerKey, { size, most }).map((one) => ({ ...one, count: one.count * keys }));
  const mean = meanBeforeTruncation(rowsPerKey);
  const tuples: Tuples[] = [];
  let probability = Math.exp(-mean) / -Math.expm1(-mean);
  for (let rows = 1; rows <= rowsPerKey + 10 * Math.sqrt(rowsPerKey) + 10; rows++) {
    probability *= mean / rows;
    for (const one of listsOf(rows, { size, most })) tuples.push({ ...one, count: one.count * keys * probability });
  }
  return tuples;
}

/** The tuples of one key: full lists, and one with the rest. */
function listsOf(rows: number, { size, most }: { size: number; most: number }): Tuples[] {
  const full = Math.floor(rows / most);
  const rest = rows - full * most;
  const list = (length: number, count: number) => ({
    count,
    slotBytes: align(size + length * rowPointerBytes, 8) + linePointerBytes,
    listBytes: length * rowPointerBytes,
  });
  const tuples = full > 0 ? [list(most, full)] : [];
  if (rest > 0 && rest <= 1) tuples.push({ count: rest, slotBytes: size + linePointerBytes, listBytes: 0 });
  else if (rest > 1) tuples.push(list(rest, 1));
  return tuples;
}

function listCapacity(size: number, blockSize: number): number {
  const mostBytes = Math.floor(Math.floor(blockSize / 10) / 8) * 8 - linePointerBytes;
  return Math.floor((Math.floor(mostBytes / 8) * 8 - size) / rowPointerBytes);
}

/** The mean of a Poisson distribution whose mean is this one once its zeros are left out. */
function meanBeforeTruncation(mean: number): number {
  let low = 1e-9;
  let high = mean;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (middle / -Math.expm1(-middle) < mean) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function fillLeaves(
  tuples: readonly Tuples[],
  isFixed: boolean,
  { blockSize, fillfactor }: BtreeSettings,
): { leaves: number; bytes: number } {
  const all = sumOf(tuples, () => 1);
  const bytes = sumOf(tuples, ({ slotBytes }) => slotBytes);
  if (all === 0) return { leaves: 0, bytes: 0 };
  const mean = { slotBytes: bytes / all, listBytes: sumOf(tuples, ({ listBytes }) => listBytes) / all };
  const main = tuples.find(({ count, slotBytes }) => count * slotBytes > uniformShare * bytes);
  const { slotBytes: slot, listBytes: list } = (isFixed && main) || mean;
  // A line pointer is kept for the key at the end, and one for the next tuple.
  const room = blockSize - pageOverheadBytes - 2 * linePointerBytes;
  const wanted = room - Math.floor((blockSize * (100 - fillfactor)) / 100) + list;
  const limit = Math.min(wanted, room - slot - linePointerBytes);
  const spread = sumOf(tuples, ({ slotBytes }) => (slotBytes - slot) ** 2) / all;
  // Where sizes vary, the tuple that passes the limit has begun, in the mean, half of itself before it.
  const perLeaf = isFixed && main ? Math.floor(limit / slot) : (limit - (slot + spread / slot) / 2) / slot;
  const leaves = bytes / (Math.max(1, perLeaf) * slot);
  return { leaves, bytes: bytes + leaves * (slot - list) };
}

function sumOf(tuples: readonly Tuples[], figure: (one: Tuples) => number): number {
  return tuples.reduce((sum, one) => sum + one.count * figure(one), 0);
}

export function innerPages(leaves: number, keyBytes: number, blockSize: number): number {
  const room = blockSize - pageOverheadBytes - Math.floor((blockSize * (100 - innerFillfactor)) / 100);
  const perPage = Math.max(2, Math.floor(room / (keyBytes + linePointerBytes)));
  let pages = 0;
  for (let below = leaves; below > 1; ) {
    below = Math.ceil(below / perPage);
    pages += below;
  }
  return pages;
}
