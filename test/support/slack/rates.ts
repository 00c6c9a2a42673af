/** Calls per second and how many may come at once: https://docs.slack.dev/apis/web-api/rate-limits */
const rates: Record<string, { perSecond: number; burst: number; byChannel: boolean }> = {
  'chat.postMessage': { perSecond: 1, burst: 3, byChannel: true },
  'chat.update': { perSecond: 50 / 60, burst: 10, byChannel: false },
  'conversations.history': { perSecond: 50 / 60, burst: 10, byChannel: false },
  'conversations.replies': { perSecond: 50 / 60, burst: 10, byChannel: false },
  'usergroups.users.list': { perSecond: 20 / 60, burst: 5, byChannel: false },
};

export type Rates = ReturnType<typeof createRates>;

/** A token bucket a method, or a method and channel. */
export function createRates(now: () => number) {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    /** Seconds for Retry-After if the call comes too soon, else null. */
    take(method: string, channel: unknown): number | null {
      const rate = rates[method];
      if (!rate) return null;
      const key = rate.byChannel ? `${method} ${String(channel)}` : method;
      const { tokens, at } = buckets.get(key) ?? { tokens: rate.burst, at: now() };
      const filled = Math.min(rate.burst, tokens + ((now() - at) / 1_000) * rate.perSecond);
      const allowed = filled >= 1;
      buckets.set(key, { tokens: allowed ? filled - 1 : filled, at: now() });
      return allowed ? null : Math.ceil((1 - filled) / rate.perSecond);
    },
  };
}
