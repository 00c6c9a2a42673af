import { defineTargetJob, type TargetContext } from '../src/detect/job.ts';
import type { Severity, Unjudged } from '../src/model.ts';
import { type Lag, measureLag } from './replication-lag.measure.ts';
import { isStreaming, type LagMemory, rememberLag } from './replication-lag.memory.ts';
import { type Answers, findStandbys, headOf, type NodeFacts, type Standby } from './replication-lag.standbys.ts';
import { describeLag } from './replication-lag.text.ts';
import { unjudgedStandbys } from './replication-lag.unjudged.ts';
import { isAuroraReader, unjudgedAuroraReader } from './shared/aurora.ts';

const thresholds = {
  minBytes: {
    default: 1_073_741_824,
    unit: 'bytes',
    about: 'A standby that is so far behind and does not catch up is a warning (Ubicloud: 1 GiB without progress).',
  },
  minSeconds: {
    default: 300,
    unit: 'seconds',
    about: 'So is one that has not replayed what was written so long ago. Time without bytes is an idle primary.',
  },
  criticalBytes: { default: 10_737_418_240, unit: 'bytes', about: 'So far behind is critical (Ubicloud: 10 GiB).' },
  criticalSeconds: { default: 900, unit: 'seconds', about: 'So late is critical (Ubicloud: 15 min).' },
  missingSeconds: {
    default: 150,
    unit: 'seconds',
    about: 'A standby that streams from nobody for so long is critical: 5 min with the 150 s before an alert fires.',
  },
} as const;

type Context = TargetContext<typeof thresholds, LagMemory>;

export const replicationLag = defineTargetJob({
  name: 'replication-lag',
  title: 'Standbys that are behind, or that stream from nobody',
  delivery: 'page',
  scope: 'target',
  schedule: '*/30 * * * * *',
  fire: { afterSeconds: 150 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    unreplayedBytes: { label: 'not replayed', unit: 'bytes' },
    lagSeconds: { label: 'lag', unit: 'seconds' },
  },
  gather: async (ask, { flavour }): Promise<NodeFacts | null> => {
    // It has no standbys, and refuses to say anything about WAL.
    if (flavour === 'aurora') return null;
    const [position] = await ask('position');
    return { position, senders: await ask() } as unknown as NodeFacts;
  },
  remember: rememberLag,
  judge(all: Answers, context: Context) {
    const answers = all.filter(({ role }) => role?.flavour !== 'aurora');
    const head = headOf(answers);
    // Positions in the WAL of another cluster mean nothing here.
    const isOther = ({ role }: Answers[number]) => head && role && role.systemIdentifier !== head.systemIdentifier;
    const ours = answers.filter((answer) => !isOther(answer));
    const standbys = findStandbys(ours, context.memory?.known ?? {});
    return {
      findings: worstOfEach(standbys.flatMap((standby) => judgeStandby(standby, head?.written ?? null, context) ?? [])),
      unjudged: [...unjudgedStandbys(answers, { head, standbys }), ...unjudgedReaders(all)],
    };
  },
});

function unjudgedReaders(answers: Answers): Unjudged[] {
  const readers = answers.filter(({ role }) => role && isAuroraReader(role));
  return readers.map(({ node }) => ({ node, ...unjudgedAuroraReader('how far it is behind is') }));
}

type Verdict = NonNullable<ReturnType<typeof judgeStandby>>;

function judgeStandby(standby: Standby, head: number | null, { thresholds: limits, memory }: Context) {
  const lag = measureLag(standby, head, memory);
  const isMissing = lag.awaySeconds !== null && lag.awaySeconds >= limits.missingSeconds;
  const severity = isMissing ? 'critical' : grade(lag, limits);
  if (!severity) return null;
  const { unsentBytes, unflushedBytes, unreplayedBytes, lagSeconds, stalled } = lag;
  const { position, upstream } = standby;
  return {
    node: standby.node,
    database: null,
    fingerprint: standby.name,
    severity,
    ...describeLag(standby, lag, isMissing),
    subject: { kind: 'standby' as const, name: standby.name },
    facts: {
      unsentBytes,
      unflushedBytes,
      unreplayedBytes,
      lagSeconds,
      stalled,
      upstream,
      isStreaming: isStreaming(standby, head),
      isPaused: position?.isPaused ?? null,
      delaySeconds: position?.delaySeconds ?? null,
      isConfigured: standby.isConfigured,
    },
    runbooks: [],
    impact: null,
  };
}

function grade({ overdueBytes, overdueSeconds, isShrinking }: Lag, limits: Context['thresholds']): Severity | null {
  if (overdueBytes === null) return null;
  const seconds = overdueSeconds ?? 0;
  if (overdueBytes >= limits.criticalBytes || (overdueBytes > 0 && seconds >= limits.criticalSeconds))
    return 'critical';
  const isFar = overdueBytes >= limits.minBytes && !isShrinking;
  return isFar || (overdueBytes > 0 && seconds >= limits.minSeconds) ? 'warning' : null;
}

/** Those that are listed under the same name and address cannot be told apart. */
function worstOfEach(findings: readonly Verdict[]): Verdict[] {
  const worst = new Map<string, Verdict>();
  for (const one of findings) {
    const other = worst.get(one.fingerprint);
    if (!other || badness(one) > badness(other)) worst.set(one.fingerprint, one);
  }
  return [...worst.values()];
}

function badness({ severity, facts }: Verdict): number {
  return (severity === 'critical' ? 2 ** 60 : 0) + (facts.unreplayedBytes ?? facts.unflushedBytes ?? 0);
}
