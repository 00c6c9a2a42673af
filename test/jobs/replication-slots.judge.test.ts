import { describe, expect, it } from 'vitest';
import { rememberSlots, type Slot, type SlotMemory } from '../../jobs/replication-slots.memory.ts';
import { replicationSlots } from '../../jobs/replication-slots.ts';

const gigabyte = 1_073_741_824;
const base: Slot = {
  name: 'replica',
  type: 'physical',
  isActive: false,
  walStatus: 'reserved',
  safeBytes: null,
  isConflicting: false,
  invalidationReason: null,
  inactiveSeconds: null,
  retainedBytes: gigabyte,
  keepBytes: null,
};
const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);

function judge(slot: Partial<Slot>, memory?: SlotMemory) {
  const thresholds = { minBytes: 10 * gigabyte, criticalSeconds: 14_400 };
  const node = { name: 'main', isStandby: false, role: 'monitor', seesAll: true };
  const context = { thresholds, now: at(0), node, protectedBecause: () => null, history: () => [], memory };
  return replicationSlots.judge([{ ...base, ...slot }], context).findings[0];
}

describe('replication-slots, by what is known of one', () => {
  it.each<[string, Partial<Slot>, string | undefined]>([
    ['little kept', {}, undefined],
    ['nothing kept, never used', { retainedBytes: null, walStatus: null }, undefined],
    ['10 GiB kept', { retainedBytes: 10 * gigabyte }, 'warning'],
    ['10 GiB kept, on PostgreSQL 12', { retainedBytes: 10 * gigabyte, walStatus: null }, 'warning'],
    ['half of what it may keep', { keepBytes: 2 * gigabyte, safeBytes: gigabyte }, 'warning'],
    ['less than half of what it may keep', { keepBytes: 3 * gigabyte, safeBytes: 2 * gigabyte }, undefined],
    ['more than max_wal_size', { walStatus: 'extended' }, undefined],
    ['to be removed at the next checkpoint', { walStatus: 'unreserved' }, 'critical'],
    ['removed', { walStatus: 'lost', retainedBytes: null }, 'critical'],
    ['in conflict with replay', { type: 'logical', isConflicting: true }, 'critical'],
    ['invalidated', { invalidationReason: 'idle_timeout', retainedBytes: null }, 'critical'],
  ])('%s', (_, slot, severity) => {
    expect(judge(slot)?.severity).toBe(severity);
  });

  it('says why one was invalidated, and that its consumer has to be built anew', () => {
    const finding = judge({ type: 'logical', walStatus: 'lost', invalidationReason: 'rows_removed' });
    expect(finding?.title).toBe(
      'replication slot replica is lost: rows that it needed were removed: it conflicted with replay',
    );
    expect(finding?.summary).toContain('has to be built anew');
  });

  /** A slot that grows by 1 MiB a second, looked at each minute. */
  function grow(minutes: number, keep: Partial<Slot> = {}) {
    let memory: SlotMemory | null = null;
    for (let minute = 0; minute <= minutes; minute++)
      memory = rememberSlots([{ ...base, ...keep, retainedBytes: minute * 60 * 1_048_576 }], memory, at(minute * 60));
    return { slot: { ...keep, retainedBytes: minutes * 60 * 1_048_576 }, memory: memory as SlotMemory };
  }

  it('is critical where its WAL is removed within 4 hours at the growth of the last hour', () => {
    const limit = { keepBytes: 100 * gigabyte, safeBytes: 3_600 * 1_048_576 };
    const { slot, memory } = grow(30, limit);
    const finding = judge(slot, memory);
    expect(finding).toMatchObject({ severity: 'critical', facts: { secondsToLoss: 3_600, inactiveSeconds: 1_800 } });
    expect(finding?.title).toContain('and loses it in 1 h at this rate');
    expect(finding?.summary).toContain('It grows by 3.5 GB an hour.');
    expect(finding?.impact).toEqual({ what: 'its WAL is removed', etaSeconds: 3_600 });
    expect(judge({ ...slot, safeBytes: 20_000 * 1_048_576 }, memory)).toBeUndefined();
  });

  it('takes no rate from less than five minutes, and keeps an hour of looks', () => {
    const { slot, memory } = grow(4, { keepBytes: 100 * gigabyte, safeBytes: 1 });
    expect(judge(slot, memory)).toBeUndefined();
    const looks = grow(600).memory.slots['replica']?.retained ?? [];
    expect(looks.length).toBeGreaterThan(10);
    expect(looks.length).toBeLessThan(20);
  });

  it('forgets how long one was unused once it is used, and one that is dropped', () => {
    const first = rememberSlots([base], null, at(0));
    const used = rememberSlots([{ ...base, isActive: true }], first, at(60));
    expect(used.slots['replica']?.inactiveSince).toBeNull();
    expect(rememberSlots([], used, at(120)).slots).toEqual({});
  });
});
