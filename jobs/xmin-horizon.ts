import { defineTargetJob, type TargetContext, type TargetJudged } from '../src/detect/job.ts';
import type { Offer, Subject, Unjudged } from '../src/model.ts';
import {
  inWords,
  isIdleInTransaction,
  transactionParams,
  unjudgedForBlindRole,
  whyNotOffered,
} from './shared/sessions.ts';
import { gatherHorizon } from './xmin-horizon.gather.ts';
import { findHolders, type Holder } from './xmin-horizon.holders.ts';
import type { Answers } from './xmin-horizon.standby.ts';
import { describeHolder, evidenceOf, nameOf, summarize } from './xmin-horizon.text.ts';

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

type Context = TargetContext<typeof thresholds>;

export const xminHorizon = defineTargetJob({
  name: 'xmin-horizon',
  title: 'Vacuum held back by an old xmin',
  toldBy: ['lock-chains', 'long-transactions', 'prepared-transactions', 'replication-slots'],
  delivery: 'page',
  // A standby's feedback is followed to the session there.
  scope: 'target',
  schedule: '20 * * * * *',
  fire: { afterSeconds: 600 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    ageXids: { label: 'age of the oldest xmin', unit: 'transactions' },
    ageSeconds: { label: 'held for', unit: 'seconds' },
  },
  history: { days: 2 },
  gather: gatherHorizon,
  sample(answers: Answers) {
    // A standby keeps no horizon of its own: its primary does.
    const [primary, another] = primariesOf(answers);
    const [row] = primary?.facts?.rows ?? [];
    if (!row || another) return [];
    const changed = row.changedRows === null ? [] : [{ series: 'changed', value: row.changedRows }];
    return [{ series: 'xid', value: row.nextXid }, ...changed];
  },
  judge(answers: Answers, context: Context) {
    const primaries = primariesOf(answers).filter(({ role }) => role?.seesAll);
    return {
      findings: primaries.flatMap(({ node }) => judgeNode(node, answers, context) ?? []),
      unjudged: unjudgedNodes(answers),
    };
  },
});

function primariesOf(answers: Answers): Answers[number][] {
  return answers.filter(({ role, facts }) => role && !role.isStandby && facts);
}

function unjudgedNodes(answers: Answers): Unjudged[] {
  return answers.flatMap(({ node, role, facts, error }) => {
    const remedy = 'It is judged again when it answers.';
    if (!role || !facts)
      return [{ node, reason: `${error ?? 'it did not answer'}, so who holds vacuum back is not known`, remedy }];
    const what = 'which of them holds vacuum back is not judged';
    if (!role.seesAll) return [{ node, ...unjudgedForBlindRole(role.login, what) }];
    return facts.readersRefused ? [{ node, ...unjudgedReaders }] : [];
  });
}

const unjudgedReaders = {
  reason: "Aurora does not tell this login what its readers hold, so only the writer's sessions are judged",
  remedy: 'Let it call aurora_replica_status().',
};

function judgeNode(node: string, answers: Answers, context: Context): TargetJudged | null {
  const holders = findHolders(node, answers, context);
  const [holder] = holders;
  if (!holder) return null;
  const { minSeconds, deadRows, criticalSeconds, criticalPercent } = context.thresholds;
  const percent = (100 * holder.ageXids) / holder.freezeMaxAge;
  const age = holder.ageSeconds ?? -1;
  const isCritical = age >= criticalSeconds || percent >= criticalPercent;
  // Where nothing is known of before, as at a check from a terminal, it counts as growing.
  const isGrowing = holder.deadRows === null || holder.deadRows >= deadRows;
  if (!isCritical && !(age >= minSeconds && isGrowing)) return null;
  const notOffered = whyNoRunbook(holder, context);
  return {
    node: holder.standby ?? node,
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
  const { kind, name, pid, backendStart, xactStart, standby } = holder;
  const what = kind === 'session' ? `${pid}/${backendStart}/${xactStart}` : `${kind} ${name}`;
  return standby === null ? what : `${standby}/${what}`;
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
