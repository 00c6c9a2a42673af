import { codeOf } from '../errors.ts';
import type { Queryable } from './database.ts';
import { type RunProgress, type StoredRun, toRun } from './runs.ts';

/** Who claims, and how long it may be silent before another worker takes its run over. */
export interface Claimant {
  owner: string;
  leaseSeconds: number;
}

/**
 * Claims a run that may start: approved, or running with a lost worker and nothing sent. Each claim raises the fence,
 * so that a worker that comes back late finds its own fence gone and does nothing.
 */
export async function claimRun(db: Queryable, id: number, by: Claimant): Promise<StoredRun | null> {
  const claimed = claim(
    db,
    id,
    by,
    `state = 'running', started_at = coalesce(started_at, clock_timestamp())`,
    `((state = 'approved' and expires_at > clock_timestamp()) or (state = 'running' and sent_at is null and lease_until < clock_timestamp()))`,
  );
  // One run on a table and one piece of maintenance on a target at a time: this one waits for its turn.
  return claimed.catch((error) => {
    if (codeOf(error) === '23505') return null;
    throw error;
  });
}

/** Claims a run whose worker was lost after the act may have been sent: it is judged, never sent again. */
export async function claimRecovery(db: Queryable, id: number, by: Claimant): Promise<StoredRun | null> {
  return claim(
    db,
    id,
    by,
    `state = 'recovering', blind_since = coalesce(blind_since, clock_timestamp())`,
    `(state = 'recovering' or (state = 'running' and sent_at is not null)) and lease_until < clock_timestamp()`,
  );
}

/** The server of a run that is to be judged has answered. */
export async function markSeen(db: Queryable, run: StoredRun): Promise<void> {
  await db.query('update runs set blind_since = null where id = $1 and fence = $2', [run.id, run.fence]);
}

/** Whether it has not answered for so long, whoever asked. */
export async function isBlind(db: Queryable, run: StoredRun, seconds: number): Promise<boolean> {
  const { rows } = await db.query(
    'select from runs where id = $1 and blind_since < clock_timestamp() - make_interval(secs => $2)',
    [run.id, seconds],
  );
  return rows.length > 0;
}

/** False when the fence was raised by another worker: stop at once. */
export async function renewLease(db: Queryable, run: StoredRun, leaseSeconds: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `update runs set lease_until = clock_timestamp() + make_interval(secs => $3)
     where id = $1 and fence = $2 and state in ('running', 'recovering')`,
    [run.id, run.fence, leaseSeconds],
  );
  return rowCount === 1;
}

/** What is stored at the moment an act is sent. */
export interface Sending {
  /** Bytes that it works on; null where that is no matter. */
  sizeBytes: number | null;
  /** Parameters of the runbook that would take it back, as JSON. */
  undo: string | null;
}

/** The last step before the act: only if it hits the row may the act be sent, on the connection that is open already. */
export async function markSent(db: Queryable, run: StoredRun, sending: Sending): Promise<boolean> {
  const { rowCount } = await db.query(
    `update runs set sent_at = clock_timestamp(), size_bytes = $3, undo = $4
     where id = $1 and fence = $2 and state = 'running' and sent_at is null
       and not exists (select 1 from switches where name = 'paused' and value = 'on')`,
    [run.id, run.fence, sending.sizeBytes, sending.undo],
  );
  return rowCount === 1;
}

export interface RunEnd {
  state: 'succeeded' | 'failed' | 'stopped' | 'refused' | 'unknown';
  outcome: string;
  beforeAfter: string | null;
}

/** Ends a run; false when another worker owns it by now. */
export async function finishRun(db: Queryable, run: StoredRun, end: RunEnd): Promise<boolean> {
  const { rowCount } = await db.query(
    `update runs set state = $3, outcome = $4, before_after = $5, finished_at = clock_timestamp(), lease_until = null
     where id = $1 and fence = $2 and state in ('running', 'recovering')`,
    [run.id, run.fence, end.state, end.outcome, end.beforeAfter],
  );
  return rowCount === 1;
}

/** Gives a claimed run back, for another worker to start or to judge at once. */
export async function handOver(db: Queryable, run: StoredRun): Promise<boolean> {
  const { rowCount } = await db.query(
    `update runs set lease_until = clock_timestamp() - interval '1 s'
     where id = $1 and fence = $2 and state in ('running', 'recovering')`,
    [run.id, run.fence],
  );
  return rowCount === 1;
}

/** Gives back all that a stopping worker still has; the raised fence keeps it from sending anything from now on. */
export async function handOverAll(db: Queryable, owner: string): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>(
    `update runs set lease_until = clock_timestamp() - interval '1 s', fence = fence + 1
     where lease_owner = $1 and state in ('running', 'recovering') returning id`,
    [owner],
  );
  return rows.map((row) => Number(row.id));
}

/** Whether somebody wants a run to stop, and why; null where another worker owns it by now. */
export async function readStopWish(db: Queryable, run: StoredRun): Promise<{ because: string | null } | null> {
  const { rows } = await db.query<{ stop_by: string | null; stop_reason: string | null }>(
    "select stop_by, stop_reason from runs where id = $1 and fence = $2 and state in ('running', 'recovering')",
    [run.id, run.fence],
  );
  const row = rows[0];
  if (!row) return null;
  return { because: row.stop_by === null ? null : (row.stop_reason ?? 'somebody asked for it') };
}

export async function saveProgress(db: Queryable, run: StoredRun, progress: RunProgress): Promise<void> {
  await db.query('update runs set progress = $3 where id = $1 and fence = $2', [
    run.id,
    run.fence,
    JSON.stringify(progress),
  ]);
}

/** What earlier runs of a runbook on a target did, in which time: the last five that succeeded. */
export async function readPace(
  db: Queryable,
  target: string,
  runbook: string,
): Promise<{ runs: number; bytes: number; seconds: number } | null> {
  const { rows } = await db.query<{ runs: number; bytes: number | null; seconds: number | null }>(
    `select count(*)::int as runs, sum(size_bytes)::float8 as bytes,
       sum(extract(epoch from finished_at - sent_at))::float8 as seconds
     from (select size_bytes, finished_at, sent_at from runs
           where target = $1 and runbook = $2 and state = 'succeeded' and size_bytes is not null and sent_at is not null
           order by id desc limit 5) last_ones`,
    [target, runbook],
  );
  const row = rows[0];
  return row && row.bytes !== null && row.seconds !== null ? { ...row, bytes: row.bytes, seconds: row.seconds } : null;
}

/** Runs that a worker should look at now: approved ones, and those whose worker was lost. */
export async function findDueRuns(db: Queryable): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from runs where state = 'approved'
       or (state in ('running', 'recovering') and lease_until < clock_timestamp()) order by id limit 100`,
  );
  return rows.map((row) => Number(row.id));
}

export async function findExpiredProposals(db: Queryable): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>(
    "select id from runs where state in ('proposed', 'approved', 'scheduled') and expires_at <= clock_timestamp() order by id limit 100",
  );
  return rows.map((row) => Number(row.id));
}

async function claim(db: Queryable, id: number, by: Claimant, set: string, where: string): Promise<StoredRun | null> {
  const { rows } = await db.query(
    `update runs set ${set}, fence = fence + 1, lease_owner = $2,
       lease_until = clock_timestamp() + make_interval(secs => $3)
     where id = $1 and ${where} returning *`,
    [id, by.owner, by.leaseSeconds],
  );
  return rows[0] ? toRun(rows[0]) : null;
}
