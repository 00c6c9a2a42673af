import type { Unjudged } from '../src/model.ts';
import { inBytes } from './shared/sizes.ts';
import type { Doubt } from './table-bloat.estimate.ts';
import type { WholeTable } from './table-bloat.fold.ts';
import { type BloatFacts, maxCandidates } from './table-bloat.gather.ts';

/** One line for each reason: what is not known, and the one thing that would let it be known. Pure. */
export function unjudgedTables(
  tables: readonly WholeTable[],
  { role, version, tables: looks }: Pick<BloatFacts, 'role' | 'version' | 'tables'>,
): Unjudged[] {
  const byDoubt = new Map<Doubt, WholeTable[]>();
  for (const table of tables) {
    if (table.bloat.confidence !== 'unknown') continue;
    byDoubt.set(table.bloat.doubt, [...(byDoubt.get(table.bloat.doubt) ?? []), table]);
  }
  const lines = [...byDoubt].map(([doubt, unknown]): Unjudged => {
    const [largest] = [...unknown].sort((a, b) => b.sizeBytes - a.sizeBytes);
    const example = largest ? `, the largest is ${largest.qualified} (${inBytes(largest.sizeBytes)})` : '';
    const reason = `${unknown.length} of ${tables.length} tables${example}: ${reasons[doubt]}`;
    return { reason, remedy: remedyFor(doubt, { role, version, example: largest?.qualified ?? '' }) };
  });
  return looks.length < maxCandidates ? lines : [...lines, unjudgedRest];
}

const unjudgedRest: Unjudged = {
  reason: `only the ${maxCandidates} largest tables and partitions were looked at`,
  remedy: "Raise the job's minBytes.",
};

const reasons: Readonly<Record<Doubt, string>> = {
  'no-privilege': 'the role cannot see their statistics',
  'no-statistics': 'they have no statistics',
  'stale-statistics': 'their statistics are older than what has changed in them since',
  locked: 'somebody has them locked',
  'too-slow': 'reading them took too long',
  refused: 'the server refused to measure them',
};

function remedyFor(doubt: Doubt, { role, version, example }: { role: string; version: number; example: string }) {
  if (doubt === 'no-privilege') {
    const grant = version >= 140_000 ? `grant pg_read_all_data to ${role};` : `grant select on ${example} to ${role};`;
    return `${grant} -- it can then read table contents; or: create extension pgstattuple;`;
  }
  if (doubt === 'no-statistics' || doubt === 'stale-statistics')
    return `analyze ${example}; -- or, to measure in place of estimating: create extension pgstattuple;`;
  return 'It will be looked at again at the next check.';
}
