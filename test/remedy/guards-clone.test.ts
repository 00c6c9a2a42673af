import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import { executeRun } from '../../src/remedy/execute.ts';
import { readRun } from '../../src/state/runs.ts';
import { expectRefused } from '../runbooks/ward.ts';
import { startProxy } from '../support/proxy.ts';
import { openRemedy, type Remedy, type RemedyOptions } from '../support/remedy.ts';
import {
  cloneOf,
  createDatabase,
  type Database,
  majors,
  newest,
  openDatabase,
  ownServer,
  standbyOf,
} from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { approved, judge, orders, refusalOf } from './guard-ward.ts';

const heavy = majors.filter((major) => [12, 15, 18].includes(major));

describe.each(heavy)('one cluster, two servers, on PostgreSQL %i', (major) => {
  let original: Server;
  let other: Server;
  let state: Database;
  beforeAll(async () => {
    [original, state] = [await ownServer(major), await createDatabase(newest)];
    await (await openDatabase(original)).run(orders);
  });
  afterAll(async () => {
    await other?.remove();
    await original?.remove();
  });

  const open = (name: string, on: Server, options: Partial<RemedyOptions> = {}): Promise<Remedy> =>
    openRemedy({
      stateUrl: state.url(),
      monitorUrl: on.url('postgres', 'monitor'),
      signalUrl: on.url('postgres', 'actor'),
      actions: { maintain: on.url('postgres', 'keeper') },
      targets: [`${name}-${major}`],
      ...options,
    });

  it('a clone is not acted on in place of what it was made of, nor beside it', { timeout: 120_000 }, async () => {
    other = await cloneOf(original);
    const [astray, shop, copy] = [
      await open('astray', original, { actions: { maintain: other.url('postgres', 'keeper') } }),
      await open('shop', original),
      await open('copy', other),
    ];
    try {
      const wrong = await approved(astray, 'shop.orders_idx');
      await expectRefused(
        astray,
        wrong,
        /^the action login reaches another server than the one that main is watched on/,
      );
      const run = await approved(shop, 'shop.orders_idx');
      expect(refusalOf(await judge(run, { remedy: shop }))).toBeNull();
      await copy.propose('long-transactions');
      const context = { ...shop.context, targets: new Map([...shop.context.targets, ...copy.context.targets]) };
      await executeRun(context, run.id);
      const twin = `copy-${major} is the same cluster under another name`;
      expect(await readRun(context.pool, run.id)).toMatchObject({ state: 'refused', sentAt: null, outcome: twin });
    } finally {
      for (const one of [astray, shop, copy]) await one.close();
      await other.remove();
    }
  });

  it('what was approved before a failover is refused on the new primary, and can be planned anew', async () => {
    other = await standbyOf(original);
    const where = { path: `${original.host}/.s.PGSQL.${original.port}` };
    const proxy = await startProxy(where);
    const at = (user: string) => `postgres://${user}@127.0.0.1:${proxy.port}/postgres`;
    const remedy = await open('failing', original, { monitorUrl: at('monitor'), actions: { maintain: at('keeper') } });
    try {
      const run = await approved(remedy, 'shop.orders_idx');
      expect(refusalOf(await judge(run, { remedy }))).toBeNull();
      const promoted = await openDatabase(other);
      await until(
        'the standby to have caught up',
        async () => (await promoted.run('select from shop.orders')).rowCount,
      );
      where.path = `${other.host}/.s.PGSQL.${other.port}`;
      proxy.cut();
      await promoted.run('select pg_promote()');
      await expectRefused(remedy, run, /^the cluster failed over since the plan \(timeline 2, planned 1\)$/);
      expect(refusalOf(await judge(await approved(remedy, 'shop.orders_idx'), { remedy }))).toBeNull();
    } finally {
      await remedy.close();
      await proxy.close();
    }
  });
});
