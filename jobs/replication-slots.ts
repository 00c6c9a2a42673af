import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Severity } from '../src/model.ts';
import {
  growthOf,
  inactiveFor,
  rememberSlots,
  type Slot,
  type SlotMemory,
  type SlotState,
} from './replication-slots.memory.ts';
import { describeSlot } from './replication-slots.text.ts';
import { isAuroraReader, unjudgedAuroraReader } from './shared/aurora.ts';

const thresholds = {
  minBytes: {
    default: 10_737_418_240,
    unit: 'bytes',
    about: 'A slot that keeps so much WAL is a warning; half of max_slot_wal_keep_size, if that is less, too.',
  },
  criticalSeconds: {
    default: 14_400,
    unit: 'seconds',
    about: 'Critical where, at the growth of the last hour, its WAL is removed sooner; unreserved and lost always are.',
  },
} as const;

type Context = JudgeContext<typeof thresholds, SlotMemory>;

export const replicationSlots = defineJob({
  name: 'replication-slots',
  title: 'Replication slots that keep much WAL, or lose it',
  delivery: 'page',
  scope: 'node',
  schedule: '0 * * * * *',
  fire: { afterSeconds: 300 },
  clear: { factor: 0.5, samples: 3 },
  needs: 'any-login',
  thresholds,
  measures: { retainedBytes: { label: 'WAL kept', unit: 'bytes' } },
  gather: async (ask) => (await ask()) as unknown as Slot[],
  remember: rememberSlots,
  judge(slots: readonly Slot[], context: Context) {
    if (isAuroraReader(context.node)) return { findings: [], unjudged: [unjudgedAuroraReader('its slots are')] };
    const findings = slots.flatMap((slot) => judgeSlot(slot, context) ?? []);
    return { findings, unjudged: slots.length < maxRows ? [] : [unjudgedRest] };
  },
});

const maxRows = 1_000;
const unjudgedRest = {
  reason: `only the first ${maxRows} slots were looked at`,
  remedy: 'Drop those that nobody uses; the others are told after them.',
};

function judgeSlot(slot: Slot, context: Context): Judged | null {
  const growth = growthOf(slot, context.memory);
  const state: SlotState = {
    slot,
    inactiveSeconds: inactiveFor(slot, context.memory),
    growthBytesPerSecond: growth,
    secondsToLoss: secondsToLoss(slot, growth),
  };
  const severity = grade(state, context.thresholds);
  if (!severity) return null;
  const { retainedBytes, walStatus, invalidationReason, isActive, keepBytes } = slot;
  return {
    database: null,
    // Nodes may have slots of the same name, as a standby that keeps copies of its primary's.
    fingerprint: `${context.node.name}/${slot.name}`,
    severity,
    ...describeSlot(state),
    subject: { kind: 'replication-slot', name: slot.name },
    facts: {
      retainedBytes,
      walStatus,
      inactiveSeconds: state.inactiveSeconds,
      secondsToLoss: state.secondsToLoss,
      isActive,
      keepBytes,
      invalidationReason,
    },
    runbooks: [],
    impact: isLost(slot) || keepBytes === null ? null : { what: 'its WAL is removed', etaSeconds: state.secondsToLoss },
  };
}

/** Never for being unused alone: one that keeps nothing harms nobody. */
function grade({ slot, secondsToLoss }: SlotState, limits: Context['thresholds']): Severity | null {
  if (isLost(slot) || slot.walStatus === 'unreserved') return 'critical';
  if (secondsToLoss !== null && secondsToLoss < limits.criticalSeconds) return 'critical';
  const limit = Math.min(limits.minBytes, (slot.keepBytes ?? Number.POSITIVE_INFINITY) / 2);
  return slot.retainedBytes !== null && slot.retainedBytes >= limit ? 'warning' : null;
}

function isLost({ walStatus, isConflicting, invalidationReason }: Slot): boolean {
  return walStatus === 'lost' || isConflicting || invalidationReason !== null;
}

function secondsToLoss({ safeBytes }: Slot, growth: number | null): number | null {
  return safeBytes === null || growth === null || growth <= 0 ? null : Math.max(0, safeBytes / growth);
}
