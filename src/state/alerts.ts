import type { QueryResultRow } from 'pg';
import type { OpenAlert, Transition } from '../alerts/track.ts';
import type { Finding, Severity } from '../model.ts';
import type { Queryable } from './database.ts';

export interface StoredAlert {
  id: number;
  job: string;
  target: string;
  fingerprint: string;
  state: 'pending' | 'firing' | 'resolved';
  severity: Severity;
  finding: Finding;
  firstSeenAt: Date;
  lastSeenAt: Date;
  resolvedAt: Date | null;
  staleSince: Date | null;
  staleReason: string | null;
  acknowledgedBy: string | null;
  acknowledgedAt: Date | null;
}

/** Locks the alerts of a job on a target that are not resolved. */
export async function lockOpenAlerts(db: Queryable, job: string, target: string): Promise<OpenAlert[]> {
  const { rows } = await db.query(
    `select a.*, exists (select 1 from runs r where r.alert_id = a.id and r.state = 'succeeded') as is_fixed
     from alerts a where a.job = $1 and a.target = $2 and a.state <> 'resolved' order by a.id for update of a`,
    [job, target],
  );
  return rows.map((row) => ({
    id: Number(row.id),
    ...placeOf(row.finding),
    fingerprint: row.fingerprint,
    state: row.state,
    severity: row.severity,
    firstSeenAt: row.first_seen_at,
    clearCount: row.clear_count,
    isStale: row.stale_since !== null,
    isFixed: row.is_fixed,
  }));
}

/** An alert that fired, and how it went on. */
export interface FiredAlert {
  finding: Finding;
  /** Found again by a later check. */
  wasFoundAgain: boolean;
  /** Null while it fires. */
  lastedSeconds: number | null;
}

/** What fired on a target within so many days. */
export async function readFiredWithin(db: Queryable, target: string, days: number): Promise<FiredAlert[]> {
  const { rows } = await db.query(
    `select finding, last_seen_at > fired_at + interval '100 ms' as again, extract(epoch from resolved_at - fired_at)::float8 as seconds
     from alerts where target = $1 and fired_at > clock_timestamp() - make_interval(days => $2) order by id limit 10000`,
    [target, days],
  );
  return rows.map((row) => ({
    finding: JSON.parse(row.finding),
    wasFoundAgain: row.again,
    lastedSeconds: row.seconds,
  }));
}

/** Writes one transition; returns the alert's id, or null where the alert is no more. */
export async function applyTransition(db: Queryable, transition: Transition): Promise<number | null> {
  switch (transition.reason) {
    case 'noticed':
      return insertAlert(db, transition.finding, 'pending');
    case 'opened':
      return transition.id === null
        ? insertAlert(db, transition.finding, 'firing')
        : updateFound(db, transition.id, transition.finding, 'firing');
    case 'waiting':
      return updateFound(db, transition.id, transition.finding, 'pending');
    case 'worsened':
    case 'improved':
    case 'unchanged':
      return updateFound(db, transition.id, transition.finding, 'firing');
    case 'lingering':
      return run(db, transition.id, 'clear_count = 0, stale_since = null, last_seen_at = clock_timestamp()');
    case 'clearing':
      return run(db, transition.id, 'clear_count = $2, stale_since = null', transition.clearCount);
    case 'resolved':
      return run(db, transition.id, "state = 'resolved', stale_since = null, resolved_at = clock_timestamp()");
    case 'stale':
      return run(
        db,
        transition.id,
        'stale_since = coalesce(stale_since, clock_timestamp()), stale_reason = $2',
        transition.why,
      );
    case 'forgotten':
      await db.query('delete from alerts where id = $1', [transition.id]);
      return null;
  }
}

export async function readAlert(db: Queryable, id: number): Promise<StoredAlert | null> {
  const { rows } = await db.query('select * from alerts where id = $1', [id]);
  return rows[0] ? toAlert(rows[0]) : null;
}

