import type { Checked, Memory } from '../detect/check.ts';
import type { StormPace } from '../detect/storm.ts';
import type { Outcome, Unjudged } from '../model.ts';
import type { Queryable } from './database.ts';

export interface LastCheck {
  job: string;
  target: string;
  outcome: Outcome | null;
  reason: string | null;
  tickAt: Date;
  finishedAt: Date | null;
  unjudged: Unjudged[];
  /** How many were looked into; null where the job doesn't look into each. */
  databases: number | null;
}

/** Claims the check of a tick: false where another worker has it, or a newer tick was checked. */
export async function claimCheck(
  db: Queryable,
  { job, target, tickAt, leaseSeconds }: { job: string; target: string; tickAt: Date; leaseSeconds: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into checks (job, target, tick_at, lease_until)
     values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
     on conflict (job, target) do update set tick_at = $3, lease_until = excluded.lease_until
       where checks.tick_at < $3 and (checks.lease_until is null or checks.lease_until < clock_timestamp())`,
    [job, target, tickAt, leaseSeconds],
  );
  return rowCount === 1;
}

/** Two checks of one job on one target are recorded one after the other. */
export async function lockCheck(db: Queryable, job: string, target: string): Promise<void> {
  await db.query("insert into checks (job, target, tick_at) values ($1, $2, 'epoch') on conflict do nothing", [
    job,
    target,
  ]);
  await db.query('select from checks where job = $1 and target = $2 for update', [job, target]);
}

/** What the job remembered of each node at its last recorded check. */
export async function readMemory(db: Queryable, job: string, target: string): Promise<Memory> {
  const { rows } = await db.query<{ memory: Memory }>('select memory from checks where job = $1 and target = $2', [
    job,
    target,
  ]);
  return rows[0]?.memory ?? {};
}

/** The same of several targets, by name; nothing of one that was not checked yet. */
export async function readMemories(
  db: Queryable,
  job: string,
  targets: readonly string[],
): Promise<Record<string, Memory>> {
  const { rows } = await db.query<{ target: string; memory: Memory | null }>(
    'select target, memory from checks where job = $1 and target = any ($2)',
    [job, targets],
  );
  const known = new Map(rows.map(({ target, memory }) => [target, memory]));
  return Object.fromEntries(targets.map((target) => [target, known.get(target) ?? {}]));
}

export async function finishCheck(db: Queryable, { result, memory }: Checked): Promise<void> {
  await db.query(
    `update checks set lease_until = null, finished_at = clock_timestamp(), outcome = $3, reason = $4,
       duration_ms = $5, unjudged = $6, databases = $7, memory = $8 where job = $1 and target = $2`,
    [
      result.job,
      result.target,
      result.outcome,
      result.reason,
      Math.round(result.durationMs),
      JSON.stringify(result.unjudged),
      result.databases,
      JSON.stringify(memory),
    ],
  );
}

/** The storm that a job was in at its last check, and the time by the clock that storms go by. */
export async function readStorm(
  db: Queryable,
  job: string,
  target: string,
): Promise<{ before: StormPace | null; now: Date }> {
  const { rows } = await db.query(
    `select clock_timestamp() as now, storm_since as since, storm_seen_at as "seenAt", storm_next_at as "nextAt",
       storm_every_seconds as "everySeconds"
     from checks where job = $1 and target = $2`,
    [job, target],
  );
  const { now, ...before } = rows[0] ?? { now: new Date() };
  return { before: before.since ? before : null, now };
}

export async function writeStorm(
  db: Queryable,
  { job, target, pace }: { job: string; target: string; pace: StormPace | null },
): Promise<void> {
  await db.query(
    `update checks set storm_since = $3, storm_seen_at = $4, storm_next_at = $5, storm_every_seconds = $6
     where job = $1 and target = $2`,
    [job, target, pace?.since, pace?.seenAt, pace?.nextAt, pace?.everySeconds],
  );
}

export async function readLastChecks(db: Queryable): Promise<LastCheck[]> {
  const { rows } = await db.query('select * from checks order by target, job');
  return rows.map((row) => ({
    job: row.job,
    target: row.target,
    outcome: row.outcome,
    reason: row.reason,
    tickAt: row.tick_at,
    finishedAt: row.finished_at,
    unjudged: JSON.parse(row.unjudged),
    databases: row.databases,
  }));
}
