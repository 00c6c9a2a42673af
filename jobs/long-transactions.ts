import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Offer } from '../src/model.ts';
import {
  count,
  countWaiting,
  describeClient,
  inWords,
  isIdleInTransaction,
  type Session,
  statementParams,
  transactionParams,
  unjudgedForBlindRole,
  whyNotOffered,
} from './shared/sessions.ts';

/** One row of long-transactions.sql: a session with a transaction open. */
export interface OpenTransaction extends Session {
  backendStart: string;
  /** When it began; when it failed, if it has. */
  xactStart: string;
  transactionSeconds: number;
  holdsXid: boolean;
  holdsXmin: boolean;
  /** Transactions that were assigned since its xid or xmin; null if it holds neither. */
  xminAgeXids: number | null;
  holdsOldestXmin: boolean;
  /** Waiting for a heavyweight lock; before PostgreSQL 14 the whole statement counts as the wait. */
  lockWaitSeconds: number;
  /** Sessions that wait for it directly. */
  blocks: number;
  maintenance: 'vacuum' | 'create index' | 'rewrite' | null;
}

const thresholds = {
  minSeconds: {
    default: 3600,
    unit: 'seconds',
    about: 'A transaction this old that holds an xid or xmin is a warning (pgactivity, PostgresAI: 1 h).',
  },
  idleSeconds: {
    default: 900,
    unit: 'seconds',
    about: 'A session this long idle in transaction is a warning (pgMonitor: critical at 15 min).',
  },
  criticalSeconds: {
    default: 14_400,
    unit: 'seconds',
    about: 'Critical from here on if it harms; idle in transaction from 4 × idleSeconds, if that is less.',
  },
  backupSeconds: {
    default: 43_200,
    unit: 'seconds',
    about:
      'For backup tools (by application_name), vacuum and index builds, in place of the two above; 4 × is critical.',
  },
  xminTransactions: {
    default: 1_000_000,
    unit: 'transactions',
    about: 'Holding the oldest xmin is harm once this many transactions were assigned since (4 h at 70 a second).',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

export const longTransactions = defineJob({
  name: 'long-transactions',
  title: 'Transactions open for too long',
  toldBy: ['lock-chains'],
  delivery: 'page',
  scope: 'node',
  schedule: '*/30 * * * * *',
  fire: { afterSeconds: 60 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    transactionSeconds: { label: 'age of the transaction', unit: 'seconds' },
    blocks: { label: 'sessions that wait for it', unit: 'sessions' },
  },
  judge(sessions: readonly OpenTransaction[], context: Context) {
    if (!context.node.seesAll) {
      const what = 'how long their transactions have been open is not judged';
      return { findings: [], unjudged: [unjudgedForBlindRole(context.node.role, what)] };
    }
    return { findings: sessions.flatMap((session) => judgeSession(session, context) ?? []), unjudged: [] };
  },
});

/** Matched against application_name: their snapshots are meant to be old. */
const backupTool = /^(pg_dump|pg_basebackup|pg_receivewal|pg_probackup|pgbackrest|barman|wal-?g)/i;

interface Complaint {
  kind: 'idle' | 'statement' | 'transaction';
  /** Old enough to be critical, if it harms. */
  isOverdue: boolean;
}

function judgeSession(session: OpenTransaction, context: Context): Judged | null {
  const complaint = complain(session, context.thresholds);
  if (!complaint) return null;
  const isHarmful = session.blocks > 0 || holdsVacuumBack(session, context.thresholds);
  const notOffered = whyNotOffered(session, context.protectedBecause);
  return {
    database: session.database,
    fingerprint: `${session.pid}/${session.backendStart}/${session.xactStart}`,
    severity: complaint.isOverdue && isHarmful ? 'critical' : 'warning',
    title: titleOf(session, complaint),
    summary: summarize(session, context.thresholds, notOffered),
    ...(session.query ? { evidence: `${session.pid}  ${session.query}` } : {}),
    subject: { kind: 'backend', pid: session.pid, backendStart: session.backendStart },
    facts: factsOf(session, complaint, notOffered),
    runbooks: notOffered ? [] : [offer(session, complaint)],
    impact: isHarmful ? { what: harmOf(session, context.thresholds), etaSeconds: null } : null,
  };
}

function complain(session: OpenTransaction, thresholds: Context['thresholds']): Complaint | null {
  const isPatient = session.maintenance !== null || backupTool.test(session.application ?? '');
  const limit = isPatient ? thresholds.backupSeconds : thresholds.minSeconds;
  const idleLimit = isPatient ? thresholds.backupSeconds : thresholds.idleSeconds;
  const critical = isPatient ? 4 * thresholds.backupSeconds : thresholds.criticalSeconds;
  // What a transaction waited for a lock is not its own doing: lock-chains reports who made it wait.
  const age = session.holdsXid || session.holdsXmin ? session.transactionSeconds - session.lockWaitSeconds : -1;
  const idleSeconds = isIdleInTransaction(session) ? (session.stateSeconds ?? 0) : -1;
  if (idleSeconds >= idleLimit)
    return { kind: 'idle', isOverdue: idleSeconds >= Math.min(critical, 4 * idleLimit) || age >= critical };
  if (age < (session.lockWaitSeconds > 0 ? Math.max(limit, 1) : limit)) return null;
  const isStatement = session.state === 'active' && (session.statementSeconds ?? 0) - session.lockWaitSeconds >= limit;
  return { kind: isStatement ? 'statement' : 'transaction', isOverdue: age >= critical };
}

/** Dead rows can't be read without touching relations: the transactions since the oldest xmin stand for them. */
function holdsVacuumBack(session: OpenTransaction, thresholds: Context['thresholds']): boolean {
  return session.holdsOldestXmin && (session.xminAgeXids ?? 0) >= thresholds.xminTransactions;
}

/** Without its age: an alert whose title changed at each check would be drawn again at each check. */
function titleOf({ pid, state }: OpenTransaction, { kind }: Complaint): string {
  if (kind === 'statement') return `pid ${pid} runs one statement for too long`;
  if (kind === 'transaction') return `pid ${pid} keeps a transaction of short statements open`;
  return `pid ${pid} sits idle in ${state?.endsWith('(aborted)') ? 'a failed transaction' : 'transaction'}`;
}

function summarize(session: OpenTransaction, thresholds: Context['thresholds'], notOffered: string | null): string {
  return [
    `${describeClient(session)}; its transaction is ${inWords(session.transactionSeconds)} old, ${describeState(session)}.`,
    harmOf(session, thresholds),
    notOffered && `No runbook is offered: pid ${session.pid} ${notOffered}.`,
  ]
    .filter(Boolean)
    .join('\n');
}

function describeState({ state, statementSeconds, stateSeconds }: OpenTransaction): string {
  if (state === 'active') return `its statement has been running for ${inWords(statementSeconds ?? 0)}`;
  return `idle for ${inWords(stateSeconds ?? 0)}`;
}

function harmOf(session: OpenTransaction, thresholds: Context['thresholds']): string {
  const harms = [
    session.blocks > 0 && `${countWaiting(session.blocks)} for it.`,
    holdsVacuumBack(session, thresholds) &&
      `It holds the oldest xmin: vacuum cannot remove what ${count(session.xminAgeXids ?? 0, 'transaction')} since then left behind.`,
  ].filter(Boolean);
  return harms.length > 0 ? harms.join(' ') : 'Nobody waits for it, and it does not hold vacuum back.';
}

function factsOf(session: OpenTransaction, { kind }: Complaint, notOffered: string | null): Record<string, unknown> {
  const { backendStart: _inSubject, queryStart: _inParams, user: role, database: _inFinding, ...facts } = session;
  return { kind, role, ...facts, ...(notOffered ? { notOffered: { why: notOffered } } : {}) };
}

function offer(session: OpenTransaction, { kind }: Complaint): Offer {
  const age = inWords(session.transactionSeconds);
  const frees = session.blocks > 0 ? `; ${countWaiting(session.blocks)} for it` : '';
  if (kind === 'statement') {
    const index = session.maintenance === 'create index' ? '; a concurrent build leaves an invalid index behind' : '';
    const does = `cancels pid ${session.pid}'s statement; its transaction of ${age} is rolled back${frees}${index}.`;
    return { name: 'cancel-query', params: statementParams(session, 0), does };
  }
  const why = isIdleInTransaction(session)
    ? 'Cancel would do nothing: it is idle.'
    : 'Cancel would end only its statement of the moment.';
  const lost = session.state?.endsWith('(aborted)')
    ? 'its transaction has failed already'
    : `its transaction of ${age} is rolled back`;
  const does = `ends pid ${session.pid}'s connection; ${lost}${frees}. ${why}`;
  return { name: 'terminate-session', params: transactionParams(session, 0), does };
}
