import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPlan } from '../../src/remedy/plan.ts';
import type { StoredRun } from '../../src/state/runs.ts';
import { standStill } from '../support/half-built.ts';
import type { Remedy } from '../support/remedy.ts';
import { sampled } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { expectRefusedBefore, readStored, useRelationWard } from './relation-ward.ts';

describe.each(sampled)('from a finding to its cure on PostgreSQL %i', (major) => {
  const ward = useRelationWard(major);
  const run = (sql: string) => ward.database.run(sql);
  let remedy: Remedy;

  // To measure with what the monitoring role may not estimate.
  beforeAll(() => run('create extension pgstattuple'));
  beforeEach(async () => {
    remedy = await ward.open();
    await run('create table orders (id integer primary key, status text)');
    await run('insert into orders select n, n::text from generate_series(1, 1000) n');
    await run('create index orders_status on orders (status)');
    await run('alter table orders owner to app');
  });
  afterEach(() => run('drop table if exists orders cascade'));

  const askReported = (job: string, object: string) => ward.askReported(remedy, { job, object });
  const readBack = (id: number | null) => readStored(remedy, id);

  async function followUpOf({ id }: StoredRun): Promise<StoredRun> {
    const { rows } = await remedy.context.pool.query('select id from runs where follows = $1', [id]);
    return readBack(rows.length === 1 ? Number(rows[0].id) : null);
  }

  async function indexes(): Promise<Record<string, boolean>> {
    const { rows } = await run(
      `select c.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid
       where i.indrelid = 'orders'::regclass order by 1`,
    );
    return Object.fromEntries(rows.map(({ relname, indisvalid }) => [relname, indisvalid]));
  }

  async function leaveHalf(): Promise<void> {
    await (await standStill(ward.database, 'reindex index concurrently orders_status', 'snapshot')).stop();
  }

  it('invalid-indexes proposes to drop what a stopped rebuild left, and that cures it', async () => {
    await leaveHalf();
    const [proposed, ...others] = await ward.proposedBy(remedy, 'invalid-indexes');
    if (!proposed) throw new Error('nothing was proposed');
    expect([proposed.runbook, proposed.does, others]).toEqual([
      'drop-invalid-index',
      expect.stringMatching(/^frees .*nothing is lost: public\.orders_status is the same and valid\.$/),
      [],
    ]);
    expect(await remedy.carryOut(proposed)).toMatchObject({ state: 'succeeded', outcome: /^verified after/ });
    expect(await indexes()).toEqual({ orders_pkey: true, orders_status: true });
    expect(await ward.proposedBy(remedy, 'invalid-indexes')).toEqual([]);
  });

  it('does not drop the left-over once its twin has gone', async () => {
    await leaveHalf();
    const [proposed] = await ward.proposedBy(remedy, 'invalid-indexes');
    await run('drop index orders_status');
    await expectRefusedBefore(remedy, proposed as StoredRun, /^no valid index is the same in all but its name/);
    expect(await indexes()).toEqual({ orders_pkey: true, orders_status_ccnew: false });
  });

  it('invalid-indexes proposes to rebuild what something stands on, and that cures it', async () => {
    await run("update pg_index set indisvalid = false where indexrelid = 'orders_pkey'::regclass");
    const [proposed] = await ward.proposedBy(remedy, 'invalid-indexes');
    expect(proposed?.runbook).toBe('reindex-index-concurrently');
    expect(await remedy.carryOut(proposed as StoredRun)).toMatchObject({ state: 'succeeded' });
    expect(await indexes()).toEqual({ orders_pkey: true, orders_status: true });
  });

  it('duplicate-indexes lets one of two be dropped, and it is made again when that is taken back', async () => {
    await run('create index orders_again on orders (status)');
    await run("comment on index orders_again is 'of 2019'");
    const dropped = await remedy.carryOut(await askReported('duplicate-indexes', 'orders_again'));
    expect(dropped).toMatchObject({ state: 'succeeded', outcome: /^verified after/ });
    expect(await indexes()).toEqual({ orders_pkey: true, orders_status: true });
    const back = await followUpOf(dropped);
    expect(back).toMatchObject({ runbook: 'recreate-dropped-index', state: 'proposed', risk: 'medium' });
    expect(await remedy.carryOut(back)).toMatchObject({ state: 'succeeded' });
    expect(await indexes()).toEqual({ orders_again: true, orders_pkey: true, orders_status: true });
    const { rows } = await run("select obj_description('orders_again'::regclass, 'pg_class') as comment");
    expect(rows).toEqual([{ comment: 'of 2019' }]);
  });

  it('never drops both of two indexes that are the same', async () => {
    await run('create index orders_again on orders (status)');
    const asked = await askReported('duplicate-indexes', 'orders_again');
    await run('drop index orders_status');
    await expectRefusedBefore(remedy, asked, /^the index that was to do its work is not there, or not valid$/);
    expect(await indexes()).toEqual({ orders_again: true, orders_pkey: true });
  });

  it('a drop that is stopped half-way is ended when asked for again, and can still be taken back', async () => {
    const reader = await ward.database.client('app');
    await reader.query('begin');
    await reader.query('select from orders limit 1');
    const askToDrop = () =>
      remedy.ask('drop-index-concurrently', { index: 'public.orders_status', database: ward.database.name });
    const asked = await askToDrop();
    await remedy.approve(asked);
    const ended = remedy.execute(asked);
    await until('it to wait', async () => (await readBack(asked.id)).progress?.waitsFor);
    await remedy.context.pool.query("update runs set stop_by = 'U0MIRA', stop_reason = 'too busy' where id = $1", [
      asked.id,
    ]);
    expect(await ended).toMatchObject({ state: 'stopped', outcome: 'stopped: too busy' });
    await reader.end();
    expect(await indexes()).toEqual({ orders_pkey: true, orders_status: false });
    const again = await remedy.carryOut(await askToDrop());
    expect(again).toMatchObject({ state: 'succeeded' });
    expect(await followUpOf(again)).toMatchObject({ runbook: 'recreate-dropped-index', state: 'proposed' });
    expect(await indexes()).toEqual({ orders_pkey: true });
  });

  /** By a session of its own: it leaves its statistics when it ends. */
  async function killRows(): Promise<void> {
    const client = await ward.database.client();
    await client.query('delete from orders');
    await client.end();
    await until('the statistics', async () => {
      const { rows } = await run("select pg_stat_get_dead_tuples('orders'::regclass)::int as dead");
      return rows[0].dead === 1_000;
    });
  }

  it.each(['vacuum-debt', 'table-bloat'])('%s lets its table be vacuumed', async (job) => {
    await run('vacuum analyze orders');
    await killRows();
    const asked = await askReported(job, 'orders');
    expect(openPlan(asked.plan, asked.planHash)).toMatchObject({ runbook: 'vacuum-table', class: 'maintain' });
    const vacuumed = await remedy.carryOut(asked);
    expect(vacuumed).toMatchObject({ state: 'succeeded', beforeAfter: 'dead 1000 → 0' });
  });

  it('does not vacuum where somebody keeps the rows, and names them', async () => {
    await killRows();
    const asked = await askReported('vacuum-debt', 'orders');
    await run('alter table orders set (autovacuum_vacuum_threshold = 1000000)');
    if (major >= 13) await run('alter table orders set (autovacuum_vacuum_insert_threshold = -1)');
    await expectRefusedBefore(remedy, asked, /^vacuum-debt was asked again and no longer finds this trouble$/);
    const holder = await ward.database.client('app', 'reporting');
    await holder.query('begin isolation level repeatable read; select 1');
    await run('vacuum orders');
    const again = await until('the statistics', async () => {
      const params = { table: 'public.orders', database: ward.database.name };
      const one = await remedy.ask('vacuum-table', params);
      const isKnown = openPlan(one.plan, one.planHash).params['vacuumed_at'] !== '0';
      if (!isKnown) await remedy.context.pool.query("update runs set state = 'withdrawn' where id = $1", [one.id]);
      return isKnown && one;
    });
    await expectRefusedBefore(
      remedy,
      again,
      /^nothing could be removed: pid \d+ \(reporting\) has held the oldest xmin/,
    );
    await holder.end();
  });

  it.each([
    ['drop-invalid-index', { index: 'public.orders_status_ccnew' }],
    ['drop-index-concurrently', { index: 'public.orders_status' }],
    ['vacuum-table', { table: 'public.orders' }],
  ])('%s is refused to a login without the right, by the name of the grant', async (runbook, relation) => {
    await leaveHalf();
    remedy = await ward.open('actor');
    const asked = await remedy.ask(runbook, { ...relation, database: ward.database.name });
    const grant = runbook === 'vacuum-table' && major >= 17 ? 'maintain on public\\.orders' : 'app';
    await expectRefusedBefore(remedy, asked, new RegExp(`^actor may not (?:drop|vacuum) .*: grant ${grant} to actor$`));
  });

  it('what was dropped is not made again by a login that may not, by the name of the grant', async () => {
    const asked = { index: 'public.orders_status', database: ward.database.name };
    const back = await followUpOf(await remedy.carryOut(await remedy.ask('drop-index-concurrently', asked)));
    await run('revoke create on schema public from app, public');
    await expectRefusedBefore(remedy, back, /grant create on schema public to keeper$/);
    await run('grant create on schema public to app');
    expect(await indexes()).toEqual({ orders_pkey: true });
  });

  /** Before 15 statistics come late: a delete that is told after the vacuum would count as made since. */
  const untilDead = (isDead: boolean) =>
    until('statistics to arrive', async () => {
      const { rows } = await run(
        "select n_dead_tup > 0 as dead from pg_stat_user_tables where relid = 'orders'::regclass",
      );
      return rows[0].dead === isDead;
    });

  it('index-bloat lets its index be rebuilt', async () => {
    await run('delete from orders where id > 10');
    await untilDead(true);
    await run('vacuum analyze orders');
    await untilDead(false);
    const asked = await askReported('index-bloat', 'orders_status');
    expect(await remedy.carryOut(asked)).toMatchObject({ state: 'succeeded', beforeAfter: /^size \d+ kB → 16 kB$/ });
  });
});
