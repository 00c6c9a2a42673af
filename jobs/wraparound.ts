import { type Ask, type AskIn, defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Unjudged } from '../src/model.ts';
import { perSecond } from './shared/rates.ts';
import {
  type AgedDatabase,
  type AgedTable,
  type AgeFacts,
  type AgeHolder,
  allIds,
  type Counter,
  type Course,
  counters,
  stopsAt,
} from './wraparound.facts.ts';
import { judgeMembers, unjudgedMembers } from './wraparound.members.ts';
import { evidenceOf, percentOf, summarize } from './wraparound.text.ts';

const thresholds = {
  warningPercent: {
    default: 150,
    unit: 'percent',
    about: 'Of autovacuum_freeze_max_age, and not falling: an age up to 100 % is everyday (PostgresAI, Datadog).',
  },
  criticalPercent: {
    default: 50,
    unit: 'percent',
    about: 'Of the 2³¹ ids that there are: critical, falling or not (pgMonitor, pganalyze: 50 %).',
  },
  criticalEtaSeconds: {
    default: 259_200,
    unit: 'seconds',
    about: 'Past warningPercent, and used up before this at the rate of the last 6 h: critical.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

export const wraparound = defineJob({
  name: 'wraparound',
  title: 'Transaction or multixact ids running out',
  delivery: 'page',
  scope: 'node',
  schedule: '30 */10 * * * *',
  fire: { afterSeconds: 21_600 },
  clear: { factor: 0.8, samples: 3 },
  thresholds,
  measures: { age: { label: 'age of the oldest id', unit: 'transactions' } },
  history: { days: 1 },
  async gather(ask: Ask, { warningPercent }, askIn: AskIn): Promise<AgeFacts> {
    const databases = (await ask()) as unknown as AgedDatabase[];
    const holders = (await ask('holders')) as unknown as AgeHolder[];
    // Only proof: pg_class itself may be locked.
    const own = (await ask('tables').catch(() => [])) as unknown as AgedTable[];
    const others = (await askIn('tables', othersToAsk(databases, own, warningPercent))) as unknown as AgedTable[];
    const tables = [...own, ...others];
    const [row] = databases[0]?.mayListFiles ? await ask('members') : [];
    return { databases, holders, tables, members: row ? (row['members'] as number) : null };
  },
  sample({ databases }, { node }) {
    const [first] = databases;
    if (!first || node.isStandby) return [];
    return [
      ...counters.map(({ kind, age }) => ({ series: `${kind} age`, value: Math.max(...databases.map(age)) })),
      ...counters.map(({ kind, next }) => ({ series: `${kind} next`, value: next(first) })),
    ];
  },
  judge(facts: AgeFacts, context: Context) {
    const verdicts = counters.flatMap((counter) => judgeCounter(counter, facts, context) ?? []);
    const findings = [
      ...verdicts.filter(({ isFalling }) => !isFalling).map(({ judged }) => judged),
      ...judgeMembers(facts),
    ];
    if (context.node.isStandby) return { findings: [], unjudged: findings.length > 0 ? [unjudgedOnStandby] : [] };
    const lingering = verdicts.filter(({ isFalling }) => isFalling).map(({ judged }) => judged);
    return { findings, lingering, unjudged: unjudgedMembers(facts, context.node.role) };
  },
});

const mostOthers = 3;

/** The oldest that are too old, and take connections; the one that was asked is among the tables already. */
function othersToAsk(databases: readonly AgedDatabase[], own: readonly AgedTable[], warningPercent: number): string[] {
  const isOld = (database: AgedDatabase) =>
    counters.some(({ age, forcedAt }) => age(database) >= (forcedAt(database) * warningPercent) / 100);
  const isAsked = ({ name }: AgedDatabase) => own.some(({ database }) => database === name);
  const others = databases.filter((one) => one.takesConnections && isOld(one) && !isAsked(one));
  return others.slice(0, mostOthers).map(({ name }) => name);
}

const windowSeconds = 21_600;

const unjudgedOnStandby: Unjudged = {
  reason: 'ids are running out, and only its primary can freeze, or show what holds that up',
  remedy: "Add the primary to the target's nodes.",
};

function judgeCounter(
  counter: Counter,
  facts: AgeFacts,
  context: Context,
): { judged: Judged; isFalling: boolean } | null {
  const course = follow(counter, facts, context);
  if (!course) return null;
  const { warningPercent, criticalPercent, criticalEtaSeconds } = context.thresholds;
  const { oldest, age, forcedAt, etaSeconds } = course;
  const criticalAt = (allIds * criticalPercent) / 100;
  if (age < Math.min((forcedAt * warningPercent) / 100, criticalAt)) return null;
  const isFalling = course.isFalling && age < criticalAt;
  const isSoon = !course.isFalling && etaSeconds !== null && etaSeconds < criticalEtaSeconds;
  const { holder, text } = summarize(counter, course, { ...facts, seesAll: context.node.seesAll });
  const judged: Judged = {
    database: oldest.name,
    fingerprint: counter.kind,
    severity: age >= criticalAt || isSoon ? 'critical' : 'warning',
    title: `${counter.what} are running out: database ${oldest.name} has the oldest`,
    summary: text,
    evidence: evidenceOf(counter, facts),
    subject: { kind: 'database', name: oldest.name },
    facts: { ...course, oldest: oldest.name, kind: counter.kind, percent: percentOf(age), holder },
    runbooks: [],
    impact: { what: 'the server takes no more writes', etaSeconds },
  };
  return { judged, isFalling };
}

function follow({ kind, age, forcedAt, next }: Counter, { databases }: AgeFacts, context: Context): Course | null {
  const [oldest] = [...databases].sort((a, b) => age(b) - age(a));
  if (!oldest) return null;
  const { now, history } = context;
  const grown = perSecond({ value: age(oldest), now, past: history(`${kind} age`), windowSeconds });
  const rate = perSecond({ value: next(oldest), now, past: history(`${kind} next`), windowSeconds });
  return {
    oldest,
    age: age(oldest),
    forcedAt: forcedAt(oldest),
    rate,
    etaSeconds: rate !== null && rate > 0 ? Math.max(0, stopsAt - age(oldest)) / rate : null,
    isFalling: grown !== null && grown < 0,
  };
}
