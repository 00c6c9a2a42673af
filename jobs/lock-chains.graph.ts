import { edgesOf, isConflict, type Place, type Queue } from './lock-chains.queues.ts';
import type { Session } from './shared/sessions.ts';

/** A session that waits, or that others wait for: a parallel group is one, under its leader's pid. */
export interface ChainSession extends Session {
  databaseOid: number | null;
  /** Null where its role could not be read, as it is for `user`. */
  preventsWraparound: boolean | null;
  /** The table whose row it waits for, or is the next to get. */
  rowOf: number | null;
  /** How many hold locks on rows of that table and do not wait; null if none of them may be shared. */
  rowLockers: number | null;
  /** Relations it has locked for more than reading, by oid: a table comes before its own indexes. */
  writes: readonly number[] | null;
  /** This and what follows is of the lock it waits for: null if it does not wait. */
  lockType: string | null;
  mode: string | null;
  lockDatabaseOid: number | null;
  relationOid: number | null;
  objectKey: string | null;
  isNameable: boolean;
  /** Null also where the role may not know; an upper bound where `waitSource` is query_start. */
  waitSeconds: number | null;
  waitSource: 'waitstart' | 'query_start' | 'first-seen';
  /** How long it has its present place of a queue, where the server dates that; see `recallLocks`. */
  placeSeconds?: number | undefined;
  /** For how long, at the most, it has kept others waiting, where earlier checks are remembered. */
  heldSeconds?: number;
}

/** One row of lock-chains.prepared.sql. */
export interface Prepared {
  gid: string;
  /** As `pg_locks` names it, where it has no pid. */
  virtualTransaction: string;
  owner: string | null;
  database: string | null;
  preparedSeconds: number;
  writes: readonly number[] | null;
}

/** A session's pid, or a prepared transaction's gid. */
export type Blocker = number | string;

/** Who waits for whom, by pid. */
export interface Structure {
  /** The locks that each holds, and those that it waits for. */
  heldBy: ReadonlyMap<Blocker, readonly Queue[]>;
  wantedBy: ReadonlyMap<Blocker, readonly Queue[]>;
  /** More than one only for a parallel group. */
  waitCounts: ReadonlyMap<number, number>;
  /** Enough to find all roots and victims; see `edgesOf`. */
  blockersOf: ReadonlyMap<number, readonly Blocker[]>;
  waitersOf: ReadonlyMap<Blocker, readonly number[]>;
  /** What `victimsOf` and `freedBy` have found so far. */
  victimsOfOne: Map<Blocker, ReadonlyMap<number, Blocker>>;
  freedByOne: Map<Blocker, ReadonlySet<number>>;
}

export interface Graph extends Structure {
  sessions: ReadonlyMap<number, ChainSession>;
  prepared: ReadonlyMap<string, Prepared>;
}

/** Queues are never changed, and one check asks several times. */
const structures = new WeakMap<readonly Queue[], Structure>();

export function structureOf(queues: readonly Queue[]): Structure {
  const known = structures.get(queues);
  if (known) return known;
  const blockersOf = new Map<number, Blocker[]>();
  const waitersOf = new Map<Blocker, number[]>();
  for (const [waiter, blockers] of queues.flatMap(edgesOf)) {
    const before = blockersOf.get(waiter) ?? [];
    const more = blockers.filter((blocker) => !before.includes(blocker));
    if (before.length + more.length > 0) blockersOf.set(waiter, [...before, ...more]);
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
  const structure = {
    heldBy,
    wantedBy,
    waitCounts,
    blockersOf,
    waitersOf,
    victimsOfOne: new Map(),
    freedByOne: new Map(),
  };
  structures.set(queues, structure);
  return structure;
}

/** Who blocks and does not wait. Deadlocked sessions have no root: the server ends those itself. */
export function rootsOf(graph: Structure): Blocker[] {
  return [...graph.waitersOf.keys()].filter((blocker) => typeof blocker === 'string' || !graph.blockersOf.has(blocker));
}

/** Everyone who waits for these, directly or not, nearest first, each with the one it stands behind. */
export function victimsOf({ waitersOf, victimsOfOne }: Structure, ...from: Blocker[]): ReadonlyMap<number, Blocker> {
  const [one] = from;
  const known = from.length === 1 && one !== undefined ? victimsOfOne.get(one) : undefined;
  if (known) return known;
  const victims = new Map<number, Blocker>();
  const begun = new Set(from);
  const queue = [...from];
  // What is pushed meanwhile is visited too.
  for (const blocker of queue) {
    for (const waiter of waitersOf.get(blocker) ?? []) {
      if (victims.has(waiter) || begun.has(waiter)) continue;
      victims.set(waiter, blocker);
      queue.push(waiter);
    }
  }
  if (from.length === 1 && one !== undefined) victimsOfOne.set(one, victims);
  return victims;
}

const strongModes = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'];

/** Waits for a lock on a relation that those who only read or write it have to queue behind. */
export function isStrongWait({ lockType, mode }: Pick<ChainSession, 'lockType' | 'mode'>): boolean {
  return lockType === 'relation' && strongModes.includes(mode ?? '');
}

/** Who goes on once this one is gone: all whose blockers are it, or are freed by then themselves. */
export function freedBy(structure: Structure, gone: Blocker): ReadonlySet<number> {
  const { heldBy, wantedBy, waitCounts, freedByOne } = structure;
  const known = freedByOne.get(gone);
  if (known) return known;
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
  freedByOne.set(gone, freed);
  return freed;
}

/** Who gets this lock when those are past, one after the other: whoever takes it from this is past before the next. */
function* passing(queue: Queue, past: ReadonlySet<Blocker>, through: Set<Place<number>>): Generator<Place<number>> {
  const left = queue.holders.filter(({ who }) => !past.has(who));
  const ahead: Place<number>[] = [];
  for (const place of queue.waiters) {
    if (past.has(place.who)) continue;
    const isBlocked = left.some((one) => isInTheWay(one, place)) || ahead.some((one) => isInTheWay(one, place));
    if (!isBlocked && !through.has(place)) {
      through.add(place);
      yield place;
    }
    // Of those who stay one of each mode is enough.
    if (!past.has(place.who) && !ahead.some(({ mode }) => mode === place.mode)) ahead.push(place);
  }
}

function isInTheWay(one: Place<Blocker>, place: Place<number>): boolean {
  return one.who !== place.who && isConflict(place.mode, one.mode);
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
