import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseWindow } from '../../src/config/hours.ts';
import { expireProposals } from '../../src/remedy/expire.ts';
import { endRun } from '../../src/remedy/run-log.ts';
import { beginScheduled, holdRun } from '../../src/remedy/schedule.ts';
import { stopRun } from '../../src/remedy/stop.ts';
import type { Calendar } from '../../src/remedy/window.ts';
import { transaction } from '../../src/state/database.ts';
import { claimRun } from '../../src/state/leases.ts';
import { readRun, type StoredRun } from '../../src/state/runs.ts';
import { findRunAhead } from '../../src/state/schedule.ts';
import { setPause } from '../../src/state/switches.ts';
import { auditKinds } from '../support/decision.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { approver, openRemedy, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

const dayMs = 86_400_000;
const names = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const open: Calendar = { timezone: 'UTC', windows: [], freezes: [] };

let watched: Database;
let state: Database;
let remedy: Remedy;

beforeAll(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  for (const table of ['a', 'b']) await watched.run(`create table ${table} (id integer primary key)`);
});
failOnLeaks(() => watched);

beforeEach(async () => {
  remedy = await openRemedy({
    stateUrl: state.url(),
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
    actions: { maintain: watched.url() },
    targets: ['shop'],
  });
  for (const table of ['approvals', 'runs', 'switches', 'audit'])
    await remedy.context.pool.query(`delete from ${table}`);
});
afterEach(() => remedy?.close());

/** What the configuration says from now on, as after a restart with another one. */
function setCalendar(calendar: Partial<Calendar>): void {
  const target = remedy.context.targets.get('shop');
  if (target) target.calendar = { ...open, ...calendar };
}

/** A window of an hour that opens in so many days, at midnight. */
function opensIn(days: number): { calendar: Partial<Calendar>; at: Date } {
  const at = new Date((Math.floor(Date.now() / dayMs) + days) * dayMs);
  const window = parseWindow(`${names[at.getUTCDay()]} 00:00-01:00`);
  return { calendar: { windows: window ? [window] : [] }, at };
}

function frozenFor(days: number): Partial<Calendar> {
  return { freezes: [{ from: Date.now() - dayMs, until: Date.now() + days * dayMs, reason: 'end of year' }] };
}

const reindex = (table: 'a' | 'b') =>
  remedy.ask('reindex-index-concurrently', { index: `public.${table}_pkey`, database: watched.name });

async function now(run: StoredRun): Promise<StoredRun> {
  return (await readRun(remedy.context.pool, run.id)) ?? expect.fail(`R-${run.id} is gone`);
}

async function set(run: StoredRun, columns: string): Promise<void> {
  await remedy.context.pool.query(`update runs set ${columns} where id = $1`, [run.id]);
}

describe('an approval', () => {
  it('outside the windows waits for the next one, for a week at most, and says so', async () => {
    const { calendar, at } = opensIn(2);
    setCalendar(calendar);
    const run = await reindex('a');
    const { decision, answer } = await remedy.approve(run);
    expect(decision).toBe('scheduled');
    expect(answer.join('')).toMatch(
      /^Approved: R-\d+ reindex-index-concurrently on shop starts \w+ \d+ \w+ 00:00 \(UTC\), since shop is outside its windows \(\w+ 00:00-01:00, UTC\)\. /,
    );
    const stored = await now(run);
    expect(stored).toMatchObject({ state: 'scheduled', startsAt: at, finishedAt: null });
    expect(stored.expiresAt.getTime() - Date.now()).toBeGreaterThan(6.9 * dayMs);
    expect(await auditKinds(state)).toMatchObject({ 'run.scheduled': 1 });
    await remedy.execute(run);
    expect(await now(run)).toMatchObject({ state: 'scheduled', fence: 0 });
  });

  it('where nothing opens within a week is not taken, and the offer stands', async () => {
    setCalendar(frozenFor(30));
    const run = await reindex('a');
    const { decision, answer } = await remedy.approve(run);
    expect(decision).toBe('closed');
    expect(answer.join('')).toMatch(
      /^Not done: shop is frozen until .*: end of year, for longer than an approval lasts/,
    );
    expect(await now(run)).toMatchObject({ state: 'proposed' });
  });

  it('of a signal waits for no window', async () => {
    setCalendar(opensIn(2).calendar);
    const session = await watched.client('app', 'test');
    await session.query('begin');
    const { rows } = await session.query('select pg_backend_pid() as pid');
    const run = await remedy.ask('terminate-session', { pid: String(rows[0].pid) });
    expect((await remedy.approve(run)).decision).toBe('approved');
    await session.query('rollback');
  });
});

