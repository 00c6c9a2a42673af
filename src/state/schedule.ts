import type { Queryable } from './database.ts';
import type { StoredRun } from './runs.ts';

/** Moves a run whose row the caller has locked to its time; what was approved is approved for that long at most. */
export async function scheduleRun(db: Queryable, id: number, at: { startsAt: Date; expiresAt: Date }): Promise<void> {
  await db.query(
    `update runs set state = 'scheduled', starts_at = $2, expires_at = $3,
       decided_at = coalesce(decided_at, clock_timestamp()) where id = $1`,
    [id, at.startsAt, at.expiresAt],
  );
}

/** Oldest first; those past their end are for whoever ends them. */
export async function findScheduledRuns(db: Queryable): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from runs where state = 'scheduled' and expires_at > clock_timestamp() order by id limit 100`,
  );
  return rows.map((row) => Number(row.id));
}

export async function readClock(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now');
  return rows[0]?.now ?? new Date();
}

/** Approved runs that this one kept waiting, those of its table or maintenance of its target; the oldest approval first. */
export async function findWaiting(db: Queryable, ended: StoredRun): Promise<{ id: number; alertId: number | null }[]> {
  const { rows } = await db.query<{ id: string; alert_id: string | null }>(
    `select id, alert_id from runs where target = $1 and state = 'approved' and ${excludes}
     order by decided_at, id limit 20`,
    [ended.target, ended.relation, ended.class],
  );
  return rows.map((row) => ({ id: Number(row.id), alertId: row.alert_id === null ? null : Number(row.alert_id) }));
}

/** The run under way that this one has to wait for. */
export async function findRunAhead(db: Queryable, waiting: StoredRun): Promise<number | null> {
  const { rows } = await db.query<{ id: string }>(
    `select id from runs where target = $1 and state in ('running', 'recovering') and ${excludes} order by id limit 1`,
    [waiting.target, waiting.relation, waiting.class],
  );
  return rows[0] ? Number(rows[0].id) : null;
}

/** As the unique indexes have it: one on a table, and one piece of maintenance on a target. */
const excludes = "(relation = $2 or (class in ('maintain', 'ddl') and $3 in ('maintain', 'ddl')))";
