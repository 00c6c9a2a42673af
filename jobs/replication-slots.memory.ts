/** One row of replication-slots.sql. */
export interface Slot {
  name: string;
  type: 'physical' | 'logical';
  isActive: boolean;
  /** reserved, extended, unreserved, lost; null before PostgreSQL 13 and for a slot that keeps nothing. */
  walStatus: string | null;
  /** What may still be written before its WAL is removed; null without a limit. */
  safeBytes: number | null;
  isConflicting: boolean;
  invalidationReason: string | null;
  /** Null before PostgreSQL 17 and while it is in use. */
  inactiveSeconds: number | null;
  /** Null for one that keeps nothing. */
  retainedBytes: number | null;
  /** max_slot_wal_keep_size; null without a limit. */
  keepBytes: number | null;
}

export interface SlotMemory {
  at: number;
  slots: Record<string, { inactiveSince: number | null; retained: (readonly [at: number, bytes: number])[] }>;
}

/** What is known of a slot, with what our own looks add. */
export interface SlotState {
  slot: Slot;
  inactiveSeconds: number | null;
  growthBytesPerSecond: number | null;
  secondsToLoss: number | null;
}

const keptSeconds = 3_600;
const spacingSeconds = 240;
const mostSlots = 200;
/** A rate of less time than this is a moment's. */
const minRateSeconds = 300;

/** How much each slot kept lately, and since when nobody has used it. */
export function rememberSlots(slots: readonly Slot[], before: SlotMemory | null, now: Date): SlotMemory {
  const at = Math.round(now.getTime() / 1000);
  const followed = slots.slice(0, mostSlots).map((slot) => {
    const last = before && Object.hasOwn(before.slots, slot.name) ? before.slots[slot.name] : undefined;
    const inactiveSince = slot.isActive ? null : (last?.inactiveSince ?? at);
    const lately = (last?.retained ?? []).filter(([then]) => at - then <= keptSeconds && then <= at);
    const isDue = at - (lately.at(-1)?.[0] ?? 0) >= spacingSeconds;
    const isKept = isDue && slot.retainedBytes !== null;
    return [slot.name, { inactiveSince, retained: isKept ? [...lately, point(at, slot)] : lately }] as const;
  });
  return { at, slots: Object.fromEntries(followed) };
}

/** Bytes a second by which it keeps more, over the last hour at the most; null where nobody looked for long enough. */
export function growthOf(slot: Slot, memory: SlotMemory | undefined): number | null {
  const [first] = memory && Object.hasOwn(memory.slots, slot.name) ? (memory.slots[slot.name]?.retained ?? []) : [];
  if (!memory || !first || slot.retainedBytes === null || memory.at - first[0] < minRateSeconds) return null;
  return (slot.retainedBytes - first[1]) / (memory.at - first[0]);
}

/** By the server, which knows it from 17 on; else since we first saw it unused. */
export function inactiveFor(slot: Slot, memory: SlotMemory | undefined): number | null {
  if (slot.isActive) return null;
  if (slot.inactiveSeconds !== null) return slot.inactiveSeconds;
  const since = memory && Object.hasOwn(memory.slots, slot.name) ? memory.slots[slot.name]?.inactiveSince : null;
  return memory && typeof since === 'number' ? memory.at - since : null;
}

function point(at: number, { retainedBytes }: Slot): readonly [number, number] {
  return [at, retainedBytes ?? 0];
}
