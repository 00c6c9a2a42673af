import { type Answers, findStandbys, headOf, type Listing, type Standby } from './replication-lag.standbys.ts';

/** Where the primary was when, in seconds since 1970 and bytes; oldest first. */
export type Trail = readonly (readonly [at: number, written: number])[];

export interface LagMemory {
  at: number;
  heads: Trail;
  standbys: Record<string, Progress>;
  /** Nodes that were standbys when they answered last, and how their upstream lists them. */
  known: Record<string, Listing>;
}

interface Progress {
  replayed: number | null;
  /** Since when replay stands where it stands, as far as we looked. */
  standsSince: number;
  /** How far behind it was lately. */
  behind: Trail;
  /** Since when it streams from nobody: null while it does, 0 if it never did while we looked. */
  awaySince: number | null;
}

/** How long each point is kept; on top comes the longest delay that a standby is told to keep. */
const keptSeconds = 1_200;
const comparedSeconds = 240;
const mostStandbys = 100;
/** A sender that has nothing to say speaks at least each half of wal_sender_timeout, which is 30 s. */
const silentSeconds = 120;

/** What the next look has to know of this one: time and progress are measured by ourselves, not by anybody's commits. */
export function rememberLag(answers: Answers, before: LagMemory | null, now: Date): LagMemory {
  const at = Math.round(now.getTime() / 1000);
  const head = headOf(answers)?.written ?? null;
  const known = rememberListings(answers, before?.known ?? {});
  const standbys = findStandbys(answers, known).slice(0, mostStandbys);
  const delay = Math.max(0, ...standbys.map(({ position }) => position?.delaySeconds ?? 0));
  // A primary that has less WAL than it had is another one: what the old one wrote last is nobody's measure.
  const earlier = (before?.heads ?? []).filter(([, written]) => head === null || written <= head);
  const heads = head === null ? earlier : [...earlier, [at, head] as const];
  const progress = standbys.map((one) => [one.name, follow(one, before, { at, head })] as const);
  return { at, heads: thin(heads, at, delay), standbys: Object.fromEntries(progress), known };
}

/** Whether it gets WAL as it is written; of one that only its upstream knows, whether that lists it. */
export function isStreaming({ position, upstream, received }: Standby, head: number | null): boolean {
  if (!position) return upstream !== null;
  const isBehind = head !== null && received !== null && received < head;
  const isSilent = isBehind && (position.silentSeconds ?? 0) > silentSeconds;
  return position.hasReceiver && [null, 'streaming'].includes(position.receiverStatus) && !isSilent;
}

function rememberListings(answers: Answers, before: Record<string, Listing>): Record<string, Listing> {
  const all = answers.flatMap(({ node, role, facts }) => {
    if (!role || !facts) return before[node] ? [[node, before[node]] as const] : [];
    if (!role.isStandby) return [];
    const { slot, application } = facts.position;
    // Without a receiver it doesn't say what it is called.
    const isNamed = slot !== null || application !== null;
    return [[node, isNamed ? { slot, application } : (before[node] ?? { slot, application })] as const];
  });
  return Object.fromEntries(all);
}

function follow(
  standby: Standby,
  before: LagMemory | null,
  { at, head }: { at: number; head: number | null },
): Progress {
  const last = before && Object.hasOwn(before.standbys, standby.name) ? before.standbys[standby.name] : undefined;
  const { replayed } = standby;
  const standsSince = last && last.replayed === replayed ? last.standsSince : at;
  const bytes = head === null || replayed === null ? null : Math.max(0, head - replayed);
  const lately = (last?.behind ?? []).filter(([then]) => at - then <= comparedSeconds);
  const behind = bytes === null ? lately : [...lately, [at, bytes] as const];
  const isAway = !isStreaming(standby, head);
  return { replayed, standsSince, behind, awaySince: isAway ? (last?.awaySince ?? (before ? at : 0)) : null };
}

/** All points of the last 20 minutes, and of the time before as many as a delay needs. Oldest first, so that it is stable. */
function thin(trail: Trail, at: number, delaySeconds: number): Trail {
  const kept: (readonly [number, number])[] = [];
  for (const point of trail) {
    const age = at - point[0];
    if (age < 0 || age > keptSeconds + delaySeconds * 1.1) continue;
    const spacing = age > keptSeconds ? delaySeconds / 60 : 0;
    const last = kept.at(-1);
    if (!last || point[0] - last[0] >= spacing) kept.push(point);
  }
  return kept;
}
