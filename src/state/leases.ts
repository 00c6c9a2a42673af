import type { Queryable } from './database.ts';
import { type StoredRun, toRun } from './runs.ts';

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
  return claim(
    db,
    id,
    by,
    `state = 'running', started_at = coalesce(started_at, clock_timestamp())`,
    `((state = 'approved' and expires_at > clock_timestamp()) or (state = 'running' and sent_at is null and lease_until < clock_timestamp()))`,
  );
}

/** Claims a run whose worker was lost after the act may have been sent: it is judged, never sent again. */
export async function claimRecovery(db: Queryable, id: number, by: Claimant): Promise<StoredRun | null> {
  return claim(
    db,
    id,
    by,
    `state = 'recovering'`,
    `(state = 'recovering' or (state = 'running' and sent_at is not null)) and lease_until < clock_timestamp()`,
  );
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

/** The last step before the act: only if it hits the row may the act be sent, on the connection that is open already. */
export async function markSent(db: Queryable, run: StoredRun): Promise<boolean> {
  const { rowCount } = await db.query(
    `update runs set sent_at = clock_timestamp()
     where id = $1 and fence = $2 and state = 'running' and sent_at is null
       and not exists (select 1 from switches where name = 'paused' and value = 'on')`,
    [run.id, run.fence],
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

/** Gives a claimed run back before anything was sent, for another worker to start at once. */
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
