import type { QueryResultRow } from 'pg';
import type { Person, Risk, RunbookClass, RunState } from '../model.ts';
import type { Queryable } from './database.ts';

export interface StoredRun {
  id: number;
  alertId: number | null;
  target: string;
  runbook: string;
  risk: Risk;
  class: RunbookClass;
  subject: string;
  /** Database and oid of the table that it works on: one run on a table at a time. */
  relation: string | null;
  /** The run whose left-overs it cleans up, or whose act it takes back. */
  follows: number | null;
  does: string;
  /** The bytes people approve. */
  plan: string;
  planHash: string;
  state: RunState;
  /** Null for what the bot proposed. */
  askedBy: Person | null;
  createdAt: Date;
  expiresAt: Date;
  sentAt: Date | null;
  /** When a scheduled one may start. */
  startsAt: Date | null;
  /** How far it is, while it runs. */
  progress: RunProgress | null;
  /** Bytes that it works on, and what would take it back: known once it is sent. */
  sizeBytes: number | null;
  undo: string | null;
  /** Who asked it to stop, and why. */
  stopBy: string | null;
  stopReason: string | null;
  finishedAt: Date | null;
  fence: number;
  outcome: string | null;
  beforeAfter: string | null;
  trace: string | null;
}

/** How far a run's act is, as its server shows it. */
export interface RunProgress {
  phase: string;
  /** Seconds from the act's beginning at which this phase was first seen. */
  phaseSince: number;
  /** 0 to 100, of this phase; null where the server does not tell. */
  percent: number | null;
  /** Of this phase, at its own rate so far. */
  etaSeconds: number | null;
  /** Whom it waits for: "pid 812 (reporting, idle in transaction for 15 min)". */
  waitsFor: string | null;
  seconds: number;
}

export interface NewRun {
  alertId: number | null;
  target: string;
  runbook: string;
  risk: Risk;
  class: RunbookClass;
  subject: string;
  relation: string | null;
  follows: number | null;
  does: string;
  plan: string;
  planHash: string;
  askedBy: Person | null;
  expiresInSeconds: number;
  trace: string | null;
}

export interface StoredApproval {
  person: Person;
  verdict: 'yes' | 'no';
  reason: string | null;
  at: Date;
}

/** The id, or null where the subject has an open proposal already. */
export async function insertRun(db: Queryable, run: NewRun): Promise<number | null> {
  const { rows } = await db.query<{ id: string }>(
    `insert into runs (alert_id, target, runbook, risk, class, subject, does, plan, plan_hash, state, asked_by,
       asked_by_team, expires_at, trace, relation, follows)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'proposed', $10, $11,
       clock_timestamp() + make_interval(secs => $12), $13, $14, $15)
     on conflict (target, subject) where state in ('proposed', 'approved', 'scheduled', 'running', 'recovering')
     do nothing returning id`,
    [
      run.alertId,
      run.target,
      run.runbook,
      run.risk,
      run.class,
      run.subject,
      run.does,
      run.plan,
      run.planHash,
      run.askedBy?.userId ?? null,
      run.askedBy?.teamId ?? null,
      run.expiresInSeconds,
      run.trace,
      run.relation,
      run.follows,
    ],
  );
  return rows[0] ? Number(rows[0].id) : null;
}

export async function readRun(db: Queryable, id: number): Promise<StoredRun | null> {
  const { rows } = await db.query('select * from runs where id = $1', [id]);
  return rows[0] ? toRun(rows[0]) : null;
}

/** A run as it stood when its row was locked, and that moment by the state database's clock. */
export interface LockedRun extends StoredRun {
  isExpired: boolean;
  now: Date;
}

/** The first statement of a decision: two people who approve at once must see each other's approval. */
export async function lockRun(db: Queryable, id: number): Promise<LockedRun | null> {
  const { rows } = await db.query(
    `select *, expires_at <= clock_timestamp() as is_expired, clock_timestamp() as now
     from runs where id = $1 for update`,
    [id],
  );
  return rows[0] ? { ...toRun(rows[0]), isExpired: rows[0].is_expired, now: rows[0].now } : null;
}

export async function readRunsOfAlert(db: Queryable, alertId: number): Promise<StoredRun[]> {
  const { rows } = await db.query('select * from runs where alert_id = $1 order by id', [alertId]);
  return rows.map(toRun);
}

