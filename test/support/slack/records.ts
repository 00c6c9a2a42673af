import type { AnyBlock } from '@slack/types';
import type { Refusal } from './limits.ts';

/** One call of the Web API, or one post to a response_url. */
export interface Call {
  method: string;
  args: Record<string, unknown>;
  /** Milliseconds, by the proxy's clock. */
  at: number;
  /** `ok`, Slack's error, an HTTP status, or the name of the fault; null while it is under way. */
  outcome: string | null;
}

/** Something that Slack would have refused. */
export interface Violation extends Refusal {
  method: string;
}

/** What one person alone was told, by way of a response_url, chat.postEphemeral or an acknowledgement. */
export interface Answer {
  via: 'response_url' | 'chat.postEphemeral' | 'ack';
  user: string;
  channel: string;
  text: string;
  blocks: AnyBlock[];
  /** True when it took the place of the message that was clicked, or removed it: then everybody sees it. */
  replaces: boolean;
}

export type Records = ReturnType<typeof createRecords>;

export function createRecords() {
  const calls: Call[] = [];
  const violations: Violation[] = [];
  const answers: Answer[] = [];
  return {
    calls,
    violations,
    answers,
    refuse(method: string, refusal: Refusal): Refusal {
      violations.push({ method, ...refusal });
      return refusal;
    },
    answer(via: Answer['via'], asker: { user: string; channel: string }, body: Record<string, unknown>): void {
      answers.push({
        via,
        user: asker.user,
        channel: asker.channel,
        text: String(body['text'] ?? ''),
        blocks: (body['blocks'] ?? []) as AnyBlock[],
        replaces: Boolean(body['replace_original'] || body['delete_original']),
      });
    },
    clear(): void {
      for (const list of [calls, violations, answers]) list.length = 0;
    },
  };
}
