import type { LagMemory, Trail } from './replication-lag.memory.ts';
import { isStreaming } from './replication-lag.memory.ts';
import type { Standby } from './replication-lag.standbys.ts';

/** Bytes count from the primary's end of WAL: what is unreplayed contains what is unflushed, and that what is unsent. */
export interface Lag {
  unsentBytes: number | null;
  unflushedBytes: number | null;
  unreplayedBytes: number | null;
  /** At least so old is something that is not replayed; null where nobody knows. */
  lagSeconds: number | null;
  /** The same without what its delay tells it to leave for later: what is graded. */
  overdueBytes: number | null;
  overdueSeconds: number | null;
  /** Nothing was replayed since the last look though there is something to replay; null where that is not known. */
  stalled: boolean | null;
  isShrinking: boolean;
  /** For how long it streams from nobody; null while it streams, or is fed from an archive. */
  awaySeconds: number | null;
}

/** Less than a segment may wait for an archive to get it, and says nothing about time. */
const segmentBytes = 16 * 1_048_576;

export function measureLag(standby: Standby, head: number | null, memory: LagMemory | undefined): Lag {
  const { sent, received, replayed, position } = standby;
  const behind = (at: number | null) => (head === null || at === null ? null : Math.max(0, head - at));
  const [unsentBytes, unflushedBytes] = [behind(sent), behind(received)];
  const unreplayedBytes = behind(replayed) ?? notReplayed(standby);
  const delay = position?.delaySeconds ?? 0;
  const lagSeconds = ageOf(standby, unreplayedBytes, memory);
  return {
    unsentBytes,
    unflushedBytes,
    unreplayedBytes,
    lagSeconds,
    overdueBytes: delay > 0 ? overdue(unflushedBytes, replayed, memory, delay) : (unreplayedBytes ?? unflushedBytes),
    overdueSeconds: lagSeconds === null ? null : Math.max(0, lagSeconds - delay),
    stalled: isStalled(standby, unreplayedBytes, memory),
    isShrinking: isShrinking(progressOf(standby, memory)?.behind ?? []),
    awaySeconds: awayFor(standby, head, memory),
  };
}

/** Without a primary to compare with, only what is there and not replayed is known. */
function notReplayed({ received, replayed }: Standby): number | null {
  return received === null || replayed === null ? null : Math.max(0, received - replayed);
}

/** What should be here is what the primary had written when the delay began; before we looked, nobody knows. */
function overdue(
  unflushed: number | null,
  replayed: number | null,
  memory: LagMemory | undefined,
  delay: number,
): number | null {
  const due = memory?.heads.findLast(([at]) => at <= memory.at - delay)?.[1];
  const late = due === undefined || replayed === null ? null : Math.max(0, due - replayed);
  return late === null && unflushed === null ? null : Math.max(late ?? 0, unflushed ?? 0);
}

/**
 * By our own looks: the oldest at which the primary had already written what is not replayed now. Commit times would
 * grow on an idle primary. Before there are such looks, they are all there is, if there is much to replay.
 */
function ageOf(standby: Standby, unreplayed: number | null, memory: LagMemory | undefined): number | null {
  const { replayed, replayLagSeconds, position } = standby;
  if (unreplayed === null) return null;
  if (unreplayed === 0) return 0;
  const heads = memory?.heads ?? [];
  const missed = replayed === null ? undefined : heads.find(([, written]) => written > replayed);
  const seen = memory && missed ? memory.at - missed[0] : 0;
  const isFirstLook = heads.length < 2 && unreplayed >= segmentBytes;
  return Math.max(seen, replayLagSeconds ?? 0, isFirstLook ? (position?.replayAgeSeconds ?? 0) : 0);
}

function isStalled(standby: Standby, unreplayed: number | null, memory: LagMemory | undefined): boolean | null {
  if (unreplayed === 0) return false;
  const progress = progressOf(standby, memory);
  const isFirstLook = (progress?.behind.length ?? 0) < 2;
  if (!progress || !memory || unreplayed === null || isFirstLook) return null;
  return progress.standsSince < memory.at;
}

/** Against a minute ago or more: less is progress. */
function isShrinking(behind: Trail): boolean {
  const [last, first] = [behind.at(-1), behind[0]];
  return last !== undefined && first !== undefined && last[0] - first[0] >= 60 && last[1] < first[1];
}

function awayFor(standby: Standby, head: number | null, memory: LagMemory | undefined): number | null {
  // An archive brings it what a primary does not.
  if (standby.position?.hasArchive || isStreaming(standby, head)) return null;
  const since = progressOf(standby, memory)?.awaySince ?? null;
  return since === null || memory === undefined ? 0 : memory.at - since;
}

function progressOf({ name }: Standby, memory: LagMemory | undefined) {
  return memory && Object.hasOwn(memory.standbys, name) ? memory.standbys[name] : undefined;
}
