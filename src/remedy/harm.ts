import { formatBytes, formatSeconds } from './before-after.ts';
import type { StopWhen } from './runbook/runbook.ts';
import type { ActingSession, Backend } from './session.ts';

/** Since when each session has been seen waiting; a server before 14 doesn't tell. Milliseconds of a steady clock. */
export type WaitingSince = Map<number, number>;

/**
 * What is the matter with a statement of ours that does harm, or null. `since` is kept by the caller from look to look.
 * (DEFAULTS: others queue an ACCESS EXCLUSIVE lock behind it and more than 5 sessions have waited 15 s, or the lag of a
 * standby or the WAL that a slot keeps passes its limit.)
 */
export async function findHarm(
  control: ActingSession,
  { acting, stopWhen, since, now }: { acting: Backend; stopWhen: StopWhen; since: WaitingSince; now: number },
): Promise<string | null> {
  const { rows } = await control.query(waitingSql, [acting.pid]);
  const waiting = new Map(rows.map((row) => [Number(row['pid']), String(row['excluder'])]));
  for (const pid of [...since.keys()]) if (!waiting.has(pid)) since.delete(pid);
  for (const pid of waiting.keys()) if (!since.has(pid)) since.set(pid, now);
  const long = [...since.entries()].filter(([, at]) => now - at >= stopWhen.afterMs);
  if (long.length > stopWhen.waiting) {
    const [pid] = long[0] ?? [0];
    return `${long.length} sessions have waited for ${formatSeconds(stopWhen.afterMs / 1_000)} behind pid ${waiting.get(pid)}, which waits behind this statement to lock all others out`;
  }
  return findBacklog(control, stopWhen);
}

/** Of the relations that we hold: who waits behind a session that waits for us with ACCESS EXCLUSIVE. */
const waitingSql = `
  with ours as materialized (
    select distinct database, relation from pg_catalog.pg_locks
    where pid = $1 and granted and locktype = 'relation'
  ), excluder as materialized (
    select w.pid, w.database, w.relation
    from pg_catalog.pg_locks w join ours using (database, relation)
    where not w.granted and w.mode = 'AccessExclusiveLock' and $1 = any (pg_catalog.pg_blocking_pids(w.pid))
    limit 5
  )
  select w.pid, min(e.pid) as excluder
  from excluder e join pg_catalog.pg_locks w using (database, relation)
  where not w.granted and w.pid <> e.pid
  group by w.pid limit 1000`;

async function findBacklog(control: ActingSession, limits: StopWhen): Promise<string | null> {
  const { rows } = await control.query(backlogSql);
  const [lag, kept] = [Number(rows[0]?.['lag'] ?? 0), Number(rows[0]?.['kept'] ?? 0)];
  if (lag > limits.standbyLagBytes)
    return `a standby has ${formatBytes(lag)} left to replay, the limit is ${formatBytes(limits.standbyLagBytes)}`;
  return kept > limits.slotWalBytes
    ? `a replication slot keeps ${formatBytes(kept)} of WAL, the limit is ${formatBytes(limits.slotWalBytes)}`
    : null;
}

const backlogSql = `
  select (select max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn))
          from pg_catalog.pg_stat_replication r) as lag,
    (select max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))
     from pg_catalog.pg_replication_slots s
     -- Before 13 there is no such column, and no slot is given up.
     where pg_catalog.to_jsonb(s) ->> 'wal_status' is distinct from 'lost') as kept
  where not pg_catalog.pg_is_in_recovery()`;
