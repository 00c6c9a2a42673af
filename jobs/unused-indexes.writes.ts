import type { Point, Sample } from '../src/detect/job.ts';
import type { Known } from './unused-indexes.facts.ts';
import { daySeconds, windowDays } from './unused-indexes.window.ts';

type History = (series: string, object?: string) => readonly Point[];

/** What the tables of these indexes had written to them, by the node that speaks for the cluster. */
export function sampleWrites({ node, facts: { server, indexes } }: Known): Sample[] {
  const writes = indexes.flatMap(({ table, writes: count }) => (count === null ? [] : [[table, count] as const]));
  const objects = { at: server.nowSeconds, ...Object.fromEntries(writes) };
  return writes.length > 0 ? [{ series: seriesOf(node), objects }] : [];
}

/**
 * Rows a day that were written to the indexes of a table in the last 35 days: what each node counted while it was the
 * primary. Null where it is not known. Pure.
 */
export function writesPerDay(table: string, known: readonly Known[], history: History): number | null {
  let rows = 0;
  let seconds = 0;
  for (const one of known) {
    const points = pointsOf(table, one, history);
    for (const [at, point] of points.entries()) {
      const before = points[at - 1];
      if (!before) continue;
      rows += point.rows >= before.rows ? point.rows - before.rows : point.rows;
      seconds += point.atSeconds - before.atSeconds;
    }
  }
  return seconds > 0 ? (rows * daySeconds) / seconds : null;
}

/** By the counters alone: since they began. */
export function writesPerDayCounted(table: string, { facts: { server, indexes } }: Known): number | null {
  const rows = indexes.find((index) => index.table === table)?.writes ?? null;
  const seconds = server.nowSeconds - (server.countedSinceSeconds ?? server.nowSeconds);
  return rows === null || seconds <= 0 ? null : (rows * daySeconds) / seconds;
}

/** Of a standby only what was kept while it was the primary: its own counters stand still. */
function pointsOf(table: string, { node, isStandby, facts }: Known, history: History) {
  const times = new Map(history(seriesOf(node), 'at').map(({ at, value }) => [at.getTime(), value]));
  const begin = facts.server.nowSeconds - (windowDays + 1) * daySeconds;
  const past = history(seriesOf(node), table).flatMap(({ at, value }) => {
    const atSeconds = times.get(at.getTime());
    return atSeconds === undefined || atSeconds < begin ? [] : [{ atSeconds, rows: value }];
  });
  const current = isStandby ? null : (facts.indexes.find((index) => index.table === table)?.writes ?? null);
  return current === null ? past : [...past, { atSeconds: facts.server.nowSeconds, rows: current }];
}

function seriesOf(node: string): string {
  return `writes ${node}`;
}
