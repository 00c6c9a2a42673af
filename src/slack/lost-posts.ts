import type { WebClient } from '@slack/web-api';

interface Sought {
  channel: string;
  since: Date;
  /** What the first block's id begins with. */
  mark: string;
  /** Within this thread. */
  thread?: string;
}

/** The message that bears the mark, if Slack took a post whose answer was lost. */
export async function findPosted(client: WebClient, sought: Sought): Promise<{ ts: string; blockId: string } | null> {
  const { channel, mark, thread } = sought;
  const oldest = String(sought.since.getTime() / 1000 - 60);
  const page = thread
    ? await client.conversations.replies({ channel, ts: thread, oldest, limit: 200 })
    : await client.conversations.history({ channel, oldest, limit: 200 });
  for (const message of page.messages ?? []) {
    const blockId = (message.blocks as { block_id?: string }[] | undefined)?.[0]?.block_id;
    if (message.ts && blockId?.startsWith(mark)) return { ts: message.ts, blockId };
  }
  return null;
}
