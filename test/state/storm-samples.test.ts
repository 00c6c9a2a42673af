import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { StateDatabase } from '../../src/state/database.ts';
import {
  keepStormSample,
  readLastStorm,
  readWorstOfAlert,
  type StormSample,
  trimStormSamples,
} from '../../src/state/storm-samples.ts';
import { createDatabase, newest } from '../support/servers.ts';

let state: StateDatabase;
beforeAll(async () => {
  state = new StateDatabase((await createDatabase(newest)).url(), createLog('silent'));
  await state.start();
});
afterAll(() => state?.close());
beforeEach(async () => {
  await state.pool.query('truncate storm_samples, alerts cascade');
});

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const stormSince = minutesAgo(10);

function sample(changes: Partial<StormSample> = {}): StormSample {
  return {
    job: 'lock-chains',
    target: 'shop',
    node: 'primary',
    fingerprint: 'relation 1',
    stormSince,
    at: minutesAgo(5),
    everySeconds: 3,
    victimCount: 5,
    longestWaitSeconds: 10.5,
    evidence: '1 idle\n└─ 2 waits',
    facts: { object: 'shop.orders' },
    ...changes,
  };
}

async function keep(...samples: Partial<StormSample>[]): Promise<void> {
  for (const one of samples) await keepStormSample(state.pool, sample(one));
}

async function openAlert(fingerprint: string): Promise<number> {
  const { rows } = await state.pool.query(
    `insert into alerts (job, target, fingerprint, state, severity, finding, first_seen_at, last_seen_at)
     values ('lock-chains', 'shop', $1, 'pending', 'warning', '{}', now(), now()) returning id`,
    [fingerprint],
  );
  return Number(rows[0].id);
}

describe('the last storm', () => {
  it('is none where none was seen, on this target and within 30 days', async () => {
    await keep({ target: 'other' }, { job: 'other' }, { at: minutesAgo(31 * 1440), stormSince: minutesAgo(31 * 1440) });
    expect(await readLastStorm(state.pool, 'lock-chains', 'shop')).toBeNull();
  });

  it('is told by its worst moment, most victims and then the longest wait, and by when it was seen last', async () => {
    const worst = sample({ victimCount: 9, longestWaitSeconds: 30, at: minutesAgo(4) });
    await keep({ victimCount: 9, longestWaitSeconds: null }, worst, { at: minutesAgo(2) });
    await keep({ victimCount: 99, stormSince: minutesAgo(60), at: minutesAgo(55) });
    const { rows } = await state.pool.query('select max(at) as at from storm_samples');
    expect(await readLastStorm(state.pool, 'lock-chains', 'shop')).toEqual({ worst, seenAt: rows[0].at });
  });
});

describe('a sample', () => {
  it('belongs to the open alert of the same thing, and outlives it', async () => {
    const id = await openAlert('relation 1');
    await keep({ victimCount: 7 }, { fingerprint: 'relation 2', victimCount: 70 });
    expect((await readWorstOfAlert(state.pool, id))?.victimCount).toBe(7);
    await state.pool.query("update alerts set state = 'resolved'");
    await keep({ victimCount: 700 });
    expect((await readWorstOfAlert(state.pool, id))?.victimCount).toBe(7);
    await state.pool.query('delete from alerts');
    expect((await readLastStorm(state.pool, 'lock-chains', 'shop'))?.worst.victimCount).toBe(700);
  });

  it('of a storm is one of the 200 worst, and the worst of each thing stays', async () => {
    await state.pool.query(
      `insert into storm_samples (job, target, node, fingerprint, storm_since, at, victim_count, every_seconds, evidence, facts)
       select 'lock-chains', 'shop', 'primary', 'relation ' || f, $1, now(), f * 1000 + g, 3, '', '{}'
       from generate_series(1, 2) f, generate_series(1, 150) g`,
      [stormSince],
    );
    await keep({ stormSince: minutesAgo(60), victimCount: 1 });
    await trimStormSamples(state.pool, { job: 'lock-chains', target: 'shop', stormSince });
    const { rows } = await state.pool.query(
      `select fingerprint, count(*)::int, min(victim_count) as min, max(victim_count) as max from storm_samples
       where storm_since = $1 group by 1 order by 1`,
      [stormSince],
    );
    expect(rows).toEqual([
      { fingerprint: 'relation 1', count: 100, min: 1051, max: 1150 },
      { fingerprint: 'relation 2', count: 100, min: 2051, max: 2150 },
    ]);
    expect((await state.pool.query('select from storm_samples')).rowCount).toBe(201);
  });

  it('older than 30 days is deleted when new ones come', async () => {
    await keep({ at: minutesAgo(31 * 1440) }, { at: minutesAgo(29 * 1440) });
    await trimStormSamples(state.pool, { job: 'lock-chains', target: 'shop', stormSince });
    expect((await state.pool.query('select from storm_samples')).rowCount).toBe(1);
  });
});
