import type { SlotState } from './replication-slots.memory.ts';
import { inWords } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';

/** invalidation_reason, reading on from "replication slot … is lost: ". */
const reasons: Readonly<Record<string, string>> = {
  wal_removed: 'WAL that it needed was removed',
  rows_removed: 'rows that it needed were removed: it conflicted with replay',
  wal_level_insufficient: 'wal_level of the primary is too low for it',
  idle_timeout: 'nobody used it for idle_replication_slot_timeout',
};

export function describeSlot(state: SlotState): { title: string; summary: string } {
  const { slot } = state;
  const title = `replication slot ${slot.name} ${whatOf(state)}`;
  return { title, summary: [useOf(state), outlookOf(state), todoOf(state)].filter(Boolean).join('\n') };
}

function isGone({ slot }: SlotState): boolean {
  return slot.walStatus === 'lost' || slot.isConflicting || slot.invalidationReason !== null;
}

function whatOf(state: SlotState): string {
  const { slot, secondsToLoss } = state;
  if (isGone(state)) {
    const why = slot.isConflicting ? 'rows_removed' : 'wal_removed';
    return `is lost: ${reasons[slot.invalidationReason ?? why] ?? slot.invalidationReason}`;
  }
  if (slot.walStatus === 'unreserved') return 'is about to be lost: its WAL goes at the next checkpoint';
  const kept = `keeps ${inBytes(slot.retainedBytes ?? 0)} of WAL`;
  return secondsToLoss === null ? kept : `${kept} and loses it in ${inWords(secondsToLoss)} at this rate`;
}

function useOf({ slot, inactiveSeconds }: SlotState): string {
  const kind = slot.type === 'logical' ? 'A logical slot' : 'A physical slot';
  if (slot.isActive) return `${kind}, in use: its consumer does not keep up.`;
  return `${kind} that nobody uses${inactiveSeconds ? `, for ${inWords(inactiveSeconds)} or longer` : ''}.`;
}

function outlookOf(state: SlotState): string {
  const { slot, growthBytesPerSecond } = state;
  if (isGone(state)) return '';
  const rate =
    growthBytesPerSecond === null
      ? 'How fast it grows is not known yet.'
      : `It ${growthBytesPerSecond < 0 ? 'shrinks' : 'grows'} by ${inBytes(Math.abs(growthBytesPerSecond) * 3_600)} an hour.`;
  if (slot.keepBytes === null)
    return `${rate} Nothing limits what it keeps (max_slot_wal_keep_size): it may fill the disk, whose size is not known here.`;
  const left = slot.safeBytes === null ? '' : `, of which ${inBytes(Math.max(0, slot.safeBytes))} are left`;
  return `${rate} It may keep ${inBytes(slot.keepBytes)} (max_slot_wal_keep_size)${left}.`;
}

function todoOf(state: SlotState): string {
  const name = `'${state.slot.name}'`;
  if (isGone(state))
    return `Its consumer has to be built anew; then: select pg_catalog.pg_drop_replication_slot(${name});`;
  if (state.slot.isActive) return 'See its consumer: its log, its network, what it is busy with.';
  return `Start its consumer. Only if it is gone for good: select pg_catalog.pg_drop_replication_slot(${name});`;
}
