export type FaultKind =
  /** The connection breaks before Slack has seen the call. */
  | 'drop-before'
  /** Slack has done it, the answer is lost. */
  | 'drop-after'
  /** No answer until the caller gives up. */
  | 'stall'
  | { status: number; retryAfter?: number }
  | { error: string }
  | { delayMs: number };

export interface Fault {
  /** A Web API method, or `response_url`. */
  method: string;
  /** How many calls it hits; 1 unless told. */
  times?: number;
  /** Only calls with such arguments. */
  where?: (args: Record<string, unknown>) => boolean;
  with: FaultKind;
}

export type Faults = ReturnType<typeof createFaults>;

export function createFaults() {
  const waiting: { fault: Fault; left: number }[] = [];
  return {
    add(fault: Fault): void {
      waiting.push({ fault, left: fault.times ?? 1 });
    },
    /** The fault this call meets, which is then used up. */
    take(method: string, args: Record<string, unknown>): FaultKind | null {
      const hit = waiting.find(
        ({ fault, left }) => left > 0 && fault.method === method && (fault.where?.(args) ?? true),
      );
      if (!hit) return null;
      hit.left -= 1;
      return hit.fault.with;
    },
    clear(): void {
      waiting.length = 0;
    },
  };
}
