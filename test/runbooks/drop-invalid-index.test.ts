import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { standStill } from '../support/half-built.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { type ByHand, indexVariables, takeRunbook } from './by-hand.ts';

describe.each(majors)('drop-invalid-index on PostgreSQL %i', (major) => {
  let database: Database;
  let runbook: ByHand;
  beforeAll(async () => {
    database = await createDatabase(major);
    runbook = await takeRunbook('drop-invalid-index', database);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run('create table orders (id integer primary key, status text not null)');
    await database.run('insert into orders select n, n::text from generate_series(1, 1000) n');
    await database.run('create index orders_status on orders (lower(status)) where id > 0');
    await database.run('alter table orders owner to app');
  });
  afterEach(() => database.run('drop table if exists orders cascade'));

  async function interrupt(statement: string, by: 'snapshot' | 'reader'): Promise<void> {
    await (await standStill(database, statement, by)).stop();
  }

  const paramsOf = async (name: string, least_twins = '1') => ({
    ...(await indexVariables(database, name)),
    least_twins,
  });
  const invalidate = (name: string) =>
    database.run(`update pg_index set indisvalid = false where indexrelid = '${name}'::regclass`);
  async function indexes(): Promise<string[]> {
    const { rows } = await database.run(
      "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = 'orders'::regclass order by 1",
    );
    return rows.map(({ relname }) => relname);
  }

  it.each([
    ['snapshot', 'orders_status_ccnew'],
    ['reader', 'orders_status_ccold'],
  ] as const)('drops what a rebuild left that was held by a %s, and nothing else', async (by, left) => {
    await interrupt('reindex index concurrently orders_status', by);
    const params = await paramsOf(left);
    expect(await runbook.whyNot(params)).toBeNull();
    expect(await runbook.ask('evidence', params)).toMatchObject([{ definition: expect.stringContaining(left) }]);
    expect(await runbook.isVerified(params)).toBe(false);
    await runbook.act(params);
    expect(await runbook.isVerified(params)).toBe(true);
    expect(await runbook.whyNot(params)).toBe('no row');
    expect(await indexes()).toEqual(['orders_pkey', 'orders_status']);
  });

  it('needs a word more for an index without a twin', async () => {
    await interrupt('create index concurrently late on orders (status)', 'snapshot');
    expect(await runbook.whyNot(await paramsOf('late'))).toContain('rebuild it, or ask with least_twins=0');
    const params = await paramsOf('late', '0');
    expect(await runbook.whyNot(params)).toBeNull();
    await runbook.act(params);
    expect(await runbook.isVerified(params)).toBe(true);
  });

  it('takes no index for a twin that differs in anything but its name', async () => {
    await database.run('create index other on orders (status) where id > 1');
    await database.run('create unique index once on orders (status, id)');
    for (const shape of [
      '(status)',
      '(status) where id > 2',
      '(status, id)',
      '(status desc)',
      '(status collate "C")',
    ]) {
      await interrupt(`create index concurrently late on orders ${shape}`, 'snapshot');
      expect(await runbook.whyNot(await paramsOf('late')), shape).toContain('no valid index is the same');
      await database.run('drop index late');
    }
  });

  it('ends a drop that was stopped at its end', async () => {
    await interrupt('reindex index concurrently orders_status', 'snapshot');
    await interrupt('drop index concurrently orders_status_ccnew', 'reader');
    const params = await paramsOf('orders_status_ccnew');
    expect(await runbook.whyNot(params)).toBeNull();
    await runbook.act(params);
    expect(await runbook.isVerified(params)).toBe(true);
  });

  it('keeps away from what somebody builds, rebuilds or drops', async () => {
    await database.run('create index late on orders (lower(status)) where id > 0');
    for (const [statement, by, name] of [
      ['create index concurrently twin on orders (lower(status)) where id > 0', 'snapshot', 'twin'],
      ['reindex index concurrently late', 'snapshot', 'late_ccnew'],
      ['drop index concurrently late', 'reader', 'late'],
    ] as const) {
      const under = await standStill(database, statement, by);
      const params = await paramsOf(name);
      const [whyNot, progress] = [await runbook.whyNot(params), await runbook.ask('progress', params)];
      await under.stop();
      expect(whyNot, statement).toContain('somebody is at it');
      if (statement.startsWith('drop'))
        expect(progress).toMatchObject([{ phase: 'waiting for readers and writers', waits_for: expect.any(Number) }]);
    }
  });

  it('refuses what is valid, and what a constraint, an identity, a parent or an extension stands on', async () => {
    const expectWhyNot = async (name: string, why: string) =>
      expect(await runbook.whyNot(await paramsOf(name, '0'))).toContain(why);
    await expectWhyNot('orders_status', 'it is valid by now');
    await invalidate('orders_pkey');
    await expectWhyNot('orders_pkey', 'a constraint stands on it');
    await database.run('create unique index identity on orders (status)');
    await database.run('alter table orders replica identity using index identity');
    await invalidate('identity');
    await expectWhyNot('identity', 'replica identity');
    await database.run('create table parts (id integer) partition by range (id)');
    await database.run('create table parts_1 partition of parts for values from (0) to (10)');
    await database.run('create index parts_id on parts (id)');
    await invalidate('parts_1_id_idx');
    await expectWhyNot('parts_1_id_idx', 'partitioned table');
    await database.run('drop table parts');
    await invalidate('orders_status');
    await database.run('alter extension plpgsql add table orders');
    await expectWhyNot('orders_status', 'extension');
    await database.run('alter extension plpgsql drop table orders');
  });

  it('does not take a successor for the index that was approved', async () => {
    await interrupt('create index concurrently late on orders (status)', 'snapshot');
    const params = await paramsOf('late', '0');
    await database.run('reindex index late');
    expect(await runbook.whyNot(params)).toBe('no row');
    await database.run('drop index late');
    await interrupt('create index concurrently late on orders (status)', 'snapshot');
    expect(await runbook.whyNot(params)).toBe('no row');
  });
});
