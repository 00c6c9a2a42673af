import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { StateDatabase } from '../../src/state/database.ts';
import { appendSamples, planRollUps, readSamples, rollUpSamples } from '../../src/state/samples.ts';
import { createDatabase, newest } from '../support/servers.ts';

const of = { target: 'shop', job: 'lag' };

describe('samples', () => {
  let state: StateDatabase;
  beforeAll(async () => {
    state = new StateDatabase((await createDatabase(newest)).url(), createLog('silent'));
    await state.start();
  });
  afterAll(() => state?.close());
  beforeEach(() => state.pool.query('delete from samples'));

  const read = (days = 400) => readSamples(state.pool, { ...of, days });
  /** One raw sample a minute, the first so many days ago: values 0, 1, 2 … */
  const fill = (minutes: number, daysAgo: number) =>
    state.pool.query(
      `insert into samples (target, job, series, step, at, value, highest)
       select 'shop', 'lag', 'a/bytes', 'raw', date_trunc('hour', now()) - make_interval(days => $2, mins => -n), n, n
       from generate_series(0, $1::int - 1) n`,
      [minutes, daysAgo],
    );
  const steps = async () =>
    (await state.pool.query('select step, value, highest from samples order by at')).rows.map(
      ({ step, value, highest }) => [step, value, highest],
    );

  it('keeps a figure each time, and those of objects once a day', async () => {
    for (const value of [1, 2]) {
      const objects = { 'public.orders': value };
      await appendSamples(state.pool, of, [
        { series: 'a/bytes', value },
        { series: 'shop/bloat', objects },
      ]);
    }
    const kept = await read(2);
    expect(kept.filter(({ series }) => series === 'a/bytes').map(({ value }) => value)).toEqual([2, 1]);
    expect(kept.filter(({ series }) => series === 'shop/bloat')).toMatchObject([
      { value: null, objects: { 'public.orders': 2 } },
    ]);
  });

  it('gives each job on each target its own', async () => {
    await appendSamples(state.pool, of, [{ series: 'a/bytes', value: 1 }]);
    await appendSamples(state.pool, { ...of, target: 'other' }, [{ series: 'a/bytes', value: 2 }]);
    await appendSamples(state.pool, { ...of, job: 'other' }, [{ series: 'a/bytes', value: 3 }]);
    expect((await read()).map(({ value }) => value)).toEqual([1]);
  });

  it('rolls up into ten minutes after two days: the last figure, and the highest', async () => {
    await fill(30, 3);
    await state.pool.query('update samples set highest = 99, value = 99 where value = 4');
    await rollUpSamples(state.pool);
    expect(await steps()).toEqual([
      ['10min', 9, 99],
      ['10min', 19, 19],
      ['10min', 29, 29],
    ]);
  });

  it('rolls up what comes late into the step that is there', async () => {
    await fill(10, 3);
    const { rows } = await state.pool.query('delete from samples where value >= 5 returning *');
    await rollUpSamples(state.pool);
    for (const row of rows)
      await state.pool.query(
        `insert into samples (target, job, series, step, at, value, highest) values ($1, $2, $3, $4, $5, $6, $7)`,
        [row.target, row.job, row.series, row.step, row.at, row.value, row.highest],
      );
    await rollUpSamples(state.pool);
    expect(await steps()).toEqual([['10min', 9, 9]]);
  });

  it('rolls up into hours after thirty days, and forgets after four hundred', async () => {
    await fill(120, 31);
    for (let sweep = 0; sweep < 2; sweep++) await rollUpSamples(state.pool);
    expect(await steps()).toEqual([
      ['hour', 59, 59],
      ['hour', 119, 119],
    ]);
    await state.pool.query("update samples set at = at - interval '400 days'");
    await rollUpSamples(state.pool);
    expect(await steps()).toEqual([]);
  });

  it('loses and doubles nothing where several replicas roll up at once', async () => {
    await fill(600, 3);
    await Promise.all(Array.from({ length: 4 }, () => rollUpSamples(state.pool)));
    for (let sweep = 0; sweep < 2; sweep++) await rollUpSamples(state.pool);
    const kept = await steps();
    expect(kept).toHaveLength(60);
    expect(kept.map(([, , highest]) => highest)).toEqual(Array.from({ length: 60 }, (_, step) => step * 10 + 9));
  });

  it('does not begin a step that is not over', () => {
    const [raw] = planRollUps(new Date('2026-05-05T10:07:00Z'));
    expect(raw?.before.toISOString()).toBe('2026-05-03T10:00:00.000Z');
  });
});
