import { edgesOf, isConflict, type Place, type Queue, strongest } from './lock-chains.queues.ts';
import type { Session } from './shared/sessions.ts';

/** One row of lock-chains.sql: a session that waits, or that others wait for. */
export interface ChainSession extends Session {
  /** The leader of a parallel worker: only the leader is shown, counted and acted on. */
  leaderPid: number | null;
  databaseOid: number | null;
  preventsWraparound: boolean | null;
  /** The table whose row it waits for, or is the next to get. */
  rowOf: number | null;
  /** Relations it has locked for more than reading, by oid: a table comes before its own indexes. */
  writes: readonly number[] | null;
  /** Null if it does not wait; 0 is a prepared transaction. Of many, some. */
  blockedBy: readonly number[] | null;
  lockType: string | null;
  mode: string | null;
  lockDatabaseOid: number | null;
  relationOid: number | null;
  objectKey: string | null;
  isNameable: boolean;
  /** Null if it does not wait, or where the role may not know; an upper bound where `waitSource` is query_start. */
  waitSeconds: number | null;
  waitSource: 'waitstart' | 'query_start' | 'first-seen';
  /** How long it has its present place of a queue, where the server dates that; see `recallLocks`. */
  placeSeconds?: number | undefined;
  /** For how long, at the most, it has kept others waiting, where earlier checks are remembered. */
  heldSeconds?: number;
  maxConnections: number;
}

/** One row of lock-chains.prepared.sql: this session waits for that prepared transaction. */
export interface PreparedWait {
  pid: number;
  gid: string;
  virtualTransaction?: string;
  owner: string | null;
  database: string | null;
  preparedSeconds: number;
  writes: readonly number[] | null;
}

/** A session's pid, or a prepared transaction's gid. */
export type Blocker = number | string;

export interface Graph {
  /** Those who wait and those who block, parallel groups once. */
  sessions: ReadonlyMap<number, ChainSession>;
  prepared: ReadonlyMap<string, PreparedWait>;
  /** The locks that each holds, and those that it waits for. */
  heldBy: ReadonlyMap<Blocker, readonly Queue[]>;
  wantedBy: ReadonlyMap<Blocker, readonly Queue[]>;
  /** More than one only for a parallel group. */
  waitCounts: ReadonlyMap<number, number>;
  /** Enough to find all roots and victims; see `edgesOf`. */
  blockersOf: ReadonlyMap<number, readonly Blocker[]>;
  waitersOf: ReadonlyMap<Blocker, readonly number[]>;
}

export function buildGraph(
  rows: readonly ChainSession[],
  preparedWaits: readonly PreparedWait[],
  given: readonly Queue[] = [],
): Graph {
  const sessions = foldWorkers(rows);
  const prepared = new Map(preparedWaits.map((wait) => [wait.gid, wait]));
  const queues = [...given, ...ownQueues({ rows, sessions, preparedWaits, given })];
  const blockersOf = new Map<number, Blocker[]>();
  const waitersOf = new Map<Blocker, number[]>();
  for (const [waiter, blockers] of queues.flatMap(edgesOf)) {
    const known = blockersOf.get(waiter) ?? [];
    const more = blockers.filter((blocker) => !known.includes(blocker));
    if (known.length + more.length > 0) blockersOf.set(waiter, [...known, ...more]);
    for (const blocker of more) {
      const waiters = waitersOf.get(blocker);
      if (waiters) waiters.push(waiter);
      else waitersOf.set(blocker, [waiter]);
    }
  }
  const heldBy = queuesBy(queues, ({ holders }) => holders);
  const wantedBy = queuesBy(queues, ({ waiters }) => waiters);
  const waitCounts = new Map<number, number>();
  for (const { who } of queues.flatMap(({ waiters }) => waiters)) waitCounts.set(who, (waitCounts.get(who) ?? 0) + 1);
  return { sessions, prepared, heldBy, wantedBy, waitCounts, blockersOf, waitersOf };
}

/** Who blocks and does not wait. Deadlocked sessions have no root: the server ends those itself. */
export function rootsOf(graph: Graph): Blocker[] {
  return [...graph.waitersOf.keys()].filter((blocker) => typeof blocker === 'string' || !graph.blockersOf.has(blocker));
}

/** Everyone who waits for these, directly or not, nearest first, each with the one it stands behind. */
export function victimsOf(graph: Graph, ...from: Blocker[]): Map<number, Blocker> {
  const victims = new Map<number, Blocker>();
  const begun = new Set(from);
  const queue = [...from];
  for (let blocker = queue.shift(); blocker !== undefined; blocker = queue.shift()) {
    for (const waiter of graph.waitersOf.get(blocker) ?? []) {
      if (victims.has(waiter) || begun.has(waiter)) continue;
      victims.set(waiter, blocker);
      queue.push(waiter);
    }
  }
  return victims;
}

