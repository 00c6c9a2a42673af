import type { Unjudged } from '../../src/model.ts';
import type { Doubt } from './doubt.ts';
import { inBytes } from './sizes.ts';

export interface Unknown {
  /** As SQL writes it. */
  qualified: string;
  /** What to analyze, or to grant on. */
  table: string;
  sizeBytes: number;
  doubt: Doubt;
}

interface Surroundings {
  /** How many were looked at, and what they are: "table". */
  total: number;
  kind: string;
  /** As SQL writes it. */
  role: string;
  /** server_version_num. */
  version: number;
}

/** One line for each reason: what is not known, and the one thing that would let it be known. Pure. */
export function groupUnknown(unknown: readonly Unknown[], around: Surroundings): Unjudged[] {
  const byDoubt = new Map<Doubt, Unknown[]>();
  for (const one of unknown) byDoubt.set(one.doubt, [...(byDoubt.get(one.doubt) ?? []), one]);
  return [...byDoubt].map(([doubt, group]) => {
    const bySize = [...group].sort((a, b) => b.sizeBytes - a.sizeBytes);
    const [largest] = bySize;
    if (!largest) throw new Error('a group of nothing');
    const plural = around.kind === 'index' ? 'indexes' : `${around.kind}s`;
    const example = `${group.length > 1 ? 'the largest is ' : ''}${largest.qualified}, ${inBytes(largest.sizeBytes)}`;
    return {
      reason: `${group.length} of ${around.total} ${plural} (${example}): ${reasons[doubt]}`,
      remedy: remedyFor(doubt, [...new Set(bySize.map(({ table }) => table))], around),
    };
  });
}

const reasons: Readonly<Record<Doubt, string>> = {
  'no-privilege': 'the role cannot see their statistics',
  'row-security': 'row level security hides their statistics from the role',
  'no-statistics': 'they have no statistics',
  'stale-statistics': 'their statistics are older than what has changed since',
  'dead-rows': 'rows that died since are still in them',
  locked: 'somebody has them locked',
  'too-slow': 'reading them took too long',
  refused: 'the server refused to measure them',
};

const mostNamed = 20;

/** The largest first. */
function remedyFor(doubt: Doubt, tables: readonly string[], { role, version }: Surroundings): string {
  const [table] = tables;
  const orMeasure = 'or: create extension pgstattuple;';
  if (doubt === 'no-privilege') {
    const named = tables.slice(0, mostNamed).join(', ');
    const grant = version >= 140_000 ? `grant pg_read_all_data to ${role};` : `grant select on ${named} to ${role};`;
    return `${grant} -- it can then read table contents; ${orMeasure}`;
  }
  if (doubt === 'row-security')
    return `alter role ${role} bypassrls; -- it then sees all rows of what it may read; ${orMeasure}`;
  if (doubt === 'dead-rows') return `vacuum analyze ${table};`;
  if (doubt === 'no-statistics' || doubt === 'stale-statistics')
    return `analyze ${table}; -- or, to measure in place of estimating: create extension pgstattuple;`;
  return 'It will be looked at again at the next check.';
}
