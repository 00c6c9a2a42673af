import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkTarget } from '../../src/detect/check.ts';
import { historyOf, placeSamples } from '../../src/detect/history.ts';
import { defineJob, type Point } from '../../src/detect/job.ts';
import { createLog } from '../../src/log.ts';
import { StateDatabase } from '../../src/state/database.ts';
import { appendSamples, readSamples } from '../../src/state/samples.ts';
import { Reader } from '../../src/targets/reader.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

const seen: (readonly Point[])[] = [];

/** Counts what it is told to, and notes what its judge was shown of the past. */
const counter = defineJob({
  name: 'counter',
  title: 'A job that remembers',
  delivery: 'report',
  scope: 'database',
  schedule: '0 0 3 * * *',
  fire: { afterSeconds: 0 },
  clear: { factor: 1, samples: 1 },
  thresholds: {},
  measures: {},
  history: { days: 35 },
  gather: async () => 7,
  sample: (figure: number) => [
    { series: 'figure', value: figure },
    { series: 'scans', objects: { 'public.a': figure, 'public.b': 1 } },
  ],
  judge(_, { history }) {
    seen.push(history('figure'), history('scans', 'public.a'), history('scans', 'public.gone'));
    return { findings: [], unjudged: [] };
  },
});

describe('history', () => {
  let state: StateDatabase;
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(newest);
    state = new StateDatabase((await createDatabase(newest)).url(), createLog('silent'));
    await state.start();
  });
  afterAll(() => state?.close());

  it('is what the checks before have sampled; the first has none, nor has one from a terminal', async () => {
    const reader = new Reader({ name: 'main', url: database.url('monitor') });
    const target = { name: 'shop', nodes: [{ name: 'main', reader }], protectedBecause: () => null };
    const readPast = (job: string, days: number) => readSamples(state.pool, { target: 'shop', job, days });
    const look = async (remembers: boolean) => {
      seen.length = 0;
      const { samples, result } = await checkTarget(counter, { ...target, ...(remembers ? { readPast } : {}) }, {});
      expect(result).toMatchObject({ outcome: 'ok', databases: 1 });
      if (remembers) await appendSamples(state.pool, { target: 'shop', job: 'counter' }, samples);
      return seen.slice(0, 3).map((points) => points.map(({ value, highest }) => [value, highest]));
    };
    expect(await look(true)).toEqual([[], [], []]);
    expect(await look(true)).toEqual([[[7, 7]], [[7, 7]], []]);
    expect(await look(true)).toEqual([
      [
        [7, 7],
        [7, 7],
      ],
      [[7, 7]],
      [],
    ]);
    expect(await look(false)).toEqual([[], [], []]);
    await reader.close();
  });

  it('is told apart by place, and comes oldest first', () => {
    const at = (day: number) => new Date(Date.UTC(2026, 0, day));
    const past = [
      { series: 'shop/x', at: at(2), value: 2, highest: 5, objects: null },
      { series: 'shop/x', at: at(1), value: 1, highest: 1, objects: null },
      { series: 'crm/x', at: at(1), value: 9, highest: 9, objects: null },
    ];
    expect(historyOf(past, 'shop')('x').map(({ value, highest }) => [value, highest])).toEqual([
      [1, 1],
      [2, 5],
    ]);
  });

  it('keeps of many objects those with the largest figures', () => {
    const objects = Object.fromEntries(Array.from({ length: 3_000 }, (_, at) => [`public.t${at}`, at]));
    const [placed] = placeSamples([{ series: 'bytes', objects }], 'shop');
    if (!placed || !('objects' in placed)) throw new Error('no objects');
    expect(Object.keys(placed.objects)).toHaveLength(2_000);
    expect(Math.min(...Object.values(placed.objects))).toBe(1_000);
  });
});
