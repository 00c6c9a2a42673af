import type { WebClient } from '@slack/web-api';

interface Sought {
  channel: string;
  since: Date;
  /** What the first block's id begins with. */
  mark: string;
  /** Within this thread. */
  thread?: string;
}

type Message = { ts?: string; blocks?: unknown };

/** The state database's clock and Slack's may differ by so much. */
const clockSkewSeconds = 300;
const maxPages = 20;

/** The message that bears the mark, if Slack took a post whose answer was lost. */
export async function findPosted(client: WebClient, sought: Sought): Promise<{ ts: string; blockId: string } | null> {
  let cursor = '';
  for (let page = 1; page <= maxPages; page++) {
    const { messages = [], response_metadata } = await readPage(client, sought, cursor);
    const found = messages.map((message) => bearer(message, sought.mark)).find((one) => one !== null);
    if (found) return found;
    cursor = response_metadata?.next_cursor ?? '';
    if (cursor === '') return null;
  }
  return null;
}

function readPage(client: WebClient, { channel, since, thread }: Sought, cursor: string) {
  const oldest = String(since.getTime() / 1000 - clockSkewSeconds);
  const bounds = { channel, oldest, limit: 200, ...(cursor ? { cursor } : {}) };
  return thread ? client.conversations.replies({ ...bounds, ts: thread }) : client.conversations.history(bounds);
}

function bearer({ ts, blocks }: Message, mark: string): { ts: string; blockId: string } | null {
  const blockId = (blocks as { block_id?: string }[] | undefined)?.[0]?.block_id;
  return ts && blockId?.startsWith(mark) ? { ts, blockId } : null;
}
