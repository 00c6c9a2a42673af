import type { SlackMessage } from '../../../src/demo/slack-control.ts';

interface Page {
  messages: SlackMessage[];
  has_more: boolean;
  response_metadata: { next_cursor: string };
}

type Arguments = Record<string, unknown>;

/** conversations.history as Slack answers it: newest first, without replies and without ephemeral messages. */
export function pageHistory(newestFirst: SlackMessage[], args: Arguments): Page {
  const cursor = fromCursor(args['cursor']);
  const wanted = visible(newestFirst).filter(
    (it) => isBetween(it, args) && (cursor === null || Number(it.ts) <= cursor),
  );
  return page(wanted, args);
}

/** conversations.replies: the root on every page, then its replies, oldest first. */
export function pageReplies(oldestFirst: SlackMessage[], args: Arguments): Page {
  const [root, ...replies] = visible(oldestFirst);
  const cursor = fromCursor(args['cursor']);
  const wanted = replies.filter((it) => isBetween(it, args) && (cursor === null || Number(it.ts) >= cursor));
  const found = page(wanted, args);
  return { ...found, messages: root ? [root, ...found.messages] : found.messages };
}

function visible(messages: SlackMessage[]): SlackMessage[] {
  return messages.filter((it) => it.ephemeral_to === undefined);
}

function isBetween({ ts }: SlackMessage, args: Arguments): boolean {
  const inclusive = args['inclusive'] === true || args['inclusive'] === 'true';
  const at = Number(ts);
  const oldest = Number(args['oldest'] ?? 0);
  const latest = Number(args['latest'] ?? Number.POSITIVE_INFINITY);
  return inclusive ? at >= oldest && at <= latest : at > oldest && at < latest;
}

function page(wanted: SlackMessage[], args: Arguments): Page {
  const limit = Math.min(Number(args['limit'] ?? 100), 999);
  const next = wanted[limit];
  return {
    messages: wanted.slice(0, limit),
    has_more: next !== undefined,
    response_metadata: { next_cursor: next ? Buffer.from(`next_ts:${next.ts}`).toString('base64') : '' },
  };
}

function fromCursor(cursor: unknown): number | null {
  if (typeof cursor !== 'string' || cursor === '') return null;
  return Number(Buffer.from(cursor, 'base64').toString().replace('next_ts:', ''));
}
