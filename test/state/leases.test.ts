import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { StateDatabase } from '../../src/state/database.ts';
import {
  type Claimant,
  claimRecovery,
  claimRun,
  findDueRuns,
  finishRun,
  handOver,
  handOverAll,
  markSent,
  renewLease,
} from '../../src/state/leases.ts';
import { insertRun, readRun, type StoredRun } from '../../src/state/runs.ts';
import { createDatabase, newest } from '../support/servers.ts';

const here: Claimant = { owner: 'here', leaseSeconds: 15 };
const there: Claimant = { owner: 'there', leaseSeconds: 15 };
const done = { state: 'succeeded', outcome: 'verified', beforeAfter: null } as const;

let state: StateDatabase;
let id: number;

beforeAll(async () => {
  const database = await createDatabase(newest);
  state = new StateDatabase(database.url(), createLog('silent'));
  await state.start();
});
afterAll(() => state?.close());

beforeEach(async () => {
  await state.pool.query('delete from runs');
  await state.pool.query('delete from switches');
  id = await approvedRun();
});

async function approvedRun(): Promise<number> {
  const run = {
    alertId: null,
    target: 'shop',
    runbook: 'terminate-session',
    risk: 'medium',
    class: 'signal',
    subject: 'pid 1',
    relation: null,
    follows: null,
    does: 'ends it',
    plan: '{}',
    planHash: 'hash',
    askedBy: null,
    expiresInSeconds: 900,
    trace: null,
  } as const;
  const inserted = await insertRun(state.pool, run);
  if (inserted === null) throw new Error('the subject has an open run');
  await set("state = 'approved'", inserted);
  return inserted;
}

function set(assignments: string, run = id) {
  return state.pool.query(`update runs set ${assignments} where id = $1`, [run]);
}

async function claimed(by = here): Promise<StoredRun> {
  const run = await claimRun(state.pool, id, by);
  if (!run) throw new Error('not claimed');
  return run;
}

const nothing = { sizeBytes: null, undo: null };

/** As if its worker had said nothing for longer than its lease. */
function loseWorker() {
  return set("lease_until = clock_timestamp() - interval '1 ms'");
}

describe('an approved run', () => {
  it('is claimed by one of 20 workers that come at once', async () => {
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        claimRun(state.pool, id, { owner: `worker ${index}`, leaseSeconds: 15 }),
      ),
    );
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
  });

  it('is not claimed once its time is over', async () => {
    await set('expires_at = clock_timestamp()');
    expect(await claimRun(state.pool, id, here)).toBeNull();
  });

  it('is due; while its worker lives it is not', async () => {
    expect(await findDueRuns(state.pool)).toEqual([id]);
    const run = await claimed();
    expect(await findDueRuns(state.pool)).toEqual([]);
    await loseWorker();
    expect(await findDueRuns(state.pool)).toEqual([id]);
    expect(await renewLease(state.pool, run, 15)).toBe(true);
    expect(await findDueRuns(state.pool)).toEqual([]);
  });
});

describe('a run whose worker was lost', () => {
  it('is claimed anew where nothing was sent, with a higher fence', async () => {
    const late = await claimed();
    expect(await claimRun(state.pool, id, there)).toBeNull();
    await loseWorker();
    expect((await claimed(there)).fence).toBe(late.fence + 1);
  });

  it('is judged, never run again, where the act may have been sent', async () => {
    const late = await claimed();
    expect(await markSent(state.pool, late, nothing)).toBe(true);
    expect(await claimRecovery(state.pool, id, there)).toBeNull();
    await loseWorker();
    expect(await claimRun(state.pool, id, there)).toBeNull();
    expect(await claimRecovery(state.pool, id, there)).toMatchObject({ state: 'recovering', fence: late.fence + 1 });
  });

  it('hears nothing more of the late worker', async () => {
    const late = await claimed();
    await loseWorker();
    const mine = await claimed(there);
    expect(await markSent(state.pool, late, nothing)).toBe(false);
    expect(await renewLease(state.pool, late, 15)).toBe(false);
    expect(await handOver(state.pool, late)).toBe(false);
    expect(await finishRun(state.pool, late, done)).toBe(false);
    expect(await markSent(state.pool, mine, nothing)).toBe(true);
    expect(await finishRun(state.pool, mine, done)).toBe(true);
  });

  it('is sent once, also if its own worker asks twice', async () => {
    const run = await claimed();
    expect(await markSent(state.pool, run, nothing)).toBe(true);
    expect(await markSent(state.pool, run, nothing)).toBe(false);
  });
});

describe('a stopping worker', () => {
  it('gives back all that it has, at once and for good', async () => {
    const run = await claimed();
    expect(await handOverAll(state.pool, 'there')).toEqual([]);
    expect(await handOverAll(state.pool, 'here')).toEqual([id]);
    expect(await renewLease(state.pool, run, 15)).toBe(false);
    expect(await markSent(state.pool, run, nothing)).toBe(false);
    expect(await findDueRuns(state.pool)).toEqual([id]);
    expect(await claimed(there)).toMatchObject({ state: 'running' });
  });

  it('leaves what has ended as it is', async () => {
    await finishRun(state.pool, await claimed(), done);
    expect(await handOverAll(state.pool, 'here')).toEqual([]);
    expect(await readRun(state.pool, id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a pause', () => {
  it('keeps a claimed run from sending', async () => {
    const run = await claimed();
    await state.pool.query("insert into switches (name, value, set_by) values ('paused', 'on', 'U0MIRA')");
    expect(await markSent(state.pool, run, nothing)).toBe(false);
  });
});
