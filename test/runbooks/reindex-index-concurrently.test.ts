import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, majors, newest } from '../support/servers.ts';
import { type Hold, holdIn, ledger, type Phase, phases } from './reindex-phases.ts';

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

  /** Which indexes there are, and whether they are valid. */
  async function indexes(): Promise<Record<string, boolean>> {
    const { rows } = await database.run(
      `select c.relname as name, i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
       where i.indrelid = 'ledger'::regclass order by 1`,
    );
    return Object.fromEntries(rows.map(({ name, valid }) => [name, valid]));
  }

  it('rebuilds the index, and says how large it was and is', async () => {
    await database.run('insert into ledger select n, n from generate_series(100, 20000) n');
    await database.run('delete from ledger where id > 100');
    await database.run('vacuum ledger');
    const run = await remedy.execute(await approved());
    expect(run).toMatchObject({ state: 'succeeded', sizeBytes: expect.any(Number) });
    expect(run.outcome).toMatch(/^verified after 0\.\d s$/);
    expect(run.beforeAfter).toMatch(/^size \d+ kB → 16 kB$/);
    expect(await indexes()).toEqual({ ledger_amount: true, ledger_pkey: true });
  });

  it.each(phases)('is stopped while %s', async (phase) => {
    hold = await holdIn(phase, database);
    const run = await approved();
    const ended = remedy.execute(run);
    await hold.reached();
    await state.run("update pgorderly.runs set stop_by = 'U0MIRA', stop_reason = 'too busy' where id = $1", [run.id]);
    const { state: end, outcome, progress } = await ended;
    expect(progress?.phase.startsWith(phase)).toBe(true);
    expectVerdict(phase, end, outcome);
    const left = isDoneIn(phase) ? 'ledger_amount_ccold' : 'ledger_amount_ccnew';
    expect(await indexes()).toEqual({ ledger_amount: true, [left]: false, ledger_pkey: true });
  });
});

function isDoneIn(phase: Phase): boolean {
  return phase.startsWith('waiting for readers');
}

function expectVerdict(phase: Phase, end: string, outcome: string | null): void {
  if (isDoneIn(phase)) {
    expect(end).toBe('succeeded');
    expect(outcome).toMatch(/^done all the same: verified after 0\.\d s; stopped: too busy$/);
  } else expect([end, outcome]).toEqual(['stopped', 'stopped: too busy']);
}
