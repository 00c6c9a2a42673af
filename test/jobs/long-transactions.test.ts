import type pg from 'pg';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { longTransactions } from '../../jobs/long-transactions.ts';
import type { Finding } from '../../src/model.ts';
import { bind } from '../../src/remedy/runbook/bind.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob, pidOf } from './check-job.ts';

type Options = Parameters<typeof checkJob>[2];

describe.each(majors)('long-transactions on PostgreSQL %i', (major) => {
  let database: Database;
  let clients: pg.Client[] = [];
  beforeAll(async () => {
    database = await createDatabase(major);
    await database.run('create table orders (id integer primary key, v integer)');
    await database.run('insert into orders select g, 0 from generate_series(1, 10) g');
    await database.run('grant all on orders to app');
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.end()));
    clients = [];
  });

  async function session(...statements: string[]): Promise<pg.Client> {
    const client = await database.client('app');
    clients.push(client);
    for (const statement of statements) await client.query(statement);
    return client;
  }

  async function findOf(client: pg.Client, options?: Options): Promise<Finding | null> {
    const { findings } = await checkJob(longTransactions, database, options);
    return findings.find(({ subject }) => subject.kind === 'backend' && subject.pid === pidOf(client)) ?? null;
  }

  /** Whether the offered runbook still finds its session, with the parameters that it was offered with. */
  async function preconditionOf({ runbooks: [offer] }: Finding): Promise<() => Promise<boolean>> {
    const runbook = (await loadRunbooks(runbooksFolder)).get(offer?.name ?? '');
    const [step] = runbook ? bind(runbook, offer?.params ?? {}, major * 10_000) : [];
    return async () => ((await database.run(step?.sql ?? '')).rowCount ?? 0) > 0;
  }

  const found = (client: pg.Client, options?: Options) => until('the finding', () => findOf(client, options));
  const gone = (client: pg.Client, options?: Options) =>
    until('the finding to go', async () => (await findOf(client, options)) === null);

  it.each([
    ['idle in transaction', 'select 1'],
    ['idle in transaction (aborted)', 'select 1/0'],
  ])('finds a session that is %s, until its transaction ends', async (state, statement) => {
    const client = await session('begin');
    await client.query(statement).catch((error) => expect(error.code).toBe('22012'));
    const thresholds = { idleSeconds: 0.2 };
    const finding = await found(client, { thresholds });
    expect(finding.facts).toMatchObject({ kind: 'idle', state, role: 'app', application: 'test' });
    expect(finding.runbooks).toMatchObject([{ name: 'terminate-session', params: { pid: String(pidOf(client)) } }]);
    const isStillTrue = await preconditionOf(finding);
    expect(await isStillTrue()).toBe(true);
    await client.query('rollback');
    await gone(client, { thresholds });
    expect(await isStillTrue()).toBe(false);
  });

  it('takes the age of an idle session from when it became idle', async () => {
    const client = await session('begin', 'select pg_sleep(0.5)');
    expect(await findOf(client, { thresholds: { idleSeconds: 60, minSeconds: 0 } })).toBeNull();
    const { facts } = await found(client, { thresholds: { idleSeconds: 0.01 } });
    expect(Number(facts['transactionSeconds'])).toBeGreaterThan(Number(facts['stateSeconds']) + 0.45);
  });

  it('cancels a statement that is too long, and ends a transaction of short ones', async () => {
    const client = await session('begin', "update orders set v = 1 where id = 1 and 'secret' <> ''");
    const short = await found(client, { thresholds: { minSeconds: 0.1 } });
    expect(short.facts['kind']).toBe('transaction');
    expect(short.runbooks.map((offer) => offer.name)).toEqual(['terminate-session']);
    expect(short.facts['query']).toBe('update orders set v = $1 where id = $2 and $3 <> $4');
    const statement = client.query('select pg_sleep(60)').catch((error) => error.code);
    const long = await until('the long statement', async () => {
      const finding = await findOf(client, { thresholds: { minSeconds: 0.5 } });
      return finding?.facts['kind'] === 'statement' && finding;
    });
    expect(long.runbooks.map((offer) => offer.name)).toEqual(['cancel-query']);
    await database.run('select pg_cancel_backend($1)', [pidOf(client)]);
    expect(await statement).toBe('57014');
    await client.query('rollback');
    await gone(client, { thresholds: { minSeconds: 0 } });
  });

  it('is critical only if others wait', async () => {
    const holder = await session('begin', 'update orders set v = 1 where id = 2');
    const thresholds = { idleSeconds: 0.1, criticalSeconds: 0.2 };
    await until(
      'criticalSeconds',
      async () => Number((await findOf(holder, { thresholds }))?.facts['stateSeconds']) > 0.4,
    );
    expect((await found(holder, { thresholds })).severity).toBe('warning');
    const waiter = await session();
    const waiting = waiter.query('update orders set v = 2 where id = 2');
    const finding = await until('the waiter to be seen', async () => {
      const one = await findOf(holder, { thresholds });
      return one?.facts['blocks'] === 1 && one;
    });
    expect(finding.severity).toBe('critical');
    expect(finding.impact?.what).toContain('1 session waits for it.');
    await holder.query('rollback');
    await waiting;
  });

  it('is critical if it holds the oldest xmin and many transactions were assigned since', async () => {
    const thresholds = { idleSeconds: 0.1, criticalSeconds: 0.2, xminTransactions: 3 };
    const holder = await session('begin isolation level repeatable read', 'select 1');
    for (let id = 1; id <= 4; id++) await database.run('update orders set v = v + 1 where id = $1', [id]);
    const finding = await until('harm', async () => {
      const one = await findOf(holder, { thresholds });
      return one?.severity === 'critical' && one;
    });
    expect(finding.facts).toMatchObject({ holdsOldestXmin: true, blocks: 0 });
    await holder.query('rollback');
  });

  it('leaves a session that only waits for a lock to lock-chains', async () => {
    const holder = await session('begin', 'update orders set v = 1 where id = 3');
    const waiter = await session();
    const waiting = waiter.query('update orders set v = 2 where id = 3');
    await until(
      'the wait',
      async () => (await findOf(holder, { thresholds: { idleSeconds: 0 } }))?.facts['blocks'] === 1,
    );
    expect(await findOf(waiter, { thresholds: { minSeconds: 0, idleSeconds: 0 } })).toBeNull();
    await holder.query('rollback');
    await waiting;
  });

  it('shows a protected session without a runbook, and says why', async () => {
    const client = await session('begin', 'select 1');
    const protectedBecause = ({ user }: { user: string | null }) =>
      user === 'app' ? "is protected by the config's app" : null;
    const finding = await found(client, { thresholds: { idleSeconds: 0 }, protectedBecause });
    expect(finding.runbooks).toEqual([]);
    expect(finding.facts['notOffered']).toEqual({ why: "is protected by the config's app" });
    await client.query('rollback');
  });

  it('never finds its own sessions', async () => {
    const own = await database.client('monitor', 'pgorderly/detect');
    const foreign = await database.client('app', 'pgorderly/detect');
    for (const client of [own, foreign]) await client.query('begin; select 1');
    const thresholds = { idleSeconds: 0, minSeconds: 0 };
    expect(await findOf(own, { thresholds })).toBeNull();
    expect(await found(foreign, { thresholds })).not.toBeNull();
    await Promise.all([own.end(), foreign.end()]);
  });

  it('does not call a server well that it cannot see', async () => {
    const client = await session('begin', 'select 1');
    const result = await checkJob(longTransactions, database, { user: 'plain', thresholds: { idleSeconds: 0 } });
    expect(result).toMatchObject({ outcome: 'cannot-judge', findings: [], covered: [] });
    expect(result.unjudged[0]?.remedy).toBe('grant pg_monitor to "plain";');
    await client.query('rollback');
  });

  it('burns no transaction id', async () => {
    const next = async () =>
      Number((await database.run('select txid_snapshot_xmax(txid_current_snapshot()) as xid')).rows[0].xid);
    const before = await next();
    await checkJob(longTransactions, database);
    expect(await next()).toBe(before);
  });
});
