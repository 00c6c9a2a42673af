import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, majors, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Hold, holdIn, isDoneIn, ledger, leftBy, type Phase, phases, readIndexes } from './reindex-phases.ts';

describe.each(majors)('reindex-index-concurrently on PostgreSQL %i', (major) => {
  let database: Database;
  let state: Database;
  let remedy: Remedy;
  let hold: Hold | null;
  let number = 0;

  beforeAll(async () => {
    [database, state] = [await createDatabase(major), await createDatabase(newest)];
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run(ledger);
    remedy = await open(database.url('keeper'));
    hold = null;
  });
  afterEach(async () => {
    await hold?.release();
    await remedy.close();
    await database.run('drop table ledger; drop function held');
  });

  function open(maintain: string): Promise<Remedy> {
    return openRemedy({
      stateUrl: state.url(),
      monitorUrl: database.url('monitor'),
      signalUrl: database.url('actor'),
      actions: { maintain, ddl: maintain },
      targets: [`shop-${major}-${++number}`],
    });
  }

  async function approved(): Promise<StoredRun> {
    const run = await remedy.ask('reindex-index-concurrently', { index: 'public.ledger_amount' });
    expect((await remedy.approve(run)).decision).toBe('approved');
    return run;
  }

  it('rebuilds the index, and says how large it was and is', async () => {
    await database.run('insert into ledger select n, n from generate_series(100, 20000) n');
    await database.run('delete from ledger where id > 100');
    await database.run('vacuum ledger');
    const run = await remedy.execute(await approved());
    expect(run).toMatchObject({ state: 'succeeded', sizeBytes: expect.any(Number) });
    expect(run.outcome).toMatch(/^verified after 0\.\d s$/);
    expect(run.beforeAfter).toMatch(/^size \d+ kB → 16 kB$/);
    expect(await readIndexes(database)).toEqual({ ledger_amount: true, ledger_pkey: true });
  });

  // All of them on the oldest and the newest: the phases are the same on every major.
  it.each([12, newest].includes(major) ? phases : phases.slice(1, 2))('is stopped while %s', async (phase) => {
    hold = await holdIn(phase, database);
    const run = await approved();
    const ended = remedy.execute(run);
    await hold.reached();
    await state.run("update pgorderly.runs set stop_by = 'U0MIRA', stop_reason = 'too busy' where id = $1", [run.id]);
    const { state: end, outcome, progress } = await ended;
    expect(progress?.phase.startsWith(phase)).toBe(true);
    expectVerdict(phase, end, outcome);
    expect(await readIndexes(database)).toEqual({ ledger_amount: true, [leftBy(phase)]: false, ledger_pkey: true });
  });

  if (major === newest)
    it('is stopped by itself when a queued ALTER behind it keeps readers out', { timeout: 60_000 }, async () => {
      hold = await holdIn('building index', database);
      const run = await approved();
      const ended = remedy.execute(run);
      await hold.reached();
      const crowd = await Promise.all(Array.from({ length: 7 }, () => database.client('app', 'test')));
      const [owner, ...readers] = crowd;
      const altered = owner?.query('alter table ledger add column note text');
      await untilWaiting(database, 1);
      const startedAt = Date.now();
      const read = readers.map((reader) => reader.query('select from ledger limit 1'));
      const { state: end, outcome } = await ended;
      expect(Date.now() - startedAt).toBeLessThan(20_000);
      expect([end, outcome]).toEqual(['stopped', expect.stringMatching(saysQueue)]);
      await hold.release();
      await Promise.all([altered, ...read]);
      for (const client of crowd) await client.end();
    });
});

const saysQueue = /^stopped: 6 sessions have waited for 15 s behind pid \d+, which waits behind this statement/;

async function untilWaiting(database: Database, sessions: number): Promise<void> {
  await until(`${sessions} to wait`, async () => {
    const { rows } = await database.run(
      `select from pg_locks where not granted and relation = 'ledger'::regclass and mode = 'AccessExclusiveLock'`,
    );
    return rows.length === sessions;
  });
}

function expectVerdict(phase: Phase, end: string, outcome: string | null): void {
  if (isDoneIn(phase)) {
    expect(end).toBe('succeeded');
    expect(outcome).toMatch(/^done all the same: verified after 0\.\d s; stopped: too busy$/);
  } else expect([end, outcome]).toEqual(['stopped', 'stopped: too busy']);
}
