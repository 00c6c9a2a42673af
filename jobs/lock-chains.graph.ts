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
  /** Null if it does not wait; 0 is a prepared transaction. */
  blockedBy: readonly number[] | null;
  lockType: string | null;
  mode: string | null;
  lockDatabaseOid: number | null;
  relationOid: number | null;
  objectKey: string | null;
  isNameable: boolean;
  /** Null if it does not wait, or where the role may not know; an upper bound where `waitSource` is query_start. */
  waitSeconds: number | null;
  waitSource: 'waitstart' | 'query_start';
  maxConnections: number;
}

/** One row of lock-chains.prepared.sql: this session waits for that prepared transaction. */
export interface PreparedWait {
  pid: number;
  gid: string;
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
  blockersOf: ReadonlyMap<number, readonly Blocker[]>;
  waitersOf: ReadonlyMap<Blocker, readonly number[]>;
}

export function buildGraph(rows: readonly ChainSession[], preparedWaits: readonly PreparedWait[]): Graph {
  const sessions = foldWorkers(rows);
  const leaderOf = new Map(rows.map((row) => [row.pid, row.leaderPid ?? row.pid]));
  const prepared = new Map(preparedWaits.map((wait) => [wait.gid, wait]));
  const blockersOf = new Map<number, Blocker[]>();
  const waitersOf = new Map<Blocker, number[]>();
  for (const session of sessions.values()) {
    const gids = preparedWaits.filter((wait) => leaderOf.get(wait.pid) === session.pid).map((wait) => wait.gid);
    // A blocker that is in no row has gone since.
    const pids = (session.blockedBy ?? []).filter((pid) => pid !== session.pid && sessions.has(pid));
    const blockers = [...new Set<Blocker>([...pids, ...gids])];
    if (blockers.length > 0) blockersOf.set(session.pid, blockers);
    for (const blocker of blockers) {
      const waiters = waitersOf.get(blocker);
      if (waiters) waiters.push(session.pid);
      else waitersOf.set(blocker, [session.pid]);
    }
  }
  return { sessions, prepared, blockersOf, waitersOf };
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
export function freedBy(graph: Graph, gone: Blocker): Set<number> {
  const freed = new Set<number>();
  const waitsFor = new Map([...graph.blockersOf].map(([pid, blockers]) => [pid, blockers.length]));
  const queue = [gone];
  for (let blocker = queue.shift(); blocker !== undefined; blocker = queue.shift()) {
    for (const waiter of graph.waitersOf.get(blocker) ?? []) {
      const left = (waitsFor.get(waiter) ?? 1) - 1;
      waitsFor.set(waiter, left);
      if (left > 0 || waiter === gone) continue;
      freed.add(waiter);
      queue.push(waiter);
    }
  }
  return freed;
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
    const { waitSeconds, waitSource } = waiting;
    const blockedBy = [...(leader.blockedBy ?? []), ...(worker.blockedBy ?? [])];
    sessions.set(leader.pid, {
      ...leader,
      ...lock,
      waitSeconds,
      waitSource,
      blockedBy: blockedBy.length > 0 ? blockedBy : null,
    });
  }
  return sessions;
}
