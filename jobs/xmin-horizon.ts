import { defineJob, type JudgeContext, type Point } from '../src/detect/job.ts';
import type { Judged, Offer, Subject } from '../src/model.ts';
import {
  inWords,
  isIdleInTransaction,
  type Session,
  transactionParams,
  unjudgedForBlindRole,
  whyNotOffered,
} from './shared/sessions.ts';
import { describeHolder, evidenceOf, nameOf, summarize } from './xmin-horizon.text.ts';

/** One row of xmin-horizon.sql: what is so of the server, and one who holds the horizon, if there is any. */
export interface HorizonRow extends Omit<Session, 'pid'> {
  nextXid: number;
  freezeMaxAge: number;
  /** Row versions that updates and deletes left, of all databases, ever. */
  changedRows: number | null;
  /** A catalog slot holds back what vacuum may remove from catalogs alone. */
  kind: 'session' | 'standby' | 'slot' | 'catalog slot' | 'prepared' | null;
  /** Of the standby, the slot or the prepared transaction. */
  name: string | null;
  ageXids: number | null;
  /** At least so old: the time since it was prepared, or since the slot was used. */
  knownSeconds: number | null;
  owner: string | null;
  preparedIn: string | null;
  usedBy: string | null;
  pid: number | null;
}

export interface Holder extends HorizonRow {
  kind: NonNullable<HorizonRow['kind']>;
  ageXids: number;
  /** Null: not known yet. */
  ageSeconds: number | null;
  /** Row versions that were left since, which vacuum must keep; null: not known. */
  deadRows: number | null;
}

