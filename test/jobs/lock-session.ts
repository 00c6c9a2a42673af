import type { LockFacts } from '../../jobs/lock-chains.chain.ts';
import type { Blocker, ChainSession } from '../../jobs/lock-chains.graph.ts';
import type { Queue } from '../../jobs/lock-chains.queues.ts';

/** With whom it waits for, in a queue of its own. */
export interface TestSession extends ChainSession {
  blockedBy: readonly number[] | null;
}

export function session(pid: number, changes: Partial<TestSession> = {}): TestSession {
  return {
    pid,
    backendStart: `${pid}1`,
    xactStart: `${pid}2`,
    queryStart: `${pid}3`,
    user: 'app',
    database: 'shop',
    databaseOid: 5,
    application: 'web',
    client: null,
    backendType: 'client backend',
    state: 'idle in transaction',
    waitEvent: null,
    transactionSeconds: 400,
    statementSeconds: 400,
    stateSeconds: 400,
    query: `update t set v = $1 -- ${pid}`,
    preventsWraparound: false,
    rowOf: null,
    rowLockers: null,
    writes: null,
    blockedBy: null,
    lockType: null,
    mode: null,
    lockDatabaseOid: null,
    relationOid: null,
    objectKey: null,
    isNameable: true,
    waitSeconds: null,
    waitSource: 'waitstart',
    ...changes,
  };
}

export function waiter(pid: number, blockedBy: number[], changes: Partial<TestSession> = {}): TestSession {
  const lock = { lockType: 'relation', mode: 'RowExclusiveLock', lockDatabaseOid: 5, relationOid: 16_400 };
  return session(pid, { state: 'active', blockedBy, ...lock, waitSeconds: 60, ...changes });
}

/** Whoever is named holds it in a mode that keeps everyone out. */
export function queuesOf(sessions: readonly TestSession[], prepared: LockFacts['prepared'] = []): Queue[] {
  return sessions.flatMap(({ pid, blockedBy }) => {
    const gids = (blockedBy ?? []).includes(0) ? prepared.map(({ gid }) => gid) : [];
    const blockers: Blocker[] = [...(blockedBy ?? []).filter((one) => one !== 0 && one !== pid), ...gids];
    const holders = blockers.map((who) => ({ who, mode: 7 }));
    return holders.length > 0 ? [{ holders, waiters: [{ who: pid, mode: 7 }] }] : [];
  });
}

/** Facts of these sessions. */
export function factsOf(sessions: readonly TestSession[], facts: Partial<LockFacts> = {}): LockFacts {
  const queues = queuesOf(sessions, facts.prepared);
  const confirmed = new Set(sessions.map(({ pid }) => pid));
  return { sessions, queues, prepared: [], names: [], maxConnections: 1000, confirmed, ...facts };
}
