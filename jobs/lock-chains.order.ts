import type { Blocker } from './lock-chains.graph.ts';
import { holdersAgainst, isConflict, type Mode, type Place, type Queue, waitingModes } from './lock-chains.queues.ts';

/** What `pg_blocking_pids` says of some who wait. */
export type Answers = ReadonlyMap<number, ReadonlySet<Blocker>>;

/**
 * `pg_locks` has no order, and `waitstart` no certain one. It matters only between those who want different modes that
 * conflict, and of two such the answer of one tells it: these are the fewest whose answers tell all.
 */
export function unsettled(queue: Queue): number[] {
  const modes = waitingModes(queue);
  if (modes.length < 2) return [];
  const pairs = modes.flatMap((one) => modes.filter((other) => one < other).map((other) => [one, other] as const));
  const unknown = pairs.filter(([one, other]) => {
    return isConflict(one, other) && soleAhead(queue, one) !== other && soleAhead(queue, other) !== one;
  });
  if (unknown.length === 0) return [];
  const asked = fewest(queue, unknown);
  const isAsked = ({ who, mode }: Place<number>) =>
    asked.has(mode) || [...asked].some((other) => holdersAgainst(queue, other).has(who));
  return queue.waiters.filter(isAsked).map(({ who }) => who);
}

/** The queue in an order that is true for all who conflict; who cannot be told apart stay as they are. */
export function settle(queue: Queue, answers: Answers): Queue {
  const { waiters } = queue;
  if (waitingModes(queue).length < 2) return queue;
  const followers = waiters.map(() => [] as number[]);
  const ahead = waiters.map(() => 0);
  const put = (first: number, then: number) => {
    followers[first]?.push(then);
    ahead[then] = (ahead[then] ?? 0) + 1;
  };
  waiters.forEach((one, place) => {
    orderBy(queue, { one, place, answers, put });
  });
  const order: number[] = [];
  const free = ahead.flatMap((count, place) => (count === 0 ? [place] : []));
  for (let place = free.shift(); place !== undefined; place = free.shift()) {
    order.push(place);
    for (const next of followers[place] ?? []) {
      ahead[next] = (ahead[next] ?? 0) - 1;
      if (ahead[next] === 0) free.push(next);
    }
  }
  // Answers are a moment younger than the queue, so they may contradict each other: then it stays as it was.
  return order.length < waiters.length ? queue : { ...queue, waiters: order.flatMap((place) => waiters[place] ?? []) };
}

interface Asked {
  one: Place<number>;
  place: number;
  answers: Answers;
  put(first: number, then: number): void;
}

function orderBy(queue: Queue, { one, place, answers, put }: Asked): void {
  const answer = answers.get(one.who);
  if (!answer) {
    const sole = soleAhead(queue, one.mode);
    if (sole !== null)
      put(
        queue.waiters.findIndex(({ mode }) => mode === sole),
        place,
      );
    return;
  }
  // Of these the answer doesn't say whether they are ahead: they would be in it anyway.
  const holders = holdersAgainst(queue, one.mode);
  queue.waiters.forEach((other, otherPlace) => {
    if (other.who === one.who || holders.has(other.who) || !isConflict(one.mode, other.mode)) return;
    if (answer.has(other.who)) put(otherPlace, place);
    else put(place, otherPlace);
  });
}

/** Nobody keeps this mode out but the one waiter who wants another: so that one is ahead of all who want it. */
function soleAhead(queue: Queue, mode: Mode): Mode | null {
  const rivals = queue.waiters.filter((other) => other.mode !== mode && isConflict(mode, other.mode));
  return rivals.length === 1 && holdersAgainst(queue, mode).size === 0 ? (rivals[0]?.mode ?? null) : null;
}

/** The modes, with the fewest waiters in all, that have a part in each of these pairs. */
function fewest({ waiters }: Queue, pairs: readonly (readonly [Mode, Mode])[]): Set<Mode> {
  let best: { modes: Set<Mode>; count: number } | null = null;
  for (let bits = 0; bits < 256; bits++) {
    const has = (mode: Mode) => (bits & (1 << mode)) !== 0;
    if (!pairs.every(([one, other]) => has(one) || has(other))) continue;
    const count = waiters.filter(({ mode }) => has(mode)).length;
    if (!best || count < best.count) best = { modes: new Set([0, 1, 2, 3, 4, 5, 6, 7].filter(has)), count };
  }
  return best?.modes ?? new Set();
}
