import { setTimeout as sleep } from 'node:timers/promises';
import type { SlackMessage } from './slack-control.ts';
import type { Stage } from './stage.ts';
import { channel } from './stage.ts';

/** All words of a message, block after block. */
export function wordsOf(message: Pick<SlackMessage, 'text' | 'blocks'>): string {
  const words = (value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap(words);
    if (value === null || typeof value !== 'object') return [];
    return Object.entries(value).flatMap(([key, inner]) =>
      key === 'text' && typeof inner === 'string' ? [inner] : words(inner),
    );
  };
  return message.blocks?.length ? words(message.blocks).join('\n') : (message.text ?? '');
}

/** Tells each change of a card and each new line of a thread, one line an event, until aborted. */
export async function narrate(stage: Stage, tell: (line: string) => void, signal: AbortSignal): Promise<void> {
  const told = new Map<string, string>();
  while (!signal.aborted) {
    for (const message of await stage.slack.control.messages(channel.id)) {
      const isLine = message.thread_ts !== undefined && message.thread_ts !== message.ts;
      for (const line of isLine ? wordsOf(message).split('\n') : [headlineOf(message)]) {
        const key = isLine ? `${message.ts} ${line}` : message.ts;
        if (told.get(key) === line) continue;
        told.set(key, line);
        tell(isLine ? `   ${line}` : `#${channel.name} ${line}`);
      }
    }
    await sleep(300, undefined, { signal }).catch(() => undefined);
  }
}

function headlineOf(message: SlackMessage): string {
  return (wordsOf(message).split('\n')[0] ?? '').replaceAll('*', '').replaceAll('`', '');
}
