import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { recoverRun } from '../../src/remedy/recover.ts';
import { applicationName } from '../../src/remedy/session.ts';
import { readRun, type StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { openRemedy, type Remedy, type RemedyOptions } from '../support/remedy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Hold, holdIn, isDoneIn, ledger, leftBy, type Phase, phases, readIndexes } from './reindex-phases.ts';

const majors = process.env['FULL'] ? [12, 15, newest] : [newest];

describe.each(majors)('REINDEX CONCURRENTLY on PostgreSQL %i', (major) => {
  let database: Database;
  let state: Database;
  let proxy: Proxy;
  let options: RemedyOptions;
  let remedy: Remedy;
  let hold: Hold;
  let worker: ChildProcess | null;
  let number = 0;

  beforeAll(async () => {
    [database, state] = [await createDatabase(major), await createDatabase(newest)];
    const { host, port } = database.server;
    proxy = await startProxy({ path: `${host}/.s.PGSQL.${port}` });
  });
  afterAll(() => proxy.close());
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run(ledger);
    const maintain = `postgres://keeper@127.0.0.1:${proxy.port}/${database.name}`;
    options = {
      stateUrl: state.url(),
      monitorUrl: database.url('monitor'),
      signalUrl: database.url('actor'),
      actions: { maintain, ddl: maintain },
      targets: [`shop-${major}-${++number}`],
    };
    remedy = await openRemedy(options);
    worker = null;
  });
  afterEach(async () => {
    worker?.kill('SIGKILL');
    await hold.release();
    await remedy.close();
    await database.run('drop table ledger; drop function held');
  });

  async function approved(): Promise<StoredRun> {
    const run = await remedy.ask('reindex-index-concurrently', { index: 'public.ledger_amount' });
    await remedy.approve(run);
    return run;
  }

  async function ended(run: StoredRun): Promise<StoredRun> {
    return (await readRun(remedy.context.pool, run.id)) as StoredRun;
  }

  /** As another worker does once the lease of a lost one is over. */
  async function recovered(run: StoredRun): Promise<StoredRun> {
    await state.run("update pgorderly.runs set lease_until = now() - interval '1 s' where id = $1", [run.id]);
    await recoverRun(remedy.context, run.id);
    return ended(run);
  }

  /** The rebuild was swapped in, or the old index serves; either way what is left over is invalid and alone. */
  async function expectLeft(phase: Phase): Promise<void> {
    expect(await readIndexes(database)).toEqual({ ledger_amount: true, [leftBy(phase)]: false, ledger_pkey: true });
  }

  async function expectWhole(): Promise<void> {
    expect(await readIndexes(database)).toEqual({ ledger_amount: true, ledger_pkey: true });
  }

  it.each(phases)('terminated while %s, has its verdict from the catalog', async (phase) => {
    hold = await holdIn(phase, database);
    const run = await approved();
    const end = remedy.execute(run);
    await hold.reached();
    await database.run('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
      applicationName(run.id),
    ]);
    const { state: verdict, outcome } = await end;
    if (isDoneIn(phase))
      expect([verdict, outcome]).toEqual(['succeeded', expect.stringMatching(/^done all the same:/)]);
    else expect([verdict, outcome]).toEqual(['failed', expect.stringMatching(/^its session was ended .*\(57P01\)$/)]);
    await expectLeft(phase);
  });

  it.each(phases)('whose connection was lost while %s, goes on and is adopted', async (phase) => {
    hold = await holdIn(phase, database);
    const run = await approved();
    const end = remedy.execute(run);
    await hold.reached();
    proxy.cut();
    expect((await end).state).toBe('running');
    const judged = recovered(run);
    await until('it to be adopted', async () => (await ended(run)).state === 'recovering');
    await hold.release();
    expect(await judged).toMatchObject({ state: 'succeeded', outcome: expect.stringMatching(/^its worker was lost/) });
    await expectWhole();
  });

  it.each(phases)('whose worker was killed while %s, is adopted, and stopped when asked', async (phase) => {
    hold = await holdIn(phase, database);
    const run = await approved();
    const program = fileURLToPath(new URL('../support/lone-worker.ts', import.meta.url));
    const words = ['--import', 'tsx', program, JSON.stringify(options), String(run.id)];
    worker = spawn(process.execPath, words, { stdio: 'inherit' });
    await hold.reached();
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await state.run("update pgorderly.runs set stop_by = 'U0MIRA', stop_reason = 'too busy' where id = $1", [run.id]);
    const { state: verdict, sentAt } = await recovered(run);
    expect([verdict, sentAt]).toEqual([isDoneIn(phase) ? 'succeeded' : 'stopped', expect.any(Date)]);
    await expectLeft(phase);
  });
});
