import type { ProtectedBecause } from '../../src/detect/job.ts';
import type { Unjudged } from '../../src/model.ts';

/** A session as the activity jobs read it; times that identify are epoch microseconds as text. */
export interface Session {
  pid: number;
  backendStart: string | null;
  xactStart: string | null;
  queryStart: string | null;
  user: string | null;
  database: string | null;
  application: string | null;
  /** Address; null for a unix socket. */
  client: string | null;
  backendType: string | null;
  state: string | null;
  waitEvent: string | null;
  transactionSeconds: number | null;
  statementSeconds: number | null;
  stateSeconds: number | null;
  query: string | null;
}

export function isIdleInTransaction(session: Session): boolean {
  return session.state?.startsWith('idle in transaction') ?? false;
}

/** Why no runbook may touch this session, reading on from "pid 4711 …"; null where one may. */
export function whyNotOffered(session: Session, protectedBecause: ProtectedBecause): string | null {
  const { backendType, waitEvent } = session;
  if (backendType === null || session.backendStart === null) return 'is hidden from the monitoring role';
  if (backendType === 'walsender') return 'is a walsender: a signal would break replication';
  if (backendType === 'autovacuum worker') return 'is an autovacuum: it gives way by itself';
  if (backendType !== 'client backend') return `is a ${backendType}, not a client`;
  if (session.user === null) return 'has a role whose name could not be read, so it may be a protected one';
  if (waitEvent === 'SyncRep')
    return 'waits for a synchronous standby: a signal would commit its transaction on this node alone';
  return protectedBecause(session);
}

/** The statement, as `cancel-query` and `cancel-queued-ddl` identify it. */
export function statementParams(session: Session, leastWaiters: number): Record<string, string> {
  return { ...transactionParams(session, leastWaiters), query_start: session.queryStart ?? '' };
}

/** The transaction, as `terminate-session` identifies it; to be left alone where fewer wait directly behind it. */
export function transactionParams(session: Session, leastWaiters: number): Record<string, string> {
  return {
    least_waiters: String(leastWaiters),
    pid: String(session.pid),
    backend_start: session.backendStart ?? '',
    xact_start: session.xactStart ?? '',
  };
}

/** "billing-api, role app, database shop, from 10.0.0.7"; "autovacuum worker, database shop". */
export function describeClient(session: Session): string {
  const isClient = ['client backend', null].includes(session.backendType);
  return [
    session.application || (isClient ? 'an unnamed application' : session.backendType),
    session.user && `role ${session.user}`,
    session.database && `database ${session.database}`,
    session.client ? `from ${session.client}` : null,
  ]
    .filter(Boolean)
    .join(', ');
}

export function unjudgedForBlindRole(role: string, what: string): Unjudged {
  return {
    reason: `the role ${role} cannot see what other sessions do, so ${what}`,
    remedy: `grant pg_monitor to "${role.replaceAll('"', '""')}";`,
  };
}

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** The two largest units: "7 min 42 s", "3 h". */
export function inWords(seconds: number): string {
  if (seconds < 10) return `${Math.max(0, Math.round(seconds * 10) / 10)} s`;
  const first = units.findIndex(([, size]) => seconds >= size);
  const parts = units.slice(first, first + 2).map(([unit, size], index) => {
    const count = index === 0 ? Math.floor(seconds / size) : Math.floor((seconds % (units[first]?.[1] ?? 1)) / size);
    return count > 0 ? `${count} ${unit}` : '';
  });
  return parts.filter(Boolean).join(' ');
}

/** "7m42s". */
export function inBrief(seconds: number): string {
  return inWords(seconds).replaceAll(' min', 'm').replaceAll(' ', '');
}

/** "1 session", "2,000 sessions". */
export function count(number: number, one: string): string {
  return `${number.toLocaleString('en-US')} ${one}${number === 1 ? '' : 's'}`;
}

/** "1 session waits", "37 sessions wait". */
export function countWaiting(number: number): string {
  return `${count(number, 'session')} ${number === 1 ? 'waits' : 'wait'}`;
}