/** Who goes on once this one is gone: all whose blockers are it, or are freed by then themselves. */
export function freedBy({ heldBy, wantedBy, waitCounts }: Graph, gone: Blocker): Set<number> {
  const past = new Set<Blocker>([gone]);
  const freed = new Set<number>();
  const got = new Map<number, number>();
  const through = new Set<Place<number>>();
  const open = [...(heldBy.get(gone) ?? []), ...(wantedBy.get(gone) ?? [])];
  for (let queue = open.shift(); queue; queue = open.shift()) {
    for (const place of passing(queue, past, through)) {
      // A parallel group may wait for several.
      got.set(place.who, (got.get(place.who) ?? 0) + 1);
      if ((got.get(place.who) ?? 0) < (waitCounts.get(place.who) ?? 1)) continue;
      past.add(place.who);
      freed.add(place.who);
      open.push(...(heldBy.get(place.who) ?? []));
      // Its first place counted as in the way until its last was free.
      if ((waitCounts.get(place.who) ?? 1) > 1) open.push(...(wantedBy.get(place.who) ?? []));
    }
  }
  return freed;
}

/** Who gets this lock when those are past, one after the other: whoever takes it from this is past before the next. */
function* passing(queue: Queue, past: ReadonlySet<Blocker>, through: Set<Place<number>>): Generator<Place<number>> {
  const left = queue.holders.filter(({ who }) => !past.has(who));
  const ahead: Place<number>[] = [];
  for (const place of queue.waiters) {
    if (past.has(place.who)) continue;
    const isInTheWay = ({ who, mode }: Place<Blocker>) => who !== place.who && isConflict(place.mode, mode);
    const isBlocked = left.some(isInTheWay) || ahead.some(isInTheWay);
    if (!isBlocked && !through.has(place)) {
      through.add(place);
      yield place;
    }
    // Of those who stay one of each mode is enough.
    if (!past.has(place.who) && !ahead.some(({ mode }) => mode === place.mode)) ahead.push(place);
  }
}

function queuesBy(
  queues: readonly Queue[],
  places: (queue: Queue) => readonly Place<Blocker>[],
): Map<Blocker, Queue[]> {
  const found = new Map<Blocker, Queue[]>();
  for (const queue of queues) {
    for (const who of new Set(places(queue).map((place) => place.who))) {
      const own = found.get(who);
      if (own) own.push(queue);
      else found.set(who, [queue]);
    }
  }
  return found;
}

interface Known {
  rows: readonly ChainSession[];
  sessions: ReadonlyMap<number, ChainSession>;
  preparedWaits: readonly PreparedWait[];
  given: readonly Queue[];
}

/** For each whose blockers are told by name: a lock of its own that all of them hold. */
function ownQueues({ rows, sessions, preparedWaits, given }: Known): Queue[] {
  const leaderOf = new Map(rows.map((row) => [row.pid, row.leaderPid ?? row.pid]));
  const queued = new Set(given.flatMap(({ waiters }) => waiters.map(({ who }) => who)));
  return [...sessions.values()].flatMap(({ pid, blockedBy }) => {
    if (queued.has(pid) || blockedBy === null) return [];
    const gids = preparedWaits.filter((wait) => leaderOf.get(wait.pid) === pid).map((wait) => wait.gid);
    // A blocker that is in no row has gone since.
    const pids = blockedBy.filter((blocker) => blocker !== pid && sessions.has(blocker));
    const holders = [...new Set<Blocker>([...pids, ...gids])].map((who) => ({ who, mode: strongest }));
    return holders.length > 0 ? [{ holders, waiters: [{ who: pid, mode: strongest }] }] : [];
  });
}

/** A parallel worker's wait is its leader's. */
function foldWorkers(rows: readonly ChainSession[]): Map<number, ChainSession> {
  const sessions = new Map(rows.map((row) => [row.pid, row]));
  for (const worker of rows) {
    const leader = worker.leaderPid === null ? undefined : sessions.get(worker.leaderPid);
    if (!leader) continue;
    sessions.delete(worker.pid);
    const waiting = (worker.waitSeconds ?? -1) > (leader.waitSeconds ?? -1) ? worker : leader;
    const { lockType, mode, lockDatabaseOid, relationOid, objectKey, isNameable, rowOf, writes } = waiting;
    const lock = { lockType, mode, lockDatabaseOid, relationOid, objectKey, isNameable, rowOf, writes };
    const { waitSeconds, waitSource, placeSeconds } = waiting;
    const wait = { waitSeconds, waitSource, placeSeconds };
    const blockedBy = [...(leader.blockedBy ?? []), ...(worker.blockedBy ?? [])];
    sessions.set(leader.pid, { ...leader, ...lock, ...wait, blockedBy: blockedBy.length > 0 ? blockedBy : null });
  }
  return sessions;
}
