const triggerLivesMs = 3_000;
const responseUrlLivesMs = 30 * 60_000;
const responseUrlUses = 5;

/** Whom a response_url answers. */
export interface Asker {
  user: string;
  channel: string;
}

export type Tickets = ReturnType<typeof createTickets>;

/** Trigger ids (3 s, once) and response_urls (30 min, five times), as long as Slack lets them live. */
export function createTickets(now: () => number) {
  const triggers = new Map<string, { issuedAt: number; used: boolean }>();
  const urls = new Map<string, { issuedAt: number; uses: number; asker: Asker }>();
  return {
    issueTrigger(id: string): void {
      if (!triggers.has(id)) triggers.set(id, { issuedAt: now(), used: false });
    },
    /** The error that using it would bring; null for one that may be used. One never issued is the local Slack's to refuse. */
    refuseTrigger(id: unknown): string | null {
      const trigger = triggers.get(String(id));
      if (!trigger) return null;
      if (trigger.used) return 'exchanged_trigger_id';
      return now() - trigger.issuedAt > triggerLivesMs ? 'expired_trigger_id' : null;
    },
    exchangeTrigger(id: unknown): void {
      const trigger = triggers.get(String(id));
      if (trigger) trigger.used = true;
    },
    issueResponseUrl(id: string, asker: Asker): void {
      if (!urls.has(id)) urls.set(id, { issuedAt: now(), uses: 0, asker });
    },
    useResponseUrl(id: string): Asker | 'expired_url' | 'used_url' {
      const url = urls.get(id);
      if (!url || now() - url.issuedAt > responseUrlLivesMs) return 'expired_url';
      url.uses += 1;
      return url.uses > responseUrlUses ? 'used_url' : url.asker;
    },
  };
}