describe('a scheduled run', () => {
  async function scheduled(): Promise<StoredRun> {
    setCalendar(opensIn(2).calendar);
    const run = await reindex('a');
    await remedy.approve(run);
    return now(run);
  }

  it('begins once its window is open, by the clock of the state database', async () => {
    const run = await scheduled();
    await beginScheduled(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'scheduled' });
    setCalendar(open);
    await beginScheduled(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'approved', expiresAt: run.expiresAt });
    expect(remedy.nudged).toContain(`run ${run.id}`);
    expect(await auditKinds(state)).toMatchObject({ 'run.due': 1 });
  });

  it('waits on while actions are paused', async () => {
    const run = await scheduled();
    await setPause(remedy.context.pool, true, 'U0TOM', null);
    setCalendar(open);
    await beginScheduled(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'scheduled' });
    await setPause(remedy.context.pool, false, 'U0TOM', null);
    await beginScheduled(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'approved' });
  });

  it('gets another time where the configuration has one, and is approved for no longer than before', async () => {
    const run = await scheduled();
    const { calendar, at } = opensIn(3);
    setCalendar(calendar);
    await beginScheduled(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'scheduled', startsAt: at, expiresAt: run.expiresAt });
  });

  it('expires at the end of its approval', async () => {
    const run = await scheduled();
    await set(run, "expires_at = clock_timestamp() - interval '1 s'");
    await beginScheduled(remedy.context);
    await expireProposals(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'expired' });
  });

  it('is withdrawn by a stop, and begins no more', async () => {
    const run = await scheduled();
    const input = { runId: run.id, person: approver, reason: 'not this week' };
    expect((await transaction(remedy.context.pool, (db) => stopRun(db, input))).outcome).toBe('withdrawn');
    setCalendar(open);
    await beginScheduled(remedy.context);
    expect(await now(run)).toMatchObject({ state: 'withdrawn', stopBy: approver.userId, outcome: 'not this week' });
  });
});

describe('a run that was approved in time', () => {
  it('is held back where its window closed before its worker came', async () => {
    const run = await reindex('a');
    await remedy.approve(run);
    expect(await now(run)).toMatchObject({ state: 'approved' });
    const { calendar, at } = opensIn(2);
    setCalendar(calendar);
    await holdRun(remedy.context, run.id);
    expect(await now(run)).toMatchObject({ state: 'scheduled', startsAt: at });
    expect(remedy.nudged.filter((one) => one.startsWith('run'))).toEqual([]);
  });

  it('is refused with the reason where it closed in the last moment, or a freeze outlasts the approval', async () => {
    const run = await reindex('a');
    await remedy.approve(run);
    setCalendar(frozenFor(30));
    await holdRun(remedy.context, run.id);
    expect(await remedy.execute(run)).toMatchObject({
      state: 'refused',
      outcome: expect.stringMatching(/^shop is frozen until .* \(UTC\): end of year; it opens /),
    });
  });

  it('is left alone within its window', async () => {
    const run = await reindex('a');
    await remedy.approve(run);
    const window = parseWindow('00:00-24:00');
    setCalendar({ windows: window ? [window] : [] });
    await holdRun(remedy.context, run.id);
    expect(await now(run)).toMatchObject({ state: 'approved', startsAt: null });
  });
});

describe('maintenance of a target', () => {
  it('waits for the one under way, and is nudged at its end', async () => {
    const [first, second] = [await reindex('a'), await reindex('b')];
    for (const run of [first, second]) await remedy.approve(run);
    const claimed = await claimRun(remedy.context.pool, first.id, remedy.context);
    if (!claimed) return expect.fail('the first was not claimed');
    expect(await findRunAhead(remedy.context.pool, second)).toBe(first.id);
    remedy.nudged.length = 0;
    await endRun(remedy.context, claimed, { state: 'failed', outcome: 'tried', beforeAfter: null }, []);
    expect(remedy.nudged).toEqual([`run ${second.id}`]);
    expect(await findRunAhead(remedy.context.pool, second)).toBeNull();
  });
});
