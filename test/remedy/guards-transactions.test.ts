import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { judgeWaits } from '../../src/remedy/guards/transactions.ts';
import { endOf, pidOf } from '../runbooks/ward.ts';
import { majors } from '../support/servers.ts';
import { acting, refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

const heavy = majors.filter((major) => [12, 15, 18].includes(major));
const drop = acting('drop index concurrently shop.orders_idx');
const vacuum = acting('vacuum shop.orders');

describe.each(heavy)('whom a rebuild would wait for, on PostgreSQL %i', (major) => {
  const ward = useGuardWard(major);
  const inTransaction = async (...statements: string[]): Promise<pg.Client> => {
    await ward.database.run('create table if not exists shop.returns (id integer)');
    await ward.database.run('alter table shop.returns owner to app');
    const client = await ward.session('app', 'reporting');
    for (const statement of statements) await client.query(statement);
    return client;
  };
  const waitsOf = async (plan = {}) => {
    const remedy = await ward.open();
    const run = await ward.approved('shop.orders_idx', remedy);
    return saysOf(await ward.judge(run, { plan, remedy })).find((says) => says.startsWith('waits for')) ?? null;
  };
  const waitsFor = (client: pg.Client) =>
    expect.stringMatching(
      `^waits for 1 transaction pid ${pidOf(client)} \\(reporting, role app, idle in transaction, \\d+ s\\)$`,
    );

  it('is named: a snapshot of any table in the database, which a drop does not wait for', async () => {
    const client = await inTransaction('begin isolation level repeatable read', 'select from shop.returns');
    expect(await waitsOf()).toEqual(waitsFor(client));
    expect(await waitsOf(drop)).toBe('waits for no transaction now');
    expect(await waitsOf(vacuum)).toBeNull();
  });

  it('is named: whoever has read or written the table, which a drop waits for too', async () => {
    const client = await inTransaction('begin', 'select from shop.orders');
    expect(await waitsOf()).toEqual(waitsFor(client));
    expect(await waitsOf(drop)).toEqual(waitsFor(client));
    const writer = await inTransaction('begin', "insert into shop.orders values (1000, 'new')");
    expect(await waitsOf()).toContain(`waits for 2 transactions, the oldest is pid ${pidOf(client)} `);
    await client.query('rollback');
    expect(await waitsOf()).toEqual(waitsFor(writer));
  });

  it('is not: who has written elsewhere and has no snapshot, and a snapshot in another database', async () => {
    await inTransaction('begin', 'insert into shop.returns values (1)');
    const away = new pg.Client({ connectionString: ward.database.server.url('postgres', 'app') });
    await away.connect();
    await away.query('begin isolation level repeatable read');
    await away.query('select');
    expect(await waitsOf()).toBe('waits for no transaction now');
    await away.end();
  });

  it('is a reason to refuse: a prepared transaction on the table, which no vacuum waits for', async () => {
    const client = await inTransaction('begin', "insert into shop.orders values (1000, 'new')");
    await client.query("prepare transaction 'two''phase'");
    const run = await ward.approved();
    const why = "the prepared transaction two'phase of app has a lock on the table and keeps it until somebody commits";
    expect(refusalOf(await ward.judge(run))).toContain(why);
    expect(refusalOf(await ward.judge(run, { plan: drop }))).toContain(why);
    expect(refusalOf(await ward.judge(run, { plan: vacuum }))).toBeNull();
    await ward.database.run("rollback prepared 'two''phase'");
    expect(refusalOf(await ward.judge(run))).toBeNull();
  });

  it('is no reason: a prepared transaction on another table, past which a rebuild indeed goes', async () => {
    const client = await inTransaction('begin', 'insert into shop.returns values (1)');
    await client.query("prepare transaction 'elsewhere'");
    expect(refusalOf(await ward.judge(await ward.approved()))).toBeNull();
    const keeper = await ward.session('keeper');
    expect(await endOf(keeper.query('reindex index concurrently shop.orders_idx'))).toBeNull();
    await ward.database.run("rollback prepared 'elsewhere'");
  });
});

describe('a transaction that a rebuild would wait for', () => {
  const one = {
    pid: 812,
    gid: null,
    application: 'reporting',
    role: 'app',
    backendType: 'client backend',
    state: 'idle in transaction',
  };

  it.each([
    [899, 'waits for 1 transaction pid 812 (reporting, role app, idle in transaction, 14 min 59 s)'],
    [900, 'waits for 1 transaction pid 812 (reporting, role app, idle in transaction, 15 min 0 s)'],
  ])('is named until it is 15 min old: %i s', (seconds, says) => {
    expect(judgeWaits([{ ...one, seconds }])).toEqual({ ok: true, says });
  });

  it('keeps it from starting once it is older', () => {
    expect(
      judgeWaits([
        { ...one, seconds: 901 },
        { ...one, seconds: 4 },
      ]),
    ).toEqual({
      ok: false,
      says: 'it would wait for 2 transactions, the oldest is pid 812 (reporting, role app, idle in transaction, 15 min 1 s): one that is older than 15 min may last; end it, or wait until it has ended',
    });
  });
});
