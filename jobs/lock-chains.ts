import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Severity } from '../src/model.ts';
import { type Chain, findChains, holdOf, type LockFacts, longestWaiter } from './lock-chains.chain.ts';
import { judgeCycles } from './lock-chains.cycles.ts';
import { gatherLocks } from './lock-chains.gather.ts';
import type { ChainSession } from './lock-chains.graph.ts';
import { type LockMemory, recallLocks, rememberLocks } from './lock-chains.memory.ts';
import { costOfWaiting, offersFor } from './lock-chains.offers.ts';
import { blockersIn } from './lock-chains.queues.ts';
import { findStorms } from './lock-chains.storm.ts';
import { summarize, titleOf } from './lock-chains.text.ts';
import { drawTree, wholeTree, worstShown } from './lock-chains.tree.ts';
import { listWaits, waitsOf } from './lock-chains.waits.ts';
import { unjudgedForBlindRole } from './shared/sessions.ts';

const thresholds = {
  minWaitSeconds: {
    default: 60,
    unit: 'seconds',
    about:
      'One session that waits so long is a warning (check_postgres, pgEdge: 60 s); ten that wait a third of it too.',
  },
  criticalWaitSeconds: {
    default: 300,
    unit: 'seconds',
    about: 'One session that waits so long is critical (pganalyze: 5 min).',
  },
  criticalVictims: {
    default: 20,
    unit: 'sessions',
    about: 'So many that wait half of minWaitSeconds are critical; so is a fifth of max_connections.',
  },
} as const;

type Context = JudgeContext<typeof thresholds, LockMemory>;

export const lockChains = defineJob({
  name: 'lock-chains',
  title: 'Sessions that wait for locks',
  delivery: 'page',
  scope: 'node',
  schedule: '*/10 * * * * *',
  fire: { afterSeconds: 20 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    victimCount: { label: 'waiting sessions', unit: 'sessions' },
    longestWaitSeconds: { label: 'oldest wait', unit: 'seconds' },
  },
  gather: gatherLocks,
  remember: rememberLocks,
  storms: findStorms,
  judge(facts: LockFacts, context: Context) {
    const { memory } = context;
    const recalled = memory ? recallLocks(facts, memory) : facts;
    const gradeWaits = (waits: readonly ChainSession[]) => grade(waits, context.thresholds, facts.maxConnections);
    const chains = findChains(recalled).flatMap((chain) => judgeChain(chain, context, gradeWaits) ?? []);
    const findings = [...withTrees(chains), ...judgeCycles(recalled, gradeWaits)];
    const what = 'what those who block are doing is not judged';
    return { findings, unjudged: context.node.seesAll ? [] : [unjudgedForBlindRole(context.node.role, what)] };
  },
});

/** Of those who wait: what a finding keeps is stored at each check. */
const waitersKept = 50;
const waitsKept = 5;

type Grade = (waits: readonly ChainSession[]) => Severity | null;

interface JudgedChain {
  chain: Chain;
  judged: Judged;
}

/** Of several chains for one object one speaks, and it alone needs all of its tree: the first of the worst. */
function withTrees(chains: readonly JudgedChain[]): Judged[] {
  const speakers = new Map<string, JudgedChain>();
  for (const one of chains) {
    const other = speakers.get(one.judged.fingerprint);
    if (!other || (one.judged.severity === 'critical' && other.judged.severity !== 'critical'))
      speakers.set(one.judged.fingerprint, one);
  }
  return chains.map((one) => {
    const isWhole = one.chain.victims.size > worstShown && speakers.get(one.judged.fingerprint) === one;
    return isWhole ? { ...one.judged, wholeEvidence: wholeEvidenceOf(one.chain) } : one.judged;
  });
}