/** A firing alert of one of these jobs that has a card and is about the very same subject on the same node, or null. */
export async function findShownTwin(db: Queryable, finding: Finding, jobs: readonly string[]): Promise<number | null> {
  const { rows } = await db.query<{ id: string }>(
    `select a.id from alerts a join cards c on c.alert_id = a.id
     where a.state = 'firing' and a.job = any($1) and a.target = $2 and a.finding::jsonb ->> 'node' = $3
       and a.finding::jsonb -> 'subject' = $4::jsonb order by a.id limit 1`,
    [jobs, finding.target, finding.node, JSON.stringify(finding.subject)],
  );
  return rows[0] ? Number(rows[0].id) : null;
}

/** Those that were paged: what is told in reports is not among them. */
export async function readFiringAlerts(db: Queryable, reporting: readonly string[]): Promise<StoredAlert[]> {
  const { rows } = await db.query(
    "select * from alerts where state = 'firing' and job <> all($1) order by fired_at limit 200",
    [reporting],
  );
  return rows.map(toAlert);
}

/** Of these jobs on a target; so many that none of the worst is left out. */
export async function readFiringOf(db: Queryable, target: string, jobs: readonly string[]): Promise<StoredAlert[]> {
  const { rows } = await db.query(
    "select * from alerts where state = 'firing' and target = $1 and job = any($2) limit 10000",
    [target, jobs],
  );
  return rows.map(toAlert);
}

/** Returns false if somebody did before. */
export async function acknowledgeAlert(db: Queryable, id: number, userId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update alerts set acknowledged_by = $2, acknowledged_at = clock_timestamp()
     where id = $1 and state = 'firing' and acknowledged_by is null`,
    [id, userId],
  );
  return rowCount === 1;
}

function placeOf(finding: string): { node: string; database: string | null } {
  const { node, database } = JSON.parse(finding) as Finding;
  return { node, database };
}

async function insertAlert(db: Queryable, finding: Finding, state: 'pending' | 'firing'): Promise<number> {
  const { rows } = await db.query<{ id: string }>(
    `insert into alerts (job, target, fingerprint, state, severity, finding, first_seen_at, last_seen_at, fired_at)
     values ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp(),
       case $4 when 'firing' then clock_timestamp() end) returning id`,
    [finding.job, finding.target, finding.fingerprint, state, finding.severity, textOf(finding)],
  );
  return Number(rows[0]?.id);
}

async function updateFound(db: Queryable, id: number, finding: Finding, state: string): Promise<number> {
  await db.query(
    `update alerts set state = $2, severity = $3, finding = $4, last_seen_at = clock_timestamp(), clear_count = 0,
       stale_since = null, fired_at = case $2 when 'firing' then coalesce(fired_at, clock_timestamp()) end
     where id = $1`,
    [id, state, finding.severity, textOf(finding)],
  );
  return id;
}

async function run(db: Queryable, id: number, assignments: string, value?: unknown): Promise<number> {
  await db.query(`update alerts set ${assignments} where id = $1`, value === undefined ? [id] : [id, value]);
  return id;
}

function toAlert(row: QueryResultRow): StoredAlert {
  return {
    id: Number(row['id']),
    job: row['job'],
    target: row['target'],
    fingerprint: row['fingerprint'],
    state: row['state'],
    severity: row['severity'],
    finding: JSON.parse(row['finding']),
    firstSeenAt: row['first_seen_at'],
    lastSeenAt: row['last_seen_at'],
    resolvedAt: row['resolved_at'],
    staleSince: row['stale_since'],
    staleReason: row['stale_reason'],
    acknowledgedBy: row['acknowledged_by'],
    acknowledgedAt: row['acknowledged_at'],
  };
}

/** Without what goes into the thread once. */
function textOf({ wholeEvidence: _, ...finding }: Finding): string {
  return JSON.stringify(finding);
}
