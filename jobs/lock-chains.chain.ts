import { type Contended, contendedBy, type RelationName } from './lock-chains.contended.ts';
import {
  type Blocker,
  type ChainSession,
  type Graph,
  isStrongWait,
  type Prepared,
  rootsOf,
  structureOf,
  victimsOf,
} from './lock-chains.graph.ts';
import type { Queue } from './lock-chains.queues.ts';
import { isIdleInTransaction } from './shared/sessions.ts';

export interface LockFacts {
  sessions: readonly ChainSession[];
  queues: readonly Queue[];
  prepared: readonly Prepared[];
  /** Empty where they could not be read. */
  names: readonly RelationName[];
  maxConnections: number;
  /** Those of whom `pg_blocking_pids` said too that somebody waits for them. */
  confirmed: ReadonlySet<number>;
}

/** One root with all that wait for it. */
export interface Chain {
  graph: Graph;
  root: Blocker;
  /** Each victim with the one it stands behind. */
  victims: ReadonlyMap<number, Blocker>;
  /** The victims that are still there, the longest wait first. */
  waiters: readonly ChainSession[];
  /** Who wait for a strong lock on a relation and make others wait by that, the most obstructive first. */
  amplifiers: readonly number[];
  /** What most victims wait behind, among what the root's direct waiters wait for. */
  object: Contended;
  database: string | null;
  confirmed: ReadonlySet<number>;
  objectOf(waiter: ChainSession): Contended;
}

/** All chains, the one with most victims first. */
export function findChains(facts: LockFacts): Chain[] {
  const longestFirst = [...facts.sessions].sort(
    (a, b) => (b.waitSeconds ?? -1) - (a.waitSeconds ?? -1) || a.pid - b.pid,
  );
  const sessions = new Map(longestFirst.map((session) => [session.pid, session]));
  const prepared = new Map(facts.prepared.map((wait) => [wait.gid, wait]));
  const graph = { ...structureOf(facts.queues), sessions, prepared };
  const names = new Map(facts.names.map((name) => [name.oid, name]));
  const { confirmed } = facts;
  const objectOf = (waiter: ChainSession) => contendedBy(graph, waiter, names);
  const chains = rootsOf(graph).flatMap((root) => {
    const worst = worstWait(graph, root, objectOf);
    const victims = victimsOf(graph, root);
    const waiters = longestFirst.filter(({ pid }) => victims.has(pid));
    return worst
      ? [{ graph, root, victims, waiters, amplifiers: amplifiersOf(graph, victims), ...worst, confirmed, objectOf }]
      : [];
  });
  return chains.sort((a, b) => b.victims.size - a.victims.size);
}

/** Null where the role may see no wait. */
export function longestWaiter({ waiters }: Chain): (ChainSession & { waitSeconds: number }) | null {
  const [longest] = waiters;
  return longest && longest.waitSeconds !== null ? { ...longest, waitSeconds: longest.waitSeconds } : null;
}

/**
 * How long the root itself has kept others waiting, about; and whether the lock was handed on to it while they already
 * waited. A row that is locked but not changed keeps its queue: all but the next in line wait for its `tuple` lock since
 * they came, the next for the holder's transaction since it holds. A row that is changed has a new place, and all waits
 * begin anew: that somebody waited for it before is known only where earlier checks are remembered. Infinite for a
 * prepared transaction: nothing ends it by itself.
 */
export function holdOf(chain: Chain): { seconds: number; isHandedOn: boolean } {
  const root = typeof chain.root === 'number' ? chain.graph.sessions.get(chain.root) : undefined;
  if (!root) return { seconds: Number.POSITIVE_INFINITY, isHandedOn: false };
  const victims = chain.waiters.filter((one) => one.waitSource !== 'query_start');
  const longest = (waits: (number | null)[]) => waits.reduce<number>((most, wait) => Math.max(most, wait ?? -1), -1);
  const isNext = (one: ChainSession) => one.lockType === 'transactionid' && isBehind(chain, one);
  const next = longest(victims.filter(isNext).map(placeSecondsOf));
  const rivals = victims.filter((one) => chain.objectOf(one).key === chain.object.key);
  const isQueued = (one: ChainSession) => one.lockType === 'tuple' || one.waitSource === 'first-seen';
  const queue = longest(rivals.filter(isQueued).map((one) => one.waitSeconds));
  const idleSeconds = isIdleInTransaction(root) ? (root.stateSeconds ?? 0) : 0;
  // Its last statement may have been what waited for the lock.
  const lastStatement = isIdleInTransaction(root) ? (root.statementSeconds ?? 0) - idleSeconds : 0;
  const heldSeconds = root.heldSeconds ?? Number.POSITIVE_INFINITY;
  const isHandedOn = (next >= 0 && queue > next + 1) || longest(rivals.map((one) => one.waitSeconds)) >= heldSeconds;
  if (!isHandedOn) return { seconds: (root.transactionSeconds ?? 0) - lastStatement, isHandedOn };
  return { seconds: Math.max(next >= 0 ? next : heldSeconds, idleSeconds), isHandedOn };
}

/** How long it has its present place of the queue; null where its server does not date that. */
function placeSecondsOf({ placeSeconds, waitSeconds, waitSource }: ChainSession): number | null {
  return placeSeconds ?? (waitSource === 'waitstart' ? waitSeconds : null);
}

/** How many others may hold the root's row too: who waits for a shared row is shown behind one of its holders. */
export function sharersOf({ graph, root }: Chain): number {
  const waiters = (graph.waitersOf.get(root) ?? []).flatMap((pid) => graph.sessions.get(pid) ?? []);
  const onRow = waiters.filter(({ lockType }) => lockType === 'transactionid');
  return Math.max(0, ...onRow.map(({ rowLockers }) => (rowLockers ?? 1) - 1));
}

function isBehind({ graph, root }: Chain, waiter: ChainSession): boolean {
  return graph.blockersOf.get(waiter.pid)?.includes(root) ?? false;
}

function worstWait(graph: Graph, root: Blocker, objectOf: Chain['objectOf']) {
  const groups = new Map<string, { object: Contended; database: string | null; pids: number[] }>();
  for (const pid of graph.waitersOf.get(root) ?? []) {
    const waiter = graph.sessions.get(pid);
    if (!waiter) continue;
    const object = objectOf(waiter);
    const group = groups.get(object.key);
    if (group) group.pids.push(pid);
    else groups.set(object.key, { object, database: waiter.database, pids: [pid] });
    // Of a table and its rows, the table is what all of them want.
    if (group && !object.isRow) group.object = object;
  }
  if (groups.size < 2) return [...groups.values()][0];
  const sized = [...groups.values()].map(({ object, database, pids }) => {
    return { object, database, size: pids.length + victimsOf(graph, ...pids).size };
  });
  const worst = sized.sort((a, b) => b.size - a.size || (a.object.key < b.object.key ? -1 : 1))[0];
  return worst && { object: worst.object, database: worst.database };
}

function amplifiersOf(graph: Graph, victims: ReadonlyMap<number, Blocker>): number[] {
  const waitersOf = (pid: number) => graph.waitersOf.get(pid)?.length ?? 0;
  return [...victims.keys()]
    .filter((pid) => {
      const session = graph.sessions.get(pid);
      return session && isStrongWait(session) && waitersOf(pid) > 0;
    })
    .sort((a, b) => waitersOf(b) - waitersOf(a));
}