/** Open and recent runs, newest first. */
export async function readRecentRuns(db: Queryable, limit: number): Promise<StoredRun[]> {
  const { rows } = await db.query('select * from runs order by id desc limit $1', [limit]);
  return rows.map(toRun);
}

export async function openRunOfSubject(db: Queryable, target: string, subject: string): Promise<StoredRun | null> {
  const { rows } = await db.query(
    `select * from runs where target = $1 and subject = $2 and state in (${openStates})`,
    [target, subject],
  );
  return rows[0] ? toRun(rows[0]) : null;
}

/** DEFAULTS: what was denied is not offered again for an hour. */
export async function wasDeniedLately(db: Queryable, planHash: string): Promise<boolean> {
  const { rows } = await db.query(
    `select from runs where plan_hash = $1 and state = 'denied'
       and decided_at > clock_timestamp() - interval '1 h' limit 1`,
    [planHash],
  );
  return rows.length > 0;
}

/** Moves a run whose row the caller has locked; ends are stamped. */
export async function moveRun(db: Queryable, id: number, state: RunState, outcome: string | null): Promise<void> {
  await db.query(
    `update runs set state = $2, outcome = coalesce($3, outcome), decided_at = coalesce(decided_at, clock_timestamp()),
       finished_at = case when $2 in ('approved', 'scheduled') then null else clock_timestamp() end
     where id = $1`,
    [id, state, outcome],
  );
}

/** The last click's id follows the run into the logs of whichever worker carries it out. */
export async function traceRun(db: Queryable, id: number, trace: string): Promise<void> {
  await db.query('update runs set trace = $2 where id = $1', [id, trace]);
}

/** One word a person: a no replaces their yes. False where that word is recorded already. */
export async function addApproval(
  db: Queryable,
  id: number,
  person: Person,
  verdict: 'yes' | 'no',
  reason: string | null,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into approvals (run_id, user_id, team_id, verdict, reason) values ($1, $2, $3, $4, $5)
     on conflict (run_id, user_id, team_id) do update set verdict = 'no', reason = $5, at = clock_timestamp()
       where approvals.verdict = 'yes' and $4 = 'no'`,
    [id, person.userId, person.teamId, verdict, reason],
  );
  return rowCount === 1;
}

export async function readApprovals(db: Queryable, id: number): Promise<StoredApproval[]> {
  const { rows } = await db.query('select * from approvals where run_id = $1 order by at', [id]);
  return rows.map((row) => ({
    person: { userId: row.user_id, teamId: row.team_id },
    verdict: row.verdict,
    reason: row.reason,
    at: row.at,
  }));
}

/** Signals sent on a target within the last ten minutes: the blast radius of DEFAULTS. */
export async function countSignals(db: Queryable, target: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from runs where target = $1 and class = 'signal'
       and sent_at > clock_timestamp() - interval '10 min'`,
    [target],
  );
  return rows[0]?.count ?? 0;
}

export async function countRunsByState(db: Queryable): Promise<Map<RunState, number>> {
  const { rows } = await db.query<{ state: RunState; count: number }>(
    'select state, count(*)::int as count from runs group by state',
  );
  return new Map(rows.map((row) => [row.state, row.count]));
}

const openStates = "'proposed', 'approved', 'scheduled', 'running', 'recovering'";

export function toRun(row: QueryResultRow): StoredRun {
  return {
    id: Number(row['id']),
    alertId: row['alert_id'] === null ? null : Number(row['alert_id']),
    target: row['target'],
    runbook: row['runbook'],
    risk: row['risk'],
    class: row['class'],
    subject: row['subject'],
    relation: row['relation'],
    follows: row['follows'] === null ? null : Number(row['follows']),
    does: row['does'],
    plan: row['plan'],
    planHash: row['plan_hash'],
    state: row['state'],
    askedBy: row['asked_by'] === null ? null : { userId: row['asked_by'], teamId: row['asked_by_team'] },
    createdAt: row['created_at'],
    expiresAt: row['expires_at'],
    sentAt: row['sent_at'],
    startsAt: row['starts_at'],
    progress: row['progress'] === null ? null : JSON.parse(row['progress']),
    sizeBytes: row['size_bytes'] === null ? null : Number(row['size_bytes']),
    undo: row['undo'],
    stopBy: row['stop_by'],
    stopReason: row['stop_reason'],
    finishedAt: row['finished_at'],
    fence: row['fence'],
    outcome: row['outcome'],
    beforeAfter: row['before_after'],
    trace: row['trace'],
  };
}
