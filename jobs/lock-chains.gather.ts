import type { Ask, Row } from '../src/detect/job.ts';
import type { LockFacts } from './lock-chains.chain.ts';
import type { RelationName } from './lock-chains.contended.ts';
import {
  type Blocker,
  type ChainSession,
  isStrongWait,
  type Prepared,
  rootsOf,
  structureOf,
  victimsOf,
} from './lock-chains.graph.ts';
import { type Answers, settle, unsettled } from './lock-chains.order.ts';
import { type Lock, readQueues, readSessions } from './lock-chains.places.ts';
import type { Queue } from './lock-chains.queues.ts';
import type { Session } from './shared/sessions.ts';

/** One row of lock-chains.sessions.sql. */
interface Activity extends Omit<Session, 'user' | 'database'> {
  userOid: number | null;
  preventsWraparound: boolean | null;
}

/** So many sessions are looked at closely; of the others it is known for what they wait and since when. */
const mostShown = 100;
const mostRoots = 30;
const mostOfRoot = 10;

/** First who waits for whom, in one look; then, of those alone whom a person will see, what they do and are called. */
export async function gatherLocks(ask: Ask): Promise<LockFacts> {
  const locks = (await ask()) as unknown as Lock[];
  const isPreparedInvolved = locks.some(({ transactions }) => transactions.some((one) => one !== null));
  const prepared = (isPreparedInvolved ? await ask('prepared') : []) as unknown as Prepared[];
  const queues = await settleQueues(readQueues(locks, prepared), ask);
  const known = readSessions(locks);
  const shown = worthShowing(queues, known);
  const sessions = await describe(ask, known, shown);
  const closely = sessions.filter(({ pid }) => shown.has(pid));
  const oids = closely.flatMap(({ relationOid, rowOf, writes }) => [relationOid, rowOf, ...(writes ?? [])]);
  const relations = [...new Set(oids.filter((oid) => oid !== null))];
  // Names may be refused: pg_class itself may be what is locked. The finding says "relation 16423" then.
  const names = relations.length > 0 ? await ask('names', [relations]).catch(() => []) : [];
  const maxConnections = locks[0]?.maxConnections ?? Number.POSITIVE_INFINITY;
  const confirmed = await confirm(ask, queues, sessions);
  return { sessions, queues, prepared, names: names as unknown as RelationName[], maxConnections, confirmed };
}

/** So many sessions that may be offered to be stopped, with so many victims of each. */
const mostConfirmed = 20;
const victimsAsked = 2;

/** Nobody is offered on the word of our own graph alone. */
async function confirm(ask: Ask, queues: readonly Queue[], sessions: readonly ChainSession[]): Promise<Set<number>> {
  const structure = structureOf(queues);
  const behind = (who: Blocker) => structure.waitersOf.get(who) ?? [];
  const candidates = sessions
    .filter((session) => behind(session.pid).length > 0 && (session.lockType === null || isStrongWait(session)))
    .sort((a, b) => victimsOf(structure, b.pid).size - victimsOf(structure, a.pid).size)
    .slice(0, mostConfirmed);
  const victims = candidates.flatMap(({ pid }) => behind(pid).slice(0, victimsAsked));
  const rows = victims.length > 0 ? await ask('blockers', [[...new Set(victims)]]) : [];
  return new Set(rows.flatMap((row) => row['blockedBy'] as number[]));
}

async function settleQueues(queues: readonly Queue[], ask: Ask): Promise<Queue[]> {
  const asked = queues.flatMap(unsettled);
  const rows = asked.length > 0 ? await ask('blockers', [[...new Set(asked)]]) : [];
  const answers: Answers = new Map(rows.map((row) => [row['pid'] as number, new Set(row['blockedBy'] as number[])]));
  return queues.map((queue) => settle(queue, answers));
}

/** The roots, whoever queues for a strong lock, those next to a root, and the longest waits. */
function worthShowing(queues: readonly Queue[], known: ReadonlyMap<number, ChainSession>): Set<number> {
  const structure = structureOf(queues);
  const byWait = [...known.values()].sort((a, b) => (b.waitSeconds ?? -1) - (a.waitSeconds ?? -1));
  const behind = (who: Blocker) => structure.waitersOf.get(who) ?? [];
  const roots = rootsOf(structure).sort((a, b) => victimsOf(structure, b).size - victimsOf(structure, a).size);
  const amplifiers = byWait
    .filter((session) => isStrongWait(session) && behind(session.pid).length > 0)
    .sort((a, b) => behind(b.pid).length - behind(a.pid).length);
  const worst = roots.slice(0, mostRoots);
  const ordered = [
    ...worst,
    ...amplifiers.slice(0, mostOfRoot).map(({ pid }) => pid),
    ...worst.flatMap((root) => {
      const victims = victimsOf(structure, root);
      const longest = byWait.filter(({ pid }) => victims.has(pid)).slice(0, mostOfRoot);
      return [...behind(root).slice(0, mostOfRoot), ...longest.map(({ pid }) => pid)];
    }),
    ...byWait.map(({ pid }) => pid),
  ];
  return new Set([...new Set(ordered.filter((who) => typeof who === 'number'))].slice(0, mostShown));
}

/** With what those who are shown do and are called. */
async function describe(ask: Ask, known: ReadonlyMap<number, ChainSession>, shown: Set<number>) {
  if (shown.size === 0) return [];
  const rows = (await ask('sessions', [[...shown]])) as unknown as Activity[];
  const nameOf = await readOwners(ask, rows, known);
  const activities = new Map(rows.map((row) => [row.pid, row]));
  return [...known.values()].flatMap((session): ChainSession[] => {
    if (!shown.has(session.pid)) return [session];
    const activity = activities.get(session.pid);
    // Gone between the two looks, and its locks with it; but until 18 who is still logging in is in pg_locks only.
    if (!activity) return session.lockType === null ? [] : [session];
    const { userOid, ...does } = activity;
    const database = nameOf('database', session.databaseOid);
    return [{ ...session, ...does, user: nameOf('role', userOid), database }];
  });
}

/** Null for all where pg_authid or pg_database is what is locked. */
async function readOwners(ask: Ask, rows: readonly Activity[], waits: ReadonlyMap<number, ChainSession>) {
  const roles = rows.flatMap(({ userOid }) => userOid ?? []);
  const databases = rows.flatMap(({ pid }) => waits.get(pid)?.databaseOid ?? []);
  const oids = [[...new Set(roles)], [...new Set(databases)]];
  const named: Row[] = await ask('owners', oids).catch(() => []);
  const names = new Map(named.map(({ kind, oid, name }) => [`${kind} ${oid}`, String(name)]));
  return (kind: 'role' | 'database', oid: number | null) => names.get(`${kind} ${oid}`) ?? null;
}
