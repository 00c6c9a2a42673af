import type { Blocker } from './lock-chains.graph.ts';

/** One lock that somebody waits for. Parallel groups are one, named by their leader. */
export interface Queue {
  /** Only those in whose way a waiter finds them, each with a mode that it has. */
  holders: readonly Place<Blocker>[];
  /** The one next to get it first, as far as that matters: where two modes conflict. */
  waiters: readonly Place<number>[];
}

export interface Place<Who> {
  who: Who;
  mode: Mode;
}

/** From AccessShareLock, 0, to AccessExclusiveLock, 7: table 13.2 of the manual. Advisory locks conflict alike. */
export type Mode = number;

const modes = [
  ['AccessShareLock', 0b1000_0000],
  ['RowShareLock', 0b1100_0000],
  ['RowExclusiveLock', 0b1111_0000],
  ['ShareUpdateExclusiveLock', 0b1111_1000],
  ['ShareLock', 0b1110_1100],
  ['ShareRowExclusiveLock', 0b1111_1100],
  ['ExclusiveLock', 0b1111_1110],
  ['AccessExclusiveLock', 0b1111_1111],
] as const;

export function modeName(mode: Mode): string {
  return modes[mode]?.[0] ?? `mode ${mode}`;
}

export function isConflict(one: Mode, other: Mode): boolean {
  return ((modes[one]?.[1] ?? 0) & (1 << other)) !== 0;
}

export function waitingModes(queue: Queue): readonly Mode[] {
  const known = waitingModesOf.get(queue);
  if (known) return known;
  const found = [...new Set(queue.waiters.map(({ mode }) => mode))];
  waitingModesOf.set(queue, found);
  return found;
}

/** A queue is never changed, and asked this for each who waits in it. */
const waitingModesOf = new WeakMap<Queue, readonly Mode[]>();

/** Who holds what keeps this mode out. */
export function holdersAgainst({ holders }: Queue, mode: Mode): Set<Blocker> {
  return new Set(holders.filter((one) => isConflict(mode, one.mode)).map(({ who }) => who));
}

/**
 * Those whom `pg_blocking_pids` names too, at most `limit`: whoever holds what keeps the waiter out, then who wants
 * another mode and came earlier. Left out are those who want the same mode: what keeps them out keeps it out as well.
 */
export function blockersIn(queue: Queue, waiter: Place<number>, limit: number): Blocker[] {
  const found = holdersAgainst(queue, waiter.mode);
  if (found.size > limit || waitingModes(queue).length === 1)
    return [...found].filter((who) => who !== waiter.who).slice(0, limit);
  for (const ahead of queue.waiters) {
    if (ahead === waiter || found.size > limit) break;
    if (ahead.mode !== waiter.mode && isConflict(waiter.mode, ahead.mode)) found.add(ahead.who);
  }
  found.delete(waiter.who);
  return [...found].slice(0, limit);
}

/**
 * Edges enough to find all roots and their victims, in proportion to the waiters, though the true edges may be their
 * square: whoever wants the same as another that is ahead is kept out by the same.
 */
export function edgesOf(queue: Queue): (readonly [waiter: number, blockers: Blocker[]])[] {
  const against = new Map(waitingModes(queue).map((mode) => [mode, holdersAgainst(queue, mode)]));
  const heads = new Map<Mode, number>();
  const lasts = new Map<Mode, Reach>();
  return queue.waiters.map(({ who, mode }, place) => {
    const holders = against.get(mode) ?? new Set();
    const head = heads.get(mode);
    const found = head === undefined || holders.size <= 2 || holders.has(who) ? new Set(holders) : new Set([head]);
    if (head === undefined) heads.set(mode, who);
    found.delete(who);
    let roots = coveredBy(mode, against);
    const nearest = [...lasts.values()].sort((a, b) => b.place - a.place);
    for (const ahead of nearest.filter((one) => one.mode !== mode && isConflict(mode, one.mode))) {
      if (found.size > 0 && (ahead.roots & ~roots) === 0) continue;
      found.add(ahead.who);
      roots |= ahead.roots;
    }
    const same = lasts.get(mode);
    if (found.size === 0 && same && isConflict(mode, mode)) found.add(same.who);
    lasts.set(mode, { who, mode, place, roots });
    return [who, [...found].filter((blocker) => blocker !== who)] as const;
  });
}

interface Reach extends Place<number> {
  place: number;
  /** A bit for each mode whose holders are found from here. */
  roots: number;
}

/** The modes that are kept out by none but those who keep this one out. */
function coveredBy(mode: Mode, against: ReadonlyMap<Mode, ReadonlySet<Blocker>>): number {
  const own = against.get(mode);
  const covered = [...against].filter(([, holders]) => [...holders].every((who) => own?.has(who)));
  return covered.reduce((bits, [other]) => bits | (1 << other), 0);
}
