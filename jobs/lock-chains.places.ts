import type { Blocker, ChainSession, Prepared } from './lock-chains.graph.ts';
import { type Mode, modeName, type Place, type Queue } from './lock-chains.queues.ts';

/** One row of lock-chains.sql: a lock that somebody waits for, and an element for each place at it. */
export interface Lock extends Pick<ChainSession, 'lockType' | 'lockDatabaseOid' | 'relationOid' | 'objectKey'> {
  waitSource: 'waitstart' | 'query_start';
  ownDatabaseOid: number;
  maxConnections: number;
  /** Null for a prepared transaction, which `transactions` then tells. */
  pids: readonly (number | null)[];
  leaders: readonly (number | null)[];
  transactions: readonly (string | null)[];
  modes: readonly Mode[];
  granted: readonly boolean[];
  databases: readonly (number | null)[];
  queryStarts: readonly (number | null)[];
  waitSeconds: readonly (number | null)[];
  rowOf: readonly (number | null)[];
  rowLockers: readonly (number | null)[];
  writes: readonly (readonly number[] | null)[];
}

/** The longest waits first, which is about their order. */
export function readQueues(locks: readonly Lock[], prepared: readonly Prepared[]): Queue[] {
  const gids = new Map(prepared.map(({ virtualTransaction, gid }) => [virtualTransaction, gid]));
  return locks.map((lock) => {
    const holders: Place<Blocker>[] = [];
    const waiters: (Place<number> & { waitSeconds: number })[] = [];
    lock.modes.forEach((mode, place) => {
      const pid = lock.leaders[place] ?? lock.pids[place];
      const who = pid ?? gids.get(lock.transactions[place] ?? '');
      // A prepared transaction that nobody waits for by now has no gid.
      if (who === undefined) return;
      if (lock.granted[place]) holders.push({ who, mode });
      else if (pid != null) waiters.push({ who: pid, mode, waitSeconds: lock.waitSeconds[place] ?? 0 });
    });
    waiters.sort((a, b) => b.waitSeconds - a.waitSeconds);
    return { holders, waiters };
  });
}

/**
 * Everyone at these locks by pid, as far as locks tell; a parallel group as its leader, with the longest of its waits.
 */
export function readSessions(locks: readonly Lock[]): Map<number, ChainSession> {
  const sessions = new Map<number, ChainSession>();
  for (const lock of locks) {
    lock.pids.forEach((pid, place) => {
      const who = lock.leaders[place] ?? pid;
      if (who === null) return;
      const known = sessions.get(who);
      const isWaiting = !lock.granted[place];
      if (known && (!isWaiting || (known.waitSeconds ?? -1) > (lock.waitSeconds[place] ?? 0))) return;
      sessions.set(who, readSession(lock, { pid: who, place, isWaiting }));
    });
  }
  return sessions;
}

/** One literal, without a spread: this is done for each of hundreds, every few seconds. */
function readSession(lock: Lock, at: { pid: number; place: number; isWaiting: boolean }): ChainSession {
  const { pid, place, isWaiting } = at;
  const queryStart = lock.queryStarts[place];
  const tables = lock.writes[place];
  const databaseOid = lock.databases[place] ?? null;
  const lockedIn = lock.lockDatabaseOid ?? databaseOid;
  return {
    pid,
    databaseOid,
    queryStart: queryStart == null ? null : String(queryStart),
    rowOf: lock.rowOf[place] ?? null,
    rowLockers: lock.rowLockers[place] ?? null,
    writes: tables ? [...new Set(tables)].sort((a, b) => a - b) : null,
    lockType: isWaiting ? lock.lockType : null,
    mode: isWaiting ? modeName(lock.modes[place] ?? 0) : null,
    lockDatabaseOid: isWaiting ? lock.lockDatabaseOid : null,
    relationOid: isWaiting ? lock.relationOid : null,
    objectKey: isWaiting ? lock.objectKey : null,
    // Names can be read only of what is in the database we are connected to, or shared.
    isNameable: lockedIn === 0 || lockedIn === lock.ownDatabaseOid,
    waitSeconds: lock.waitSeconds[place] ?? null,
    waitSource: lock.waitSource,
    backendStart: null,
    xactStart: null,
    user: null,
    database: null,
    application: null,
    client: null,
    backendType: null,
    state: null,
    waitEvent: null,
    transactionSeconds: null,
    statementSeconds: null,
    stateSeconds: null,
    preventsWraparound: null,
    query: null,
  };
}
