import { unusedIndexes } from '../../jobs/unused-indexes.ts';
import { type Checked, type CheckNode, checkTarget } from '../../src/detect/check.ts';
import type { PlacedSample, StoredSample } from '../../src/detect/history.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';

export const daySeconds = 86_400;

type Objects = Record<string, number>;
/** What a day's sample is to say; null where that node was not looked at. */
export type Change = (objects: Objects, daysAgo: number, series: string) => Objects | null;

/** As many days, as if each had been looked at as now, with what is changed of them. */
export function pastOf(samples: readonly PlacedSample[], days: number, change: Change = (objects) => objects) {
  return Array.from({ length: days }, (_, at) => days - at).flatMap((daysAgo) =>
    samples.flatMap((sample): StoredSample[] => {
      if (!('objects' in sample)) return [];
      const at = Number(sample.objects['at']) - daysAgo * daySeconds;
      const objects = change({ ...sample.objects, at }, daysAgo, sample.series);
      const day = new Date(Math.floor(at / daySeconds) * daySeconds * 1_000);
      return objects === null ? [] : [{ series: sample.series, at: day, value: null, highest: null, objects }];
    }),
  );
}

/** What was kept of the last days. */
type Past = (days: number) => Promise<StoredSample[]>;

/** So many days ago, or one more: not a day in which a month ended, which has to be seen. */
export function dayWithoutMonthEnd(daysAgo: number): number {
  const month = (ago: number) => new Date(Date.now() - ago * daySeconds * 1_000).getUTCMonth();
  return month(daysAgo + 0.1) === month(daysAgo - 1.1) ? daysAgo : dayWithoutMonthEnd(daysAgo + 1);
}

interface Options {
  /** Null: from a terminal. */
  past?: readonly StoredSample[] | Past | null;
  minBytes?: number;
  isIgnored?: (finding: { subject: unknown }) => boolean;
}

/** One check as the service does it, of one database on the nodes that are named. */
export async function checkUse(
  database: string,
  urls: Readonly<Record<string, string>>,
  { past = [], minBytes = 1, isIgnored }: Options = {},
): Promise<Checked> {
  const nodes: (CheckNode & { lane: SlowLane })[] = Object.entries(urls).map(([name, url]) => ({
    name,
    reader: new Reader({ name, url }),
    lane: new SlowLane({ name, url }),
  }));
  const readPast = async (_: string, days: number) => (typeof past === 'function' ? past(days) : [...(past ?? [])]);
  const target = {
    name: 'shop',
    nodes,
    protectedBecause: () => null,
    isChosen: (name: string) => name === database,
    ...(past === null ? {} : { readPast }),
    ...(isIgnored ? { isIgnored } : {}),
  };
  try {
    return await checkTarget(unusedIndexes, target, { minBytes });
  } finally {
    await Promise.all(nodes.flatMap(({ reader, lane }) => [reader.close(), lane.close()]));
  }
}
