import {
  type Blocker,
  buildGraph,
  type ChainSession,
  type Graph,
  type PreparedWait,
  rootsOf,
  victimsOf,
} from './lock-chains.graph.ts';
import type { Queue } from './lock-chains.queues.ts';
import { isIdleInTransaction } from './shared/sessions.ts';

/** One row of lock-chains.names.sql. */
export interface RelationName {
  oid: number;
  name: string;
  /** An index or a TOAST table. */
  isPart: boolean;
}

export interface LockFacts {
  sessions: readonly ChainSession[];
  /** Left out where each session's `blockedBy` says all. */
  queues?: readonly Queue[];
  prepared: readonly PreparedWait[];
  /** Empty where they could not be read. */
  names: readonly RelationName[];
}

/** What a session waits for. A row is told by its table, since the rows in demand change each second. */
export interface Contended {
  /** The same whether or not names could be read. */
  key: string;
  /** "shop.orders", "a row of shop.orders", "relation 16423", "advisory lock 42". */
  name: string;
  isRow: boolean;
}

/** One root with all that wait for it. */
export interface Chain {
  graph: Graph;
  root: Blocker;
  /** Each victim with the one it stands behind. */
  victims: ReadonlyMap<number, Blocker>;
  /** Who wait for a strong lock on a relation and make others wait by that, the most obstructive first. */
  amplifiers: readonly number[];
  /** What most victims wait behind, among what the root's direct waiters wait for. */
  object: Contended;
  database: string | null;
  objectOf(waiter: ChainSession): Contended;
}

/** All chains, the one with most victims first. */
export function findChains(facts: LockFacts): Chain[] {
  const graph = buildGraph(facts.sessions, facts.prepared, facts.queues);
  const names = new Map(facts.names.map((name) => [name.oid, name]));
  const objectOf = (waiter: ChainSession) => contendedBy(graph, waiter, names);
  const chains = rootsOf(graph).flatMap((root) => {
    const worst = worstWait(graph, root, objectOf);
    const victims = victimsOf(graph, root);
    return worst ? [{ graph, root, victims, amplifiers: amplifiersOf(graph, victims), ...worst, objectOf }] : [];
  });
  return chains.sort((a, b) => b.victims.size - a.victims.size);
}

export function victimSessions({ graph, victims }: Chain): ChainSession[] {
  return [...victims.keys()].flatMap((pid) => graph.sessions.get(pid) ?? []);
}

/** Null where the role may see no wait. */
export function longestWaiter(chain: Chain): (ChainSession & { waitSeconds: number }) | null {
  const dated = victimSessions(chain).flatMap((one) =>
    one.waitSeconds === null ? [] : [{ ...one, waitSeconds: one.waitSeconds }],
  );
  return dated.sort((a, b) => b.waitSeconds - a.waitSeconds)[0] ?? null;
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
  const victims = victimSessions(chain).filter((one) => one.waitSource !== 'query_start');
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
  const sized = [...groups.values()].map(({ object, database, pids }) => {
    return { object, database, size: pids.length + victimsOf(graph, ...pids).size };
  });
  const worst = sized.sort((a, b) => b.size - a.size || (a.object.key < b.object.key ? -1 : 1))[0];
  return worst && { object: worst.object, database: worst.database };
}

const strongModes = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'];

function amplifiersOf(graph: Graph, victims: ReadonlyMap<number, Blocker>): number[] {
  const waitersOf = (pid: number) => graph.waitersOf.get(pid)?.length ?? 0;
  return [...victims.keys()]
    .filter((pid) => {
      const session = graph.sessions.get(pid);
      return session?.lockType === 'relation' && strongModes.includes(session.mode ?? '') && waitersOf(pid) > 0;
    })
    .sort((a, b) => waitersOf(b) - waitersOf(a));
}

function contendedBy(graph: Graph, waiter: ChainSession, names: ReadonlyMap<number, RelationName>): Contended {
  const isRow = ['tuple', 'transactionid', 'spectoken'].includes(waiter.lockType ?? '');
  const relations = relationsOf(graph, waiter, isRow);
  const what = relations.length > 0 ? `relation ${relations[0]}` : otherName(waiter, isRow);
  const relation = waiter.isNameable && nameRelations(relations, names);
  return {
    key: `database ${waiter.lockDatabaseOid ?? waiter.databaseOid} ${what}`,
    name: `${isRow && relations.length > 0 ? 'a row of ' : ''}${relation || what}`,
    isRow,
  };
}

/** The relation by its oid; of a row, those that it may be of. */
function relationsOf(graph: Graph, waiter: ChainSession, isRow: boolean): readonly number[] {
  if (waiter.relationOid !== null) return [waiter.relationOid];
  if (!isRow) return [];
  if (waiter.rowOf !== null) return [waiter.rowOf];
  // Without a lock on the row itself (a duplicate key): both sides have locked its table for writing.
  const others = (graph.blockersOf.get(waiter.pid) ?? []).map((blocker) => writesOf(graph, blocker));
  return (waiter.writes ?? []).filter((oid) => others.some((writes) => writes.includes(oid)));
}

function writesOf(graph: Graph, blocker: Blocker): readonly number[] {
  const row = typeof blocker === 'string' ? graph.prepared.get(blocker) : graph.sessions.get(blocker);
  return row?.writes ?? [];
}

function otherName({ lockType, objectKey }: ChainSession, isRow: boolean): string {
  if (isRow) return 'transaction';
  if (lockType === 'virtualxid') return 'older transactions';
  return lockType === 'advisory' ? advisoryName(objectKey ?? '') : [lockType, objectKey].filter(Boolean).join(' ');
}

/** As the application wrote it: one 64-bit number, or two of 32 bits. */
function advisoryName(objectKey: string): string {
  const [high = '0', low = '0', kind] = objectKey.split('/');
  const key =
    kind === '1' ? BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)) : `(${Number(high) | 0}, ${Number(low) | 0})`;
  return `advisory lock ${key}`;
}

/** A row's table is meant, not the indexes that were locked with it. */
function nameRelations(relations: readonly number[], names: ReadonlyMap<number, RelationName>): string {
  const known = relations.flatMap((oid) => names.get(oid) ?? []);
  const tables = known.filter((one) => !one.isPart);
  return (tables.length > 0 ? tables : known).map((one) => one.name.replace(/\s+/g, ' ')).join(' or ');
}
