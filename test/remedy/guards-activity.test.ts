import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { probeFirstLock } from '../../src/remedy/guards/first-lock.ts';
import { previewPlan } from '../../src/remedy/preview.ts';
import { ActingSession } from '../../src/remedy/session.ts';
import { endOf, expectRefused, pidOf } from '../runbooks/ward.ts';
import { planOf } from '../support/remedy.ts';
import { majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { acting, refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

const heavy = majors.filter((major) => [12, 15, 18].includes(major));

describe.each(heavy)('who is at the table keeps maintenance out, on PostgreSQL %i', (major) => {
  const ward = useGuardWard(major);

  async function inTransaction(statement: string, user = 'app'): Promise<pg.Client> {
    const client = await ward.session(user, 'migration');
    await client.query('begin');
    await client.query(statement);
    return client;
  }

  async function waits(client: pg.Client): Promise<void> {
    await until('the statement to wait', async () => {
      const { rows } = await ward.database.run('select from pg_locks where pid = $1 and not granted', [pidOf(client)]);
      return rows.length > 0;
    });
  }

  it.each([
    ['share update exclusive', 'lock table shop.orders in share update exclusive mode'],
    ['share row exclusive', 'create trigger t after insert on shop.orders execute procedure tsvector_update_trigger()'],
    ['access exclusive', 'alter table shop.orders add column note text'],
  ])('a session that holds %s is named, and let end', async (mode, statement) => {
    const run = await ward.approved();
    const holder = await inTransaction(statement);
    const why = `^pid ${pidOf(holder)} \\(migration, role app, idle in transaction, \\d+ s\\) holds ${mode} on it: wait until`;
    await expectRefused(ward.remedy, run, new RegExp(why));
    await holder.query('rollback');
    const again = await ward.approved();
    expect(refusalOf(await ward.judge(again))).toBeNull();
  });

  it('locks that do not conflict, and those on other tables, let it pass', async () => {
    await ward.database.run('create table shop.returns (id integer); alter table shop.returns owner to app');
    const writer = await inTransaction("insert into shop.orders values (1000, 'new')");
    await writer.query('lock table shop.returns in access exclusive mode');
    const verdicts = await ward.judge(await ward.approved());
    expect(refusalOf(verdicts)).toBeNull();
    expect(saysOf(verdicts)).toContain('no DDL queued');
  });

  it('DDL that is queued behind a reader is named, also for a vacuum', async () => {
    const reader = await inTransaction('select from shop.orders');
    const ddl = await ward.session('app', 'migration');
    const ended = endOf(ddl.query('alter table shop.orders add column note text'));
    await waits(ddl);
    const run = await ward.approved();
    const why = new RegExp(
      `^pid ${pidOf(ddl)} \\(migration, role app, active, \\d+ s\\) waits for access exclusive on it: `,
    );
    expect(refusalOf(await ward.judge(run))).toMatch(why);
    expect(refusalOf(await ward.judge(run, { plan: acting('vacuum shop.orders') }))).toMatch(why);
    await reader.query('rollback');
    expect(await ended).toBeNull();
    expect(refusalOf(await ward.judge(run))).toBeNull();
  });

  it('a build by somebody else is named with its phase', async () => {
    const writer = await inTransaction("insert into shop.orders values (1000, 'new')");
    const builder = await ward.session('app', 'by hand');
    const ended = endOf(builder.query('create index concurrently other on shop.orders (id)'));
    await waits(builder);
    const why = `^pid ${pidOf(builder)} \\(by hand, role app, active, \\d+ s\\) is at the table already: create index concurrently, waiting for writers before build; wait`;
    const run = await ward.approved();
    expect(refusalOf(await ward.judge(run))).toMatch(new RegExp(why));
    await writer.query('rollback');
    expect(await ended).toBeNull();
    expect(refusalOf(await ward.judge(run))).toBeNull();
  });

  it('a prepared transaction that altered the table is named', async () => {
    const client = await inTransaction('lock table shop.orders in access exclusive mode');
    await client.query("prepare transaction 'two''phase'");
    const run = await ward.approved();
    expect(refusalOf(await ward.judge(run, { plan: acting('vacuum shop.orders') }))).toBe(
      `the prepared transaction two'phase holds access exclusive on it: wait until it has ended`,
    );
    await ward.database.run("rollback prepared 'two''phase'");
    expect(refusalOf(await ward.judge(run))).toBeNull();
  });

  it('a locked catalog makes it refuse within its bounds, not hang', async () => {
    const run = await ward.approved();
    const holder = await ward.session('postgres');
    await holder.query('begin');
    const startedAt = Date.now();
    const verdicts = await ward.judge(run, {
      meanwhile: () => holder.query('lock table pg_catalog.pg_index in access exclusive mode'),
    });
    expect(refusalOf(verdicts)).toMatch(/^cannot judge "[a-z ]+": what has to be read is locked by another session/);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
  });

  it('a plan that is looked at meanwhile says who keeps every guard from looking, and does not hang', async () => {
    const plan = planOf(await ward.approved());
    const holder = await inTransaction('lock table shop.orders in access exclusive mode');
    await holder.query('reindex index shop.orders_idx');
    const startedAt = Date.now();
    const { verdicts } = await previewPlan(ward.remedy.context, { plan, does: 'looks', alertId: null });
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    expect(saysOf(verdicts)).toContainEqual(
      expect.stringMatching(
        `^cannot judge "still true": pid ${pidOf(holder)} \\(migration, role app, idle in transaction, \\d+ s\\) holds access exclusive on it, so that nobody can look; try again`,
      ),
    );
  });

  it('a question that takes too long, or that is refused, is one that cannot be judged', async () => {
    const run = await ward.approved();
    const [slow, wrong] = ['select pg_sleep(10)', 'select 1 / 0'].map((sql) => ({
      steps: [{ step: 'precondition', sql } as const, { step: 'act', sql: 'reindex index concurrently a' } as const],
    }));
    expect(refusalOf(await ward.judge(run, { plan: slow ?? {} }))).toBe(
      'cannot judge "still true": the server gave no answer in time (57014); try again',
    );
    expect(refusalOf(await ward.judge(run, { plan: wrong ?? {} }))).toBe(
      'cannot judge "still true": the server refused the question (SQLSTATE 22012)',
    );
  });

  describe('the first lock', () => {
    async function probe(user = 'keeper', index = 'shop.orders_idx'): Promise<string | null> {
      const plan = planOf(await ward.approved(index, await ward.open()));
      const session = await ActingSession.open(ward.database.url(user), 'pgorderly/run/1', null);
      try {
        await session.prepareAct(plan);
        return await probeFirstLock(session, plan);
      } finally {
        await session.close();
      }
    }

    it('is tried without waiting, whatever the bounds of the act, and who has it is named', async () => {
      const holder = await inTransaction('lock table shop.orders in share update exclusive mode');
      const why = `^the lock share update exclusive on shop.orders was not free: pid ${pidOf(holder)} \\(migration, `;
      expect(await probe()).toMatch(new RegExp(why));
    });

    it('is given back at once, and writers are not in its way', async () => {
      await inTransaction("insert into shop.orders values (1000, 'new')");
      expect(await probe()).toBeNull();
      const { rows } = await ward.database.run(
        "select from pg_locks where relation = 'shop.orders'::regclass and mode = 'ShareUpdateExclusiveLock'",
      );
      expect(rows).toEqual([]);
    });

    it('is left to the act for a role that may not lock by hand, and for a materialized view', async () => {
      expect(await probe('actor')).toBeNull();
      await ward.database.run(`
        create materialized view shop.daily as select status from shop.orders;
        create index daily_idx on shop.daily (status); alter materialized view shop.daily owner to app`);
      expect(await probe('keeper', 'shop.daily_idx')).toBeNull();
    });
  });
});
