import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type ByHand, tableVariables, takeRunbook } from './by-hand.ts';

/** The test's servers have autovacuum off. */
describe.each(majors)('vacuum-table on PostgreSQL %i', (major) => {
  let database: Database;
  let runbook: ByHand;
  beforeAll(async () => {
    database = await createDatabase(major);
    runbook = await takeRunbook('vacuum-table', database);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run('create table orders (id integer, body text)');
    await database.run('alter table orders owner to app');
    await database.run('alter table orders alter body set storage external');
  });
  afterEach(() => database.run('drop table orders cascade'));

  /** By a session of its own: it leaves its statistics when it ends. */
  async function write(...statements: string[]): Promise<void> {
    const client = await database.client();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }
  const kill = () =>
    write("insert into orders select n, repeat('x', 3000) from generate_series(1, 500) n", 'delete from orders');
  const params = () => tableVariables(database, 'orders');
  const verified = (of: Record<string, string>) => until('the statistics', () => runbook.isVerified(of));

  it('removes dead rows, of the TOAST table too, and leaves the file as large', async () => {
    await kill();
    const before = await params();
    expect(before['vacuumed_at']).toBe('0');
    const [found] = await until('the statistics', async () => {
      const rows = await runbook.ask('precondition', before);
      return Number(rows[0]?.['dead_rows']) === 500 && rows;
    });
    expect(found).toMatchObject({ why_not: null, size_bytes: expect.stringMatching(/^\d{7}$/) });
    expect(await runbook.isVerified(before)).toBe(false);
    expect(await runbook.act(before)).toEqual([]);
    await verified(before);
    await until('no dead rows', async () => Number((await runbook.ask('verify', before))[0]?.['dead_rows']) === 0);
    const [after] = await runbook.ask('precondition', await params());
    expect(Number(after?.['size_bytes'])).toBeGreaterThanOrEqual(Number(found?.['size_bytes']));
  });

  it('proves each vacuum anew, and refuses when somebody was there since', async () => {
    await kill();
    const first = await params();
    await runbook.act(first);
    await verified(first);
    expect(await runbook.whyNot(first)).toBe('somebody has vacuumed it since');
    const second = await params();
    expect(second['vacuumed_at']).toMatch(/^\d{16}$/);
    expect(await runbook.isVerified(second)).toBe(false);
    await runbook.act(second);
    await verified(second);
  });

  it('is not taken in by a vacuum that was only warned about', async () => {
    await kill();
    const warned = await takeRunbook('vacuum-table', database, 'plain');
    const before = await params();
    const said = await warned.act(before);
    expect(said.join()).toMatch(/^WARNING: .*(only table or database owner can vacuum it|permission denied)/);
    expect(await warned.isVerified(before)).toBe(false);
  });

  it('refuses, with a name, while somebody older than the last vacuum keeps the rows', async () => {
    const holder = await database.client('app', 'reporting');
    await holder.query('begin isolation level repeatable read; select 1');
    await kill();
    expect(await runbook.whyNot(await params())).toBeNull();
    const first = await params();
    await runbook.act(first);
    await verified(first);
    const pid = (holder as unknown as { processID: number }).processID;
    expect(await runbook.whyNot(await params())).toMatch(
      new RegExp(`^nothing could be removed: pid ${pid} \\(reporting\\) has held the oldest xmin since [\\d :-]+ UTC`),
    );
    await holder.end();
    await until('the holder to be gone', async () => (await runbook.whyNot(await params())) === null);
  });

  it('names a prepared transaction that keeps the rows', async () => {
    await write('begin', 'insert into orders values (1)', "prepare transaction 'payment'");
    const first = await params();
    await runbook.act(first);
    await verified(first);
    expect(await runbook.whyNot(await params())).toContain('the prepared transaction payment has held the oldest xmin');
    await database.run("rollback prepared 'payment'");
    expect(await runbook.whyNot(await params())).toBeNull();
  });

  it('shows how far it is, and keeps out of the way of another vacuum', async () => {
    await kill();
    const other = await database.client();
    await other.query("set vacuum_cost_delay = '100ms'; set vacuum_cost_limit = 1");
    const ended = other.query('vacuum orders').catch((error) => error.code);
    const [progress] = await until('its progress', async () => {
      const rows = await runbook.ask('progress', await params());
      return rows.length > 0 && rows;
    });
    expect(progress).toMatchObject({ phase: expect.stringMatching(/heap|indexes|initializing/), waits_for: null });
    expect(await runbook.whyNot(await params())).toBe('it is being vacuumed now');
    await database.run('select pg_cancel_backend($1)', [(other as unknown as { processID: number }).processID]);
    expect(await ended).toBe('57014');
    expect(await runbook.isVerified(await params())).toBe(false);
    await other.end();
  });

  it('vacuums that table, and none that inherits from it', async () => {
    await database.run('create table special () inherits (orders)');
    const child = () => tableVariables(database, 'special');
    const before = await params();
    await runbook.act(before);
    await verified(before);
    expect((await child())['vacuumed_at']).toBe('0');
  });

  it('does not take a rewritten or renamed table for the one that was approved', async () => {
    const before = await params();
    await database.run('truncate orders');
    expect(await runbook.whyNot(before)).toBe('no row');
    const again = await params();
    await database.run('alter table orders rename to past');
    expect(await runbook.whyNot(again)).toBe('no row');
    await database.run('alter table past rename to orders');
  });
});
