/** One row of logical-replication.sql, with that of logical-replication.errors.sql where the server counts errors. */
export interface Subscription {
  name: string;
  isEnabled: boolean;
  /** On the publisher; null for one without. */
  slot: string | null;
  publications: string[];
  /** False where another database has one of the same name, and nothing tells which is which. */
  isIdentified: boolean;
  /** Of the worker that applies; null while none runs. */
  pid: number | null;
  /** Since the publisher was heard of last. */
  silentSeconds: number | null;
  tableCount: number;
  notReadyCount: number;
  /** States of up to 200 tables, as pg_subscription_rel has them. */
  notReady: Record<string, string>;
  /** Workers of the whole server, of those that there may be. */
  running: number;
  maxWorkers: number;
  /** Null before PostgreSQL 15. */
  errors: ErrorCounts | null;
}

export interface ErrorCounts {
  errors: number;
  isDisabledByErrors: boolean;
  /** By kind; from PostgreSQL 18 on. */
  conflicts: Record<string, number>;
}

export interface SubscriptionMemory {
  at: number;
  /** Nothing is known of before: since when something is so is not either. */
  isFirstLook: boolean;
  subscriptions: Record<string, Followed>;
}

interface Followed {
  pid: number | null;
  /** Another worker than at the last look, or one in place of none. */
  isReplaced: boolean;
  errors: number | null;
  /** When errors had been added since the look before; oldest first. */
  roseAt: number[];
  /** Since when each table was seen not to be ready. */
  notReadySince: Record<string, number>;
}

const keptSeconds = 3_600;
const mostSubscriptions = 200;
const mostRises = 100;

/** A worker that fails starts anew every few seconds: what one look sees of it is chance, what several see is not. */
export function rememberSubscriptions(
  subscriptions: readonly Subscription[],
  before: SubscriptionMemory | null,
  now: Date,
): SubscriptionMemory {
  const at = Math.round(now.getTime() / 1000);
  const followed = subscriptions
    .slice(0, mostSubscriptions)
    .map((one) => [one.name, follow(one, lastOf(one, before), at)] as const);
  return { at, isFirstLook: before === null, subscriptions: Object.fromEntries(followed) };
}

export function lastOf({ name }: Subscription, memory: SubscriptionMemory | null | undefined): Followed | undefined {
  return memory && Object.hasOwn(memory.subscriptions, name) ? memory.subscriptions[name] : undefined;
}

function follow({ pid, errors, notReady }: Subscription, last: Followed | undefined, at: number): Followed {
  const count = errors?.errors ?? null;
  // A count that fell was reset.
  const isRisen = last !== undefined && last.errors !== null && count !== null && count > last.errors;
  const lately = (last?.roseAt ?? []).filter((then) => at - then <= keptSeconds && then <= at);
  const since = Object.keys(notReady).map((table) => [table, sinceOf(table, last) ?? at] as const);
  return {
    pid,
    isReplaced: last !== undefined && last.pid !== pid,
    errors: count,
    roseAt: (isRisen ? [...lately, at] : lately).slice(-mostRises),
    notReadySince: Object.fromEntries(since),
  };
}

function sinceOf(table: string, last: Followed | undefined): number | undefined {
  return last && Object.hasOwn(last.notReadySince, table) ? last.notReadySince[table] : undefined;
}
