import type { JudgeContext, Point, Sample } from './job.ts';

/** A sample with its place in front of its series: the database or the node it is of. */
export type PlacedSample = Sample;

/** A sample as it was kept: a figure, or those of many objects of one day. */
export interface StoredSample {
  series: string;
  at: Date;
  value: number | null;
  highest: number | null;
  objects: Readonly<Record<string, number>> | null;
}

/** More objects of one day are not kept: the largest figures speak. */
const maxObjects = 2_000;

/** What a job's samples are stored as. Pure. */
export function placeSamples(samples: readonly Sample[], place: string): PlacedSample[] {
  return samples.map((sample) => {
    const series = seriesOf(place, sample.series);
    if ('value' in sample) return { series, value: sample.value };
    const largest = Object.entries(sample.objects).sort(([, a], [, b]) => b - a);
    return { series, objects: Object.fromEntries(largest.slice(0, maxObjects)) };
  });
}

/** What a judge may ask of the past of its place: oldest first, and nothing where there is none. Pure. */
export function historyOf(past: readonly StoredSample[], place: string): JudgeContext<never>['history'] {
  const bySeries = new Map<string, StoredSample[]>();
  for (const one of past) bySeries.set(one.series, [...(bySeries.get(one.series) ?? []), one]);
  return (series, object) => {
    const stored = [...(bySeries.get(seriesOf(place, series)) ?? [])].sort((a, b) => a.at.getTime() - b.at.getTime());
    return stored.flatMap((one) => pointOf(one, object) ?? []);
  };
}

function seriesOf(place: string, series: string): string {
  return `${place}/${series}`;
}

function pointOf({ at, value, highest, objects }: StoredSample, object?: string): Point | null {
  const figure = object === undefined ? value : objects && Object.hasOwn(objects, object) ? objects[object] : null;
  if (figure === null || figure === undefined) return null;
  return { at, value: figure, highest: object === undefined ? (highest ?? figure) : figure };
}
