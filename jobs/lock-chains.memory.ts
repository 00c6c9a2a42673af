import type { LockFacts } from './lock-chains.chain.ts';
import type { ChainSession } from './lock-chains.graph.ts';

/**
 * What one check of a node leaves for the next: each hand-over of a hot row that is updated restarts `waitstart`, so a
 * single look never sees a long wait there. Times are epoch seconds by the server's clock.
 */
export interface LockMemory {
  at: number;
  /** Statements seen waiting, by pid and query start. */
  waits: Readonly<Record<string, Seen>>;
  /** Transactions seen to keep others waiting, by pid and transaction start. */
  holds: Readonly<Record<string, Seen>>;
}

interface Seen {
  /** Since when it waits, or the earliest time at which it may have begun to keep others waiting. */
  since: number;
  seenAt: number;
  /** It waits since then at the earliest: its server dates no waits, and nobody looked before. */
  isBound?: true;
}

/** Between two hand-overs nobody may be seen waiting; after a pause so long, what is new may have begun long ago. */
const keptSeconds = 60;
const mostKept = 5_000;

/** Pure; `before` is null at the first look. */
export function rememberLocks(facts: LockFacts, before: LockMemory | null, now: Date): LockMemory {
  const at = sampledAt(facts, now);
  const last = before && at - before.at <= keptSeconds ? before.at : null;
  const holders = holdersOf(facts);
  const waits = facts.sessions.flatMap((session) => {
    const key = waitKey(session);
    return key === null || session.waitSeconds === null ? [] : [[key, newWait(session, at, last)] as const];
  });
  const holds = facts.sessions.flatMap((session) => {
    const key = holdKey(session);
    const since = Math.max(at - (session.transactionSeconds ?? 0), last ?? 0);
    return key !== null && holders.has(session.pid) ? [[key, { since, seenAt: at }] as const] : [];
  });
  const elapsed = before ? Math.max(0, at - before.at) : 0;
  return {
    at,
    waits: keep(new Map(waits), before?.waits ?? {}, { at, elapsed }),
    holds: keep(new Map(holds), before?.holds ?? {}, { at, elapsed }),
  };
}

/** The facts with each wait as long as it is known to be, and who kept others waiting since when. */
export function recallLocks(facts: LockFacts, memory: LockMemory): LockFacts {
  return { ...facts, sessions: facts.sessions.map((session) => recall(session, memory)) };
}

function recall(session: ChainSession, { at, waits, holds }: LockMemory): ChainSession {
  const wait = waits[waitKey(session) ?? ''];
  if (wait && session.waitSeconds !== null) return { ...session, ...blockedTime(session, wait, at) };
  const hold = holds[holdKey(session) ?? ''];
  return hold ? { ...session, heldSeconds: at - hold.since } : session;
}

function blockedTime(session: ChainSession, wait: Seen, at: number) {
  const blockedSeconds = Math.max(0, at - wait.since);
  if (session.waitSource === 'query_start')
    return { waitSeconds: blockedSeconds, waitSource: wait.isBound ? session.waitSource : ('first-seen' as const) };
  const placeSeconds = session.waitSeconds ?? 0;
  const isLonger = blockedSeconds > placeSeconds + 1;
  return { placeSeconds, ...(isLonger ? { waitSeconds: blockedSeconds, waitSource: 'first-seen' as const } : {}) };
}

function newWait(session: ChainSession, at: number, last: number | null): Seen {
  const asRead = { since: at - (session.waitSeconds ?? 0), seenAt: at };
  if (session.waitSource !== 'query_start') return asRead;
  // It did not wait when it was looked at last: its statement may have run for long, its wait has just begun.
  return last === null ? { ...asRead, isBound: true } : { since: at, seenAt: at };
}

/**
 * Who is seen again keeps its time. Who isn't keeps it for a while, less the time it was not seen in: a long statement
 * that waits for a moment now and then is not taken for one that waits all the time.
 */
function keep(
  found: ReadonlyMap<string, Seen>,
  known: Readonly<Record<string, Seen>>,
  { at, elapsed }: { at: number; elapsed: number },
): Record<string, Seen> {
  const rounded = (one: Seen) => ({ ...one, since: Math.round(one.since * 1000) / 1000 });
  const seen = [...found].map(([key, fresh]) => [key, { ...(own(known, key) ?? rounded(fresh)), seenAt: at }] as const);
  const unseen = Object.entries(known)
    .filter(([key, { seenAt }]) => !found.has(key) && at - seenAt <= keptSeconds)
    .map(([key, one]) => [key, { ...one, since: one.since + elapsed }] as const)
    .sort(([, a], [, b]) => b.seenAt - a.seenAt);
  return Object.fromEntries([...seen, ...unseen].slice(0, mostKept));
}

function own(known: Readonly<Record<string, Seen>>, key: string): Seen | undefined {
  return Object.hasOwn(known, key) ? known[key] : undefined;
}

/** When the facts were read; the clock of the check was asked for before. */
function sampledAt({ sessions }: LockFacts, now: Date): number {
  const clocks = sessions.flatMap(({ queryStart, statementSeconds }) =>
    queryStart === null || statementSeconds === null ? [] : [Number(queryStart) / 1e6 + statementSeconds],
  );
  const at = clocks.reduce((latest, clock) => Math.max(latest, clock), now.getTime() / 1000);
  return Math.round(at * 1000) / 1000;
}

/** Whoever is in the way of somebody, whether it waits itself or not. */
function holdersOf({ sessions, queues = [] }: LockFacts): Set<number | string> {
  const idle = sessions.filter(({ lockType }) => lockType === null).map(({ pid }) => pid);
  return new Set([...idle, ...queues.flatMap(({ holders }) => holders.map(({ who }) => who))]);
}

/** Null where the role may not know which statement it is. */
function waitKey({ pid, queryStart, lockType }: ChainSession): string | null {
  return lockType === null || queryStart === null ? null : `${pid}/${queryStart}`;
}

function holdKey({ pid, xactStart }: ChainSession): string | null {
  return xactStart === null ? null : `${pid}/${xactStart}`;
}
