import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/remedy/plan.ts';
import type { StoredRun } from '../../src/state/runs.ts';
import type { Remedy } from '../support/remedy.ts';
import { newest } from '../support/servers.ts';
import { acting, refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

describe('what was done before', () => {
  const ward = useGuardWard(newest);

  /** On the same target, as another run. */
  async function again(plan: Partial<Plan> = {}, index?: string, remedy: Remedy = ward.remedy): Promise<string | null> {
    const run = await ward.approved(index, remedy);
    const why = refusalOf(await ward.judge(run, { plan, remedy }));
    await ward.state.run("update pgorderly.runs set state = 'withdrawn' where id = $1", [run.id]);
    return why;
  }

  async function rebuilt(): Promise<StoredRun> {
    const run = await ward.remedy.execute(await ward.approved());
    expect(run.state).toBe('succeeded');
    return run;
  }

  it('an index is not rebuilt twice within 7 days', async () => {
    const { id } = await rebuilt();
    expect(await again()).toMatch(
      new RegExp(`^R-${id} rebuilt it \\d+ s ago, expected is once in 7 days: look for what`),
    );
    await ward.state.run("update pgorderly.runs set finished_at = finished_at - interval '6 d 23 h'");
    expect(await again()).toMatch(/ rebuilt it 6 d 23 h ago, /);
    await ward.state.run("update pgorderly.runs set finished_at = finished_at - interval '2 h'");
    expect(await again()).toBeNull();
  });

  it('but another index of the table is, and the same on another target', async () => {
    await rebuilt();
    expect(await again({}, 'shop.orders_pkey')).toBeNull();
    expect(await again({}, 'shop.orders_idx', await ward.open())).toBeNull();
  });

  it('but one that is invalid is, and what failed does not count', async () => {
    const { id } = await rebuilt();
    await ward.database.run("update pg_index set indisvalid = false where indexrelid = 'shop.orders_idx'::regclass");
    expect(await again()).toBeNull();
    await ward.database.run("update pg_index set indisvalid = true where indexrelid = 'shop.orders_idx'::regclass");
    await ward.state.run("update pgorderly.runs set state = 'failed' where id = $1", [id]);
    expect(await again()).toBeNull();
  });

  it('a second index is dropped a day later at the earliest, a left-over whenever there is one', async () => {
    const drop = acting('drop index concurrently shop.orders_idx', 'select 1');
    const leftOver = acting('drop index concurrently shop.orders_idx');
    expect(await again(drop)).toBeNull();
    const { id } = await ward.approved('shop.orders_pkey');
    await ward.state.run("update pgorderly.runs set state = 'failed', sent_at = clock_timestamp() where id = $1", [id]);
    const why = `^R-${id} dropped one on shop-\\S+ \\d+ s ago, expected is one a day: wait, and see whether that one is missed$`;
    expect(await again(drop)).toMatch(new RegExp(why));
    expect(await again(leftOver)).toBeNull();
    await ward.state.run("update pgorderly.runs set sent_at = sent_at - interval '24 h' where id = $1", [id]);
    const run = await ward.approved();
    expect(saysOf(await ward.judge(run, { plan: drop }))).toContain('no other drop within a day');
  });
});
