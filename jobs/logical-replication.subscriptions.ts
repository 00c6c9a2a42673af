import type { Judged, Severity } from '../src/model.ts';
import { lastOf, type Subscription, type SubscriptionMemory } from './logical-replication.memory.ts';
import { describeSubscription } from './logical-replication.text.ts';

interface Limits {
  notReadySeconds: number;
  errorSeconds: number;
}

/** The worst of what is wrong with a subscription: one trouble has one alert, whichever of its signs a look sees. */
export type Trouble = 'errors' | 'no-worker' | 'not-ready' | 'disabled-by-errors' | 'disabled';

export interface Sick {
  subscription: Subscription;
  trouble: Trouble;
  /** At how many looks errors had been added, lately. */
  rises: number;
  /** Tables that are not ready for too long, and for how long; the longest first. */
  late: { table: string; state: string; seconds: number }[];
}

export function judgeSubscription(
  subscription: Subscription,
  { limits, memory }: { limits: Limits; memory: SubscriptionMemory | undefined },
): Judged | null {
  const sick = examine(subscription, limits, memory);
  if (!sick) return null;
  const { name, slot, publications, pid, errors, notReadyCount, tableCount, silentSeconds } = subscription;
  return {
    database: null,
    fingerprint: `subscription ${name}`,
    severity: severities[sick.trouble],
    ...describeSubscription(sick),
    subject: { kind: 'subscription', name },
    facts: {
      trouble: sick.trouble,
      pid,
      slot,
      publications,
      errors: errors?.errors ?? null,
      conflicts: errors?.conflicts ?? null,
      tableCount,
      notReadyCount,
      silentSeconds,
    },
    runbooks: [],
    impact:
      sick.trouble === 'disabled'
        ? null
        : { what: 'its publisher keeps WAL for it, and its rows grow old', etaSeconds: null },
  };
}

const severities: Readonly<Record<Trouble, Severity>> = {
  errors: 'warning',
  'no-worker': 'warning',
  'not-ready': 'warning',
  'disabled-by-errors': 'warning',
  // Somebody has said so.
  disabled: 'info',
};

function examine(subscription: Subscription, limits: Limits, memory: SubscriptionMemory | undefined): Sick | null {
  const { isEnabled, pid, errors, notReady } = subscription;
  const followed = lastOf(subscription, memory);
  const at = memory?.at ?? 0;
  const rises = (followed?.roseAt ?? []).filter((then) => at - then <= limits.errorSeconds).length;
  const late = Object.entries(notReady)
    .map(([table, state]) => ({ table, state, seconds: at - (followed?.notReadySince[table] ?? at) }))
    .filter(({ seconds }) => seconds >= limits.notReadySeconds)
    .sort((a, b) => b.seconds - a.seconds);
  const found = (trouble: Trouble): Sick => ({ subscription, trouble, rises, late });
  if (!isEnabled) return found(errors?.isDisabledByErrors && errors.errors > 0 ? 'disabled-by-errors' : 'disabled');
  // One error may be a connection that was lost, or a deadlock: it is tried again.
  if (rises >= 2) return found('errors');
  if (pid === null || followed?.isReplaced) return found('no-worker');
  return late.length > 0 ? found('not-ready') : null;
}
