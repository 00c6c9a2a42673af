import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PlacedSample, StoredSample } from '../../src/detect/history.ts';
import { createLog } from '../../src/log.ts';
import { StateDatabase } from '../../src/state/database.ts';
import { readSamples } from '../../src/state/samples.ts';
import { createDatabase, type Database, newest, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Change, checkUse, daySeconds, dayWithoutMonthEnd, pastOf } from './unused-past.ts';

/** What befell a node in these two months: all in days ago. */
interface Life {
  /** Its counters began anew: by pg_stat_reset, by a crash, as another server. */
  resets: readonly number[];
  scans: readonly number[];
  /** When nobody asked it. */
  missed?: readonly number[];
}

const quiet: Life = { resets: [], scans: [] };
/** An hour after the look of that day. */
const soonAfter = (daysAgo: number) => dayWithoutMonthEnd(daysAgo) - 1 / 24;

describe('unused-indexes, with two months of samples in the state database', () => {
  let state: StateDatabase;
  let database: Database;
  let urls: Record<string, string>;
  let template: readonly PlacedSample[];
  beforeAll(async () => {
    state = new StateDatabase((await createDatabase(newest)).url(), createLog('silent'));
    await state.start();
    const second = await standby(newest);
    database = await createDatabase(newest);
    await database.run('create table t as select n as a from generate_series(1, 2000) n');
    await database.run('create index i on t (a)');
    await database.run('vacuum t');
    const replica = await until('the database there', () => openDatabase(second, database.name).catch(() => null));
    urls = { one: database.url('monitor'), two: replica.url('monitor') };
    template = await until('the index there', async () => {
      const { samples } = await checkUse(database.name, urls);
      return samples.filter((sample) => 'objects' in sample && keyIn(sample.objects)).length === 2 && samples;
    });
  });
  afterAll(() => state?.close());
  beforeEach(() => state.pool.query('delete from samples'));

  it.each<[string, { one?: Life; two?: Life; days?: number }, string]>([
    ['finds it where nothing happened at all', {}, 'findings'],
    [
      'finds it 35 days after its last scan, whatever was reset, crashed or failed over meanwhile',
      {
        one: { scans: [55, 50, 36.5], resets: [soonAfter(45), soonAfter(20)] },
        two: { scans: [40, 38, 37.5], resets: [soonAfter(33), soonAfter(10)] },
      },
      'findings',
    ],
    [
      'finds nothing a day sooner, though its counter has fallen to nothing since',
      { two: { scans: [40, 38, 34.5], resets: [soonAfter(10)] } },
      'ok',
    ],
    [
      'sees a scan after a crash, where its counter stays below what it was',
      { one: { scans: [50, 49, 48, 19.5], resets: [soonAfter(20), soonAfter(5)] } },
      'ok',
    ],
    [
      'sees as many scans after a crash as before it',
      { one: { scans: [50, 49, 19.7, 19.5], resets: [soonAfter(20), soonAfter(5)] } },
      'ok',
    ],
    ['knows too little after 34 days', { days: 34 }, 'cannot-judge'],
    ['knows enough after 35', { days: 35 }, 'findings'],
    ['does with a look that was missed', { two: { ...quiet, missed: [12] } }, 'findings'],
    ['does not with two', { two: { ...quiet, missed: [12, 20] } }, 'cannot-judge'],
    [
      'sees a scan between two looks of which one was missed',
      { two: { scans: [12.5], resets: [], missed: [12] } },
      'ok',
    ],
    [
      'does not take a day for seen whose counters are gone each time',
      { one: { scans: [], resets: Array.from({ length: 50 }, (_, day) => day + 1.1) } },
      'cannot-judge',
    ],
    [
      'waits for a standby that is new',
      { two: { ...quiet, missed: Array.from({ length: 50 }, (_, day) => day + 11) } },
      'cannot-judge',
    ],
  ])('%s', async (_, { one = quiet, two = quiet, days = 60 }, outcome) => {
    await keep(pastOf(template, days, live({ one, two })));
    const result = await look();
    expect(result).toMatchObject({
      outcome,
      findings: outcome === 'findings' ? [{ title: 'index public.i is not used' }] : [],
    });
  });

  it('finds no index that is younger than that, nor one of its name that was made of something else', async () => {
    const young: Change = (objects, daysAgo) =>
      daysAgo > 10
        ? Object.fromEntries(Object.entries(objects).map(([key, value]) => [key.replace(/#.*/, '#other'), value]))
        : objects;
    await keep(pastOf(template, 60, young));
    expect(await look()).toMatchObject({ outcome: 'ok', findings: [] });
  });

  async function look() {
    const past = (days: number) => readSamples(state.pool, { target: 'shop', job: 'unused-indexes', days });
    return (await checkUse(database.name, urls, { past })).result;
  }

  /** What each node counted on each day. */
  function live(nodes: Readonly<Record<string, Life>>): Change {
    return (objects, daysAgo, series) => {
      const life = nodes[series.split(' ')[1] ?? ''] ?? quiet;
      if (life.missed?.includes(daysAgo)) return null;
      const key = keyIn(objects);
      if (!key) return objects;
      const begun = Math.min(...life.resets.filter((reset) => reset >= daysAgo));
      // The last of them is when the server of this test began to count.
      const isLast = life.resets.every((reset) => reset >= daysAgo);
      const now = Number(objects['at']) + daysAgo * daySeconds;
      const since = isLast ? Number(objects['since']) : Number.isFinite(begun) ? now - begun * daySeconds : 1;
      return { ...objects, since, [key]: life.scans.filter((scan) => scan >= daysAgo && scan < begun).length };
    };
  }

  async function keep(past: readonly StoredSample[]): Promise<void> {
    for (const { series, at, objects } of past)
      await state.pool.query(
        `insert into samples (target, job, series, step, at, objects) values ('shop', 'unused-indexes', $1, 'day', $2, $3)`,
        [series, at, JSON.stringify(objects)],
      );
  }
});

function keyIn(objects: Readonly<Record<string, number>>): string | undefined {
  return Object.keys(objects).find((key) => key.startsWith('public.i#'));
}
