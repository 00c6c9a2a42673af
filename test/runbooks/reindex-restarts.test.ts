import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import { recoverRun } from '../../src/remedy/recover.ts';
import { applicationName } from '../../src/remedy/session.ts';
import { ensureRunCard } from '../../src/state/cards.ts';
import { readRun, type StoredRun } from '../../src/state/runs.ts';
import { auditKinds } from '../support/decision.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { openRemedy, type Remedy } from '../support/remedy.ts';
import { type Database, majors, newest, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Hold, holdIn, isDoneIn, ledger, leftBy, type Phase, phases, readIndexes } from './reindex-phases.ts';

const chosen = majors.filter((major) => (process.env['FULL'] ? [12, 15, newest] : [12, newest]).includes(major));
/** What has been committed is there after a crash. */
const durable = { synchronous_commit: 'on' };

describe.each(chosen)('REINDEX CONCURRENTLY on PostgreSQL %i', (major) => {
  let servers: { watched: Server; state: Server };
  let watched: Database;
  let state: Database;
  let proxy: Proxy;
  let remedy: Remedy;
  let hold: Hold;

  beforeAll(async () => {
    servers = { watched: await ownServer(major, durable), state: await ownServer(newest, durable) };
  });
  afterAll(async () => {
    for (const server of Object.values(servers)) await server.remove();
  });
  beforeEach(async () => {
    [watched, state] = [await openDatabase(servers.watched), await openDatabase(servers.state)];
    proxy = await startProxy({ path: `${servers.watched.host}/.s.PGSQL.${servers.watched.port}` });
    await watched.run(ledger);
    await state.run('drop schema if exists pgorderly cascade');
    const maintain = `postgres://keeper@127.0.0.1:${proxy.port}/postgres`;
    remedy = await openRemedy({
      stateUrl: state.url(),
      monitorUrl: watched.url('monitor'),
      signalUrl: watched.url('actor'),
      actions: { maintain, ddl: maintain },
      targets: ['shop'],
    });
  });
  afterEach(async () => {
    await hold.release();
    await remedy.close();
    await proxy.close();
    await watched.run('drop table ledger; drop function held');
  });

  /** A rebuild that stands in a phase; what comes of its worker. */
  async function begin(phase: Phase): Promise<{ run: StoredRun; end: Promise<unknown> }> {
    hold = await holdIn(phase, watched);
    const run = await remedy.ask('reindex-index-concurrently', { index: 'public.ledger_amount' });
    await ensureRunCard(remedy.context.pool, run.id, 'C0OPS');
    await remedy.approve(run);
    const end = remedy.execute(run).catch((error: unknown) => error);
    await hold.reached();
    return { run, end };
  }

  async function stored(run: StoredRun): Promise<StoredRun> {
    return (await readRun(remedy.context.pool, run.id)) as StoredRun;
  }

  /** As workers do once its lease is over, until there is a verdict. */
  async function recovered(run: StoredRun): Promise<StoredRun> {
    await state.run("update pgorderly.runs set lease_until = now() - interval '1 s'");
    return until('a verdict', async () => {
      await recoverRun(remedy.context, run.id);
      const now = await stored(run);
      return now.finishedAt === null ? null : now;
    });
  }

  async function expectVerdict(phase: Phase, run: StoredRun): Promise<void> {
    const verdict = isDoneIn(phase) ? 'succeeded' : 'failed';
    expect(run).toMatchObject({ state: verdict, outcome: expect.stringMatching(/^its worker was lost/) });
    expect(await readIndexes(watched)).toEqual({ ledger_amount: true, [leftBy(phase)]: false, ledger_pkey: true });
    const { rows } = await state.run(
      "select from pgorderly.thread_lines where text like '%left behind: public.' || $1 || '%'",
      [leftBy(phase)],
    );
    expect(rows).toHaveLength(1);
    expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, [`run.${verdict}`]: 1 });
  }

  it('is judged by the catalog after its server was restarted', async () => {
    const { run, end } = await begin('building index');
    await servers.watched.stop('immediate');
    await servers.watched.run();
    await end;
    watched = await openDatabase(servers.watched);
    await expectVerdict('building index', await recovered(run));
  });

  if (process.env['FULL'])
    it.each(phases)('whose backend was killed while %s, is judged by the catalog', async (phase) => {
      const { run, end } = await begin(phase);
      const { rows } = await watched.run('select pid from pg_stat_activity where application_name = $1', [
        applicationName(run.id),
      ]);
      process.kill(rows[0].pid, 'SIGKILL');
      await end;
      watched = await until('the server to be there again', () => openDatabase(servers.watched));
      await expectVerdict(phase, await recovered(run));
    });

  if (major === newest) {
    it('goes on while the state database is restarted, and is told as if nothing had been', async () => {
      const { run, end } = await begin('building index');
      await servers.state.stop('immediate');
      await servers.state.run();
      state = await openDatabase(servers.state);
      const before = (await stored(run)).progress?.seconds ?? 0;
      await until('it to be watched again', async () => ((await stored(run)).progress?.seconds ?? 0) > before);
      await hold.release();
      await end;
      expect(await stored(run)).toMatchObject({ state: 'succeeded', fence: 1 });
      expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
    });

    it('that ends while the state database is away, is judged once that is there again', async () => {
      const { run, end } = await begin('building index');
      await servers.state.stop('immediate');
      await hold.release();
      expect(await end).toBeInstanceOf(Error);
      await servers.state.run();
      state = await openDatabase(servers.state);
      expect(await recovered(run)).toMatchObject({ state: 'succeeded' });
      expect(await readIndexes(watched)).toEqual({ ledger_amount: true, ledger_pkey: true });
      expect(await auditKinds(state)).toMatchObject({ 'run.sent': 1, 'run.succeeded': 1 });
    });

    it('is given up only after its server could not be asked for ten minutes, however long it ran', async () => {
      const { run, end } = await begin('building index');
      proxy.mode('refuse');
      proxy.cut();
      await end;
      await state.run("update pgorderly.runs set sent_at = now() - interval '3 h'");
      await recoverRun(remedy.context, run.id);
      expect((await stored(run)).state).toBe('recovering');
      await state.run("update pgorderly.runs set blind_since = blind_since - interval '11 min'");
      expect(await recovered(run)).toMatchObject({
        state: 'unknown',
        outcome: expect.stringContaining('shop could not be asked'),
      });
    });
  }
});