const thresholds = {
  minSeconds: {
    default: 3_600,
    unit: 'seconds',
    about: 'Held for this long, while dead rows grow, is a warning.',
  },
  deadRows: {
    default: 10_000,
    unit: 'rows',
    about: 'So many updated and deleted rows since then count as growing.',
  },
  criticalSeconds: {
    default: 86_400,
    unit: 'seconds',
    about: 'Held for this long is critical, growing or not (pganalyze: 24 h).',
  },
  criticalPercent: {
    default: 25,
    unit: 'percent',
    about: 'So far on the way to autovacuum_freeze_max_age is critical, however old in time.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

export const xminHorizon = defineJob({
  name: 'xmin-horizon',
  title: 'Vacuum held back by an old xmin',
  toldBy: ['lock-chains', 'long-transactions', 'prepared-transactions', 'replication-slots'],
  delivery: 'page',
  scope: 'node',
  schedule: '20 * * * * *',
  fire: { afterSeconds: 600 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    ageXids: { label: 'age of the oldest xmin', unit: 'transactions' },
    ageSeconds: { label: 'held for', unit: 'seconds' },
  },
  history: { days: 2 },
  sample([row], { node }) {
    // A standby keeps no horizon of its own: its primary does.
    if (!row || node.isStandby) return [];
    const changed = row.changedRows === null ? [] : [{ series: 'changed', value: row.changedRows }];
    return [{ series: 'xid', value: row.nextXid }, ...changed];
  },
  judge(rows: readonly HorizonRow[], context: Context) {
    if (!context.node.seesAll) {
      const what = 'which of them holds vacuum back is not judged';
      return { findings: [], unjudged: [unjudgedForBlindRole(context.node.role, what)] };
    }
    if (context.node.isStandby) return { findings: [], unjudged: [] };
    const holders = rows.flatMap((row) => dated(row, context) ?? []);
    const [oldest] = holders;
    const judged = oldest ? judgeHolder(oldest, holders, context) : null;
    return { findings: judged ? [judged] : [], unjudged: [] };
  },
});

function dated(row: HorizonRow, { history, now }: Context): Holder | null {
  const { kind, ageXids, nextXid, transactionSeconds, knownSeconds, changedRows } = row;
  if (kind === null || ageXids === null) return null;
  const ageSeconds = kind === 'session' ? transactionSeconds : knownSeconds;
  const held = bound(ageSeconds, nextXid - ageXids, { past: history('xid'), now, isLess: kind === 'session' });
  return { ...row, kind, ageXids, ageSeconds: held, deadRows: growth(history('changed'), { changedRows, held, now }) };
}

/**
 * The samples date an xid: it was given out between two of them. A slot or a standby does not say since when it holds
 * its own; a transaction may be older than the snapshot of its statement of the moment.
 */
function bound(
  seconds: number | null,
  xid: number,
  { past, now, isLess }: { past: readonly Point[]; now: Date; isLess: boolean },
): number | null {
  const before = past.findLast(({ value }) => value < xid);
  const after = past.find(({ value }) => value > xid);
  const since = (point: Point | undefined) => (point ? (now.getTime() - point.at.getTime()) / 1000 : null);
  const [most, least] = [since(before), since(after)];
  if (isLess) return seconds !== null && most !== null ? Math.min(seconds, most) : seconds;
  return seconds !== null && least !== null ? Math.max(seconds, least) : (seconds ?? least);
}

/** Since the horizon is held, or since the first sample. Statistics that were reset in between count from there. */
function growth(
  past: readonly Point[],
  { changedRows, held, now }: { changedRows: number | null; held: number | null; now: Date },
): number | null {
  const since = past.find(({ at }) => now.getTime() - at.getTime() <= (held ?? 0) * 1000);
  if (!since || changedRows === null) return null;
  return changedRows < since.value ? changedRows : changedRows - since.value;
}

function judgeHolder(holder: Holder, holders: readonly Holder[], context: Context): Judged | null {
  const { minSeconds, deadRows, criticalSeconds, criticalPercent } = context.thresholds;
  const percent = (100 * holder.ageXids) / holder.freezeMaxAge;
  const age = holder.ageSeconds ?? -1;
  const isCritical = age >= criticalSeconds || percent >= criticalPercent;
  // Where nothing is known of before, as at a check from a terminal, it counts as growing.
  const isGrowing = holder.deadRows === null || holder.deadRows >= deadRows;
  if (!isCritical && !(age >= minSeconds && isGrowing)) return null;
  const notOffered = whyNoRunbook(holder, context);
  return {
    database: holder.kind === 'session' ? holder.database : holder.preparedIn,
    fingerprint: fingerprintOf(holder),
    severity: isCritical ? 'critical' : 'warning',
    title: `${nameOf(holder)} keeps vacuum from removing dead rows`,
    summary: summarize(holder, percent, notOffered),
    evidence: evidenceOf(holders),
    subject: subjectOf(holder),
    facts: factsOf(holder, percent, notOffered),
    runbooks: notOffered === null ? [offer(holder)] : [],
    impact: { what: 'dead rows stay: tables grow and queries get slower', etaSeconds: null },
  };
}

/** Reads on from "No runbook is offered: "; null where one is. */
function whyNoRunbook(holder: Holder, { protectedBecause }: Context): string | null {
  if (holder.kind === 'prepared') return 'whether it is to be committed, a person must know';
  if (holder.kind !== 'session' || holder.pid === null) return 'it is not a session of this server';
  if (holder.xactStart === null) return `pid ${holder.pid} has no transaction open`;
  const why = whyNotOffered({ ...holder, pid: holder.pid }, protectedBecause);
  return why === null ? null : `pid ${holder.pid} ${why}`;
}

function fingerprintOf(holder: Holder): string {
  const { kind, name, pid, backendStart, xactStart } = holder;
  return kind === 'session' ? `${pid}/${backendStart}/${xactStart}` : `${kind} ${name}`;
}

function subjectOf({ kind, name, pid, backendStart }: Holder): Subject {
  if (kind === 'session') return { kind: 'backend', pid: pid ?? 0, backendStart: backendStart ?? '' };
  if (kind === 'prepared') return { kind: 'prepared-transaction', gid: name ?? '' };
  return { kind: kind === 'standby' ? 'standby' : 'replication-slot', name: name ?? '' };
}

function factsOf(holder: Holder, percent: number, notOffered: string | null): Record<string, unknown> {
  const { kind, ageXids, ageSeconds, deadRows, application, state, query } = holder;
  return {
    holder: describeHolder(holder),
    kind,
    ageXids,
    ageSeconds,
    deadRows,
    percentOfFreezeMaxAge: Math.round(percent * 10) / 10,
    ...(kind === 'session' ? { role: holder.user, application, state, query } : {}),
    ...(notOffered ? { notOffered: { why: notOffered } } : {}),
  };
}

function offer(holder: Holder): Offer {
  const why = isIdleInTransaction({ ...holder, pid: 0 })
    ? 'Cancel would do nothing: it is idle.'
    : 'Cancel might leave its transaction open.';
  const does = `ends pid ${holder.pid}'s connection; its transaction of ${inWords(holder.ageSeconds ?? 0)} is rolled back. ${why}`;
  return { name: 'terminate-session', params: transactionParams({ ...holder, pid: holder.pid ?? 0 }, 0), does };
}
