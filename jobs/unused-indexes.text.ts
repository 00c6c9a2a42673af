import { count } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';
import { type IndexRow, type Known, keyOf } from './unused-indexes.facts.ts';
import type { Window } from './unused-indexes.window.ts';

export interface Unused {
  index: IndexRow;
  known: readonly Known[];
  windows: readonly Window[];
  days: number;
  writesPerDay: number | null;
}

/** What a person reads before an index goes: how it is known, what it costs, and what cannot be known. */
export function describeUnused(unused: Unused) {
  const { index, windows } = unused;
  const { qualified, table, columns, isPartial, method, sizeBytes } = index;
  const shape = `${method === 'btree' ? '' : `${method} `}(${columns})${isPartial ? ', partial' : ''}`;
  const why = `No scan in ${unused.days} days on ${nodesOf(windows)}; ${writesOf(unused)}.`;
  const doubt =
    windows[0]?.source === 'server'
      ? 'By the counters alone, which do not tell how old the index is: look whether it was made of late.'
      : 'What runs less often than that was not seen: ask who owns the table.';
  return {
    why,
    title: `index ${qualified} is not used`,
    summary: `${inBytes(sizeBytes)} on ${table} ${shape}. ${why}\n${doubt}\nTo drop it: drop index concurrently ${qualified};`,
    evidence: evidenceOf(unused),
    otherwise: `Kept, it takes ${inBytes(sizeBytes)} of disk, backups and memory and its part in each of these writes; no query is slower for it.`,
  };
}

function nodesOf(windows: readonly Window[]): string {
  const named = windows.map(({ node, isStandby }) => `${isStandby ? 'standby' : 'primary'} ${node}`);
  return named.length === 1 ? `${named[0]}, from which no standby streams` : named.join(' and ');
}

function writesOf({ writesPerDay, index: { table } }: Unused): string {
  if (writesPerDay === null) return `how much is written to ${table} is not known`;
  return `about ${count(Math.round(writesPerDay), 'write')} a day to ${table}`;
}

/** A line a node: what it counted in the window, what its counter says, and since when it counts. */
function evidenceOf({ index, known, windows, days }: Unused): string {
  const rows = windows.map((window, at) => {
    const { server, indexes } = known[at]?.facts ?? {};
    const own = indexes?.find((one) => keyOf(one) === keyOf(index));
    return [
      window.node,
      window.isStandby ? 'standby' : 'primary',
      String(window.scansOf(index).scans),
      String(own?.scans ?? 0),
      dateOf(server?.countedSinceSeconds),
      dateOf(own?.lastScanSeconds),
    ];
  });
  const table = [['node', 'role', `scans in ${days} days`, 'counter', 'counted since', 'last scan'], ...rows];
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The last scan is known from 16 on. */
function dateOf(seconds: number | null | undefined): string {
  return seconds === null || seconds === undefined ? '–' : new Date(seconds * 1_000).toISOString().slice(0, 10);
}