function judgeChain(chain: Chain, context: Context, gradeWaits: Grade): JudgedChain | null {
  const severity = gradeWaits(chain.waiters);
  const subject = subjectOf(chain);
  if (!severity || !subject) return null;
  const minHoldSeconds = context.thresholds.minWaitSeconds;
  const { offers, notOffered } = offersFor(chain, { protectedBecause: context.protectedBecause, minHoldSeconds });
  const hold = holdOf(chain);
  // Where everything is asked for, what passes quickly is told all the same.
  const isPassing = hold.isHandedOn && hold.seconds < (minHoldSeconds || thresholds.minWaitSeconds.default);
  const judged: Judged = {
    database: chain.database,
    fingerprint: chain.object.key,
    severity,
    title: titleOf(chain, isPassing),
    summary: summarize(chain, { notOffered, isPassing }),
    evidence: drawTree(chain),
    subject,
    facts: factsOf(chain, notOffered),
    runbooks: offers,
    otherwise: costOfWaiting(chain),
    impact: null,
  };
  return { chain, judged };
}

/** Wait by object and mode, then the whole tree. */
function wholeEvidenceOf(chain: Chain): string {
  return [...listWaits(waitsOf(chain).slice(0, waitsKept)), '', drawTree(chain, wholeTree)].join('\n');
}

function grade(
  sessions: readonly ChainSession[],
  thresholds: Context['thresholds'],
  maxConnections: number,
): Severity | null {
  const { minWaitSeconds, criticalWaitSeconds, criticalVictims } = thresholds;
  const waits = sessions.map((session) => session.waitSeconds ?? 0);
  const waiting = (seconds: number) => waits.filter((wait) => wait >= seconds).length;
  if (waiting(criticalWaitSeconds) > 0) return 'critical';
  if (waiting(minWaitSeconds / 2) >= criticalVictims || waits.length >= maxConnections / 5) return 'critical';
  return waiting(minWaitSeconds) > 0 || waiting(minWaitSeconds / 3) >= 10 ? 'warning' : null;
}

function subjectOf({ root, graph }: Chain): Judged['subject'] | null {
  if (typeof root === 'string') return { kind: 'prepared-transaction', gid: root };
  const session = graph.sessions.get(root);
  // Empty where the role is blind: such a session is shown, and never offered.
  return session ? { kind: 'backend', pid: root, backendStart: session.backendStart ?? '' } : null;
}

function factsOf(chain: Chain, notOffered: string | null): Record<string, unknown> {
  const root = typeof chain.root === 'number' ? chain.graph.sessions.get(chain.root) : undefined;
  const victims = chain.waiters;
  const longest = longestWaiter(chain);
  return {
    victimCount: victims.length,
    longestWaitSeconds: longest?.waitSeconds ?? null,
    waitSource: (longest ?? victims[0])?.waitSource,
    object: chain.object.name,
    waits: waitsOf(chain).slice(0, waitsKept),
    amplifiers: chain.amplifiers,
    ...(root ? { root: rootFacts(root) } : { prepared: chain.graph.prepared.get(String(chain.root)) }),
    ...(notOffered ? { notOffered: { why: notOffered } } : {}),
    waiters: victims.slice(0, waitersKept).map((session) => ({
      pid: session.pid,
      blockedBy: blockedBy(chain.graph, session.pid),
      waitSeconds: session.waitSeconds,
      ...(session.placeSeconds === undefined ? {} : { placeSeconds: session.placeSeconds }),
      mode: session.mode,
      object: chain.objectOf(session).name,
    })),
  };
}

/** As `pg_blocking_pids` names them, 0 for a prepared transaction. Of many, some. */
function blockedBy({ wantedBy }: Chain['graph'], pid: number): number[] {
  const blockers = (wantedBy.get(pid) ?? []).flatMap((queue) =>
    queue.waiters.filter(({ who }) => who === pid).flatMap((place) => blockersIn(queue, place, blockersNamed)),
  );
  return [...new Set(blockers.map((who) => (typeof who === 'number' ? who : 0)))];
}

/** Who could list 500 would list them for 500. */
const blockersNamed = 20;

function rootFacts(root: ChainSession): Record<string, unknown> {
  const { pid, user, application, client, backendType, state, transactionSeconds, query } = root;
  return { pid, role: user, application, client, backendType, state, transactionSeconds, query };
}
