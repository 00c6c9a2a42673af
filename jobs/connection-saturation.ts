import { type Ask, defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Subject } from '../src/model.ts';
import { secondsUntil } from './shared/rates.ts';
import { count, inWords, unjudgedForBlindRole } from './shared/sessions.ts';

/** One row of connection-saturation.sql: a limit, and how much of it is taken. */
export interface Limit {
  kind: 'server' | 'role' | 'database';
  /** Null for the server's own. */
  name: string | null;
  /** Of the server: without what is reserved. */
  limit: number;
  used: number;
  idle: number;
  idleInTransaction: number;
  maxConnections: number;
}

/** One row of connection-saturation.holders.sql. */
export interface Holder {
  application: string;
  role: string | null;
  database: string | null;
  used: number;
  idle: number;
  longestIdleSeconds: number | null;
}

export interface ConnectionFacts {
  limits: readonly Limit[];
  holders: readonly Holder[];
}

const thresholds = {
  warningPercent: {
    default: 85,
    unit: 'percent',
    about: "This share of the usable slots, or of a role's or database's limit, is a warning (CloudNativePG: 85).",
  },
  criticalPercent: {
    default: 95,
    unit: 'percent',
    about: 'Critical from here on (CloudNativePG, check_postgres: 95).',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

/** A role that may have one or two connections is meant to: a job that must not run twice. */
const leastLimit = 3;
const growthSeconds = 900;
const mostShown = 8;

export const connectionSaturation = defineJob({
  name: 'connection-saturation',
  title: 'Connections running out',
  delivery: 'page',
  scope: 'node',
  schedule: '15,45 * * * * *',
  fire: { afterSeconds: 120 },
  // Half of the thresholds would be a server that is well.
  clear: { factor: 0.9, samples: 3 },
  thresholds,
  measures: { used: { label: 'connections', unit: 'sessions' } },
  history: { days: 1 },
  async gather(ask: Ask): Promise<ConnectionFacts> {
    const limits = (await ask()) as unknown as Limit[];
    return { limits, holders: (await ask('holders')) as unknown as Holder[] };
  },
  sample: ({ limits }, { node }) =>
    limits.flatMap(({ kind, used }) => (node.seesAll && kind === 'server' ? [{ series: 'clients', value: used }] : [])),
  judge(facts: ConnectionFacts, context: Context) {
    if (!context.node.seesAll) {
      const what = 'how many of them are clients is not judged';
      return { findings: [], unjudged: [unjudgedForBlindRole(context.node.role, what)] };
    }
    return { findings: facts.limits.flatMap((limit) => judgeLimit(limit, facts, context) ?? []), unjudged: [] };
  },
  judgeRefusal(sqlState, { name }) {
    return sqlState === '53300' ? refused(name) : null;
  },
});

function judgeLimit(limit: Limit, { holders }: ConnectionFacts, context: Context): Judged | null {
  const { warningPercent, criticalPercent } = context.thresholds;
  if (limit.kind !== 'server' && limit.limit < leastLimit) return null;
  const percent = (100 * limit.used) / Math.max(1, limit.limit);
  if (percent < Math.min(warningPercent, criticalPercent)) return null;
  const theirs = holders.filter(
    ({ role, database }) =>
      limit.kind === 'server' || (limit.kind === 'role' ? role === limit.name : database === limit.name),
  );
  const etaSeconds = limit.kind === 'server' ? etaOf(limit, context) : null;
  return {
    database: limit.kind === 'database' ? limit.name : null,
    fingerprint: fingerprintOf(limit, context.node.name),
    severity: percent >= criticalPercent ? 'critical' : 'warning',
    title: `connections are running out: ${placeOf(limit)}`,
    summary: summarize(limit, percent, etaSeconds),
    evidence: theirs.slice(0, mostShown).map(lineOf).join('\n'),
    subject: subjectOf(limit, context.node.name),
    facts: { ...limit, percent: Math.round(percent), holders: theirs.slice(0, mostShown) },
    runbooks: [],
    impact: etaSeconds === null ? null : { what: 'no client can connect any more', etaSeconds },
  };
}

/** The reader could not even ask: the server said why. */
function refused(node: string): Judged {
  return {
    database: null,
    fingerprint: `${node} refuses`,
    severity: 'critical',
    title: 'no connection is free: clients are refused',
    summary: [
      'pgorderly itself was refused with SQLSTATE 53300: all slots are taken, or the limit of its role or database is reached.',
      'Who holds them cannot be asked meanwhile. From PostgreSQL 16 on, reserved_connections and',
      '`grant pg_use_reserved_connections` keep a slot for it.',
    ].join('\n'),
    subject: { kind: 'server', name: node },
    facts: { sqlState: '53300', used: null },
    runbooks: [],
    impact: { what: 'no client can connect', etaSeconds: 0 },
  };
}

/** At the rate of the last quarter of an hour; null where it does not grow, or nothing is known of then. */
function etaOf({ limit, used }: Limit, { history, now }: Context): number | null {
  return secondsUntil(limit, { value: used, now, past: history('clients'), windowSeconds: growthSeconds });
}

function fingerprintOf({ kind, name }: Limit, node: string): string {
  return kind === 'server' ? `${node} server` : `${node} ${kind} ${name}`;
}

function subjectOf({ kind, name }: Limit, node: string): Subject {
  return { kind, name: name ?? node };
}

function placeOf({ kind, name }: Limit): string {
  if (kind === 'server') return 'few slots of the server are left';
  return `few of those that ${kind} ${name} may have are left`;
}

function summarize(limit: Limit, percent: number, etaSeconds: number | null): string {
  const { kind, used, idle, idleInTransaction, maxConnections } = limit;
  const of =
    kind === 'server' ? `${limit.limit} that are not reserved (max_connections ${maxConnections})` : limit.limit;
  const idleShare = used > 0 ? Math.round((100 * idle) / used) : 0;
  return [
    `${count(used, 'client connection')} of ${of}: ${Math.round(percent)} %.`,
    `${idle} (${idleShare} %) are idle, ${idleInTransaction} idle in transaction, ${used - idle - idleInTransaction} at work.`,
    etaSeconds !== null && `At the rate of the last ${inWords(growthSeconds)} none is left in ${inWords(etaSeconds)}.`,
  ]
    .filter(Boolean)
    .join('\n');
}

function lineOf({ application, role, database, used, idle, longestIdleSeconds }: Holder): string {
  const since = longestIdleSeconds === null ? '' : `, the longest for ${inWords(longestIdleSeconds)}`;
  return `${String(used).padStart(5)}  ${application || 'an unnamed application'} (role ${role ?? 'unknown'}, database ${database ?? 'none'}): ${idle} idle${since}`;
}
