import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import { majors, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { pidOf } from './check-job.ts';
import { LockScene, type Place, rootOf, waitersOf } from './lock-scene.ts';

/** A page takes an autovacuum a tenth of a second. */
const slow = 'autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1';
const oldestAndNewest = majors.filter((major) => [Math.min(...majors), Math.max(...majors)].includes(major));

describe.each(oldestAndNewest)('behind an autovacuum of PostgreSQL %i, lock-chains', (major) => {
  let server: Server;
  let place: Place;
  beforeAll(async () => {
    server = await ownServer(major, {
      autovacuum: 'on',
      autovacuum_naptime: '1s',
      autovacuum_freeze_max_age: '100000',
      autovacuum_vacuum_threshold: '1000000',
      autovacuum_analyze_threshold: '1000000',
    });
    place = await openDatabase(server);
  });
  afterAll(() => server?.remove());
  const scene = new LockScene(() => place);

  it('names a plain one, and that it gives way', async () => {
    await place.run(
      `create table dirty with (autovacuum_vacuum_threshold = 10, ${slow}) as select repeat('x', 900) as line from generate_series(1, 1000)`,
    );
    await place.run('delete from dirty');
    const worker = await vacuuming('dirty');
    const waiter = await scene.waiter('begin', 'lock table dirty');
    const [finding, ...others] = await scene.look({ waiting: 1 });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ title: '1 session waits behind one autovacuum worker', runbooks: [] });
    expect(finding && rootOf(finding)).toBe(worker);
    expect(waitersOf(finding)[0]?.pid).toBe(pidOf(waiter));
    expect(finding?.facts['notOffered']).toMatchObject({ why: expect.stringContaining('gives way') });
  });

  it('names one that prevents wraparound, and that it does not give way', async () => {
    await place.run(`create table old with (${slow}) as select repeat('x', 900) as line from generate_series(1, 1000)`);
    await place.run(
      "create procedure age(integer) language plpgsql as 'begin for i in 1 .. $1 loop perform txid_current(); commit; end loop; end'",
    );
    await place.run('call age(100100)');
    const worker = await vacuuming('old');
    const waiter = await scene.waiter('begin', 'lock table old');
    const [finding, ...others] = await scene.look({ waiting: 1 });
    expect(others).toEqual([]);
    expect(finding && rootOf(finding)).toBe(worker);
    expect(finding?.summary).toContain(`pid ${worker} (autovacuum worker, database postgres)`);
    expect(waitersOf(finding)[0]?.pid).toBe(pidOf(waiter));
    expect(finding?.runbooks).toEqual([]);
    expect(finding?.facts['notOffered']).toMatchObject({ why: expect.stringContaining('wraparound') });
  });

  function vacuuming(table: string): Promise<number> {
    return until(`an autovacuum of ${table}`, async () => {
      const { rows } = await place.run(
        "select pid from pg_stat_progress_vacuum where relid = $1::regclass and phase = 'scanning heap'",
        [table],
      );
      return rows[0]?.pid as number | undefined;
    });
  }
});
