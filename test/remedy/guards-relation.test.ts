import { describe, expect, it } from 'vitest';
import { expectRefused } from '../runbooks/ward.ts';
import { majors } from '../support/servers.ts';
import { acting, refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

describe.each(majors)('a rebuild of an index on PostgreSQL %i', (major) => {
  const ward = useGuardWard(major);
  const refused = async (why: RegExp, change: string) => {
    const run = await ward.approved();
    await ward.database.run(change);
    await expectRefused(ward.remedy, run, why);
  };

  it('passes every guard, and its card says what each has seen', async () => {
    const verdicts = await ward.judge(await ward.approved());
    expect(refusalOf(verdicts)).toBeNull();
    expect(saysOf(verdicts)).toEqual([
      'the same server',
      'a primary',
      'still the same shop.orders_idx',
      'keeper may do it',
      expect.stringMatching(new RegExp(`^version ${major}\\.\\d+$`)),
      'not rebuilt in the last 7 days',
      expect.stringMatching(/^(no standby|standby lag \S+ \w+)$/),
      'free disk space is not known: SQL does not show it',
      'no wraparound vacuum',
      'nobody else maintains the table',
      'no DDL queued',
      'no prepared transaction on the table',
      'waits for no transaction now',
      'its precondition holds',
    ]);
  });

  it('is refused when the index was dropped and made anew under its name', async () => {
    await refused(
      /^shop\.orders_idx was dropped and made anew under its name, or rebuilt concurrently, since the plan \(oid \d+, planned \d+\); look again/,
      'drop index shop.orders_idx; create index orders_idx on shop.orders (status)',
    );
  });

  it('is refused when somebody has rebuilt it since', async () => {
    await refused(
      /^shop\.orders_idx was rebuilt since the plan \(file \d+, planned \d+\)/,
      'reindex index shop.orders_idx',
    );
  });

  it('is refused when it was renamed, and when another one has its name by now', async () => {
    const renamed = 'alter index shop.orders_idx rename to "Orders;idx"';
    await refused(/^shop\.orders_idx was renamed to shop\."Orders;idx" since the plan; look again/, renamed);
    await ward.database.run('alter index shop."Orders;idx" rename to orders_idx');
    await refused(
      /was renamed to shop\."Orders;idx" since the plan, and another has its name; look again/,
      `${renamed}; create index orders_idx on shop.orders (status)`,
    );
  });

  it('is refused when the index is gone', async () => {
    await refused(/^shop\.orders_idx is gone since the plan; look again/, 'drop index shop.orders_idx');
  });

  it('is refused when the name belongs to an index of another table', async () => {
    await refused(
      /made anew under its name since the plan, and belongs to another table, shop\.returns \(oid/,
      'drop index shop.orders_idx; create table shop.returns (id int); create index orders_idx on shop.returns (id)',
    );
  });

  it('is refused in another database than the one that it was planned for', async () => {
    const verdicts = await ward.judge(await ward.approved(), { into: 'postgres' });
    const why = `the action login is in database postgres, and shop.orders_idx was planned in ${ward.database.name}`;
    expect(refusalOf(verdicts)).toBe(why);
  });

  it('is refused for a catalog, which no runbook is for', async () => {
    const run = await ward.approved('pg_catalog.pg_class_oid_index');
    await expectRefused(ward.remedy, run, /^pg_catalog\.pg_class_oid_index is one of the server's own catalogs/);
  });

  it('is refused for the index of an exclusion constraint, which stays for other acts', async () => {
    await ward.database.run(
      'create table shop.stays (span int4range, constraint one exclude using gist (span with &&))',
    );
    await ward.database.run('alter table shop.stays owner to app');
    const run = await ward.approved('shop.one');
    const why = /^shop\.one serves an exclusion constraint of shop\.stays, and PostgreSQL cannot rebuild such an index/;
    expect(refusalOf(await ward.judge(run))).toMatch(why);
    const other = await ward.judge(run, { plan: acting('comment on index shop.one is $$kept$$') });
    expect(refusalOf(other)).toBeNull();
  });

  it('is refused for a partitioned index, and passes for the one of a partition', async () => {
    await ward.database.run(`
      create table shop.days (day integer) partition by range (day);
      create table shop.monday partition of shop.days for values from (1) to (2);
      create index days_idx on shop.days (day);
      alter table shop.days owner to app; alter table shop.monday owner to app`);
    const why = /^shop\.days_idx is partitioned: take the indexes of its partitions one by one$/;
    expect(refusalOf(await ward.judge(await ward.approved('shop.days_idx')))).toMatch(why);
    expect(refusalOf(await ward.judge(await ward.approved('shop.monday_day_idx')))).toBeNull();
  });

  it('is refused for a temporary table, which is its session’s own', async () => {
    const client = await ward.session();
    await client.query('create temporary table basket (id integer); create index basket_idx on basket (id)');
    const { rows } = await client.query('select pg_my_temp_schema()::regnamespace::text as schema');
    const run = await ward.approved(`${rows[0].schema}.basket_idx`);
    expect(refusalOf(await ward.judge(run))).toMatch(/^pg_temp_\d+\.basket_idx is temporary: it is seen, and looked/);
  });
});
