import { setTimeout as sleep } from 'node:timers/promises';
import type { WebClient } from '@slack/web-api';
import { errorFields, type Logger } from '../log.ts';
import {
  forgetCardMessage,
  type LaggingCard,
  markCardSending,
  markCardShown,
  markLineSending,
  markLineSent,
  readLaggingCards,
  readUnsentLines,
  type ThreadLine,
} from '../state/cards.ts';
import { claimChannel, holdChannel, releaseChannel } from '../state/channels.ts';
import type { StatePool } from '../state/database.ts';
import { readCardFacts } from './cards/read.ts';
import { cardMark, renderCard } from './cards/render.ts';
import { slackFailure } from './failures.ts';
import { findPosted } from './lost-posts.ts';
import { toMrkdwn } from './text.ts';

export interface DrainContext {
  pool: StatePool;
  client: WebClient;
  log: Logger;
  owner: string;
  timezoneOf(channel: string): string;
  onError(code: string): void;
}

/** DEFAULTS and Slack: about one call a second in a channel. */
const paceMs = 1_000;
const leaseMs = 30_000;

/**
 * Makes Slack show what is true now: draws each lagging card of a channel afresh, posts or edits it, then sends its
 * thread lines in order. Coalescing, retry, 429, a restart and a deleted message are all this one loop.
 */
export async function drainChannel(context: DrainContext, channel: string): Promise<void> {
  if (!(await claimChannel(context.pool, channel, context.owner, leaseMs))) return;
  try {
    for (;;) {
      const cards = await readLaggingCards(context.pool, channel);
      if (cards.length === 0) return;
      for (const card of cards) await showCard(context, card);
      if (!(await claimChannel(context.pool, channel, context.owner, leaseMs))) return;
    }
  } catch (error) {
    await onFailure(context, channel, error);
  } finally {
    await releaseChannel(context.pool, channel, context.owner);
  }
}

async function showCard(context: DrainContext, card: LaggingCard): Promise<void> {
  let ts = card.ts;
  if (card.shownVersion < card.wantedVersion) ts = await drawCard(context, card);
  if (ts === null) return;
  const lines = await readUnsentLines(context.pool, card.id);
  if (lines.length > 0) await sendLines(context, { channel: card.channel, ts }, lines);
}

async function drawCard(context: DrainContext, card: LaggingCard): Promise<string | null> {
  const facts = await readCardFacts(context.pool, card);
  const timezone = context.timezoneOf(card.channel);
  const message = renderCard({ id: card.id, version: card.wantedVersion, facts, timezone });
  const posted = card.ts ?? (card.sendingSince ? await findLostCard(context, card, card.sendingSince) : null);
  const ts = posted === null ? await postCard(context, card, message) : await editCard(context, card, posted, message);
  if (ts !== null) await markCardShown(context.pool, card.id, card.wantedVersion, ts);
  await sleep(paceMs);
  return ts;
}

type Message = ReturnType<typeof renderCard>;

async function postCard(context: DrainContext, card: LaggingCard, message: Message): Promise<string | null> {
  await markCardSending(context.pool, card.id);
  const { ts } = await context.client.chat.postMessage({
    channel: card.channel,
    ...message,
    unfurl_links: false,
    unfurl_media: false,
  });
  return ts ?? null;
}

/** Null where the message was deleted in Slack: the card is posted anew by the next round. */
async function editCard(
  context: DrainContext,
  card: LaggingCard,
  ts: string,
  message: Message,
): Promise<string | null> {
  try {
    await context.client.chat.update({ channel: card.channel, ts, ...message });
    return ts;
  } catch (error) {
    if (slackFailure(error).code !== 'message_not_found') throw error;
    context.log.warn({ card: card.id }, 'card was deleted in Slack; posting it again');
    await forgetCardMessage(context.pool, card.id);
    return null;
  }
}

async function findLostCard(context: DrainContext, card: LaggingCard, since: Date): Promise<string | null> {
  const found = await findPosted(context.client, { channel: card.channel, since, mark: cardMark(card.id) });
  return found?.ts ?? null;
}

/** All unsent lines of a card in one message, in order; its block id tells the first and last line. */
async function sendLines(
  context: DrainContext,
  thread: { channel: string; ts: string },
  lines: readonly ThreadLine[],
): Promise<void> {
  const [first] = lines;
  if (!first) return;
  const mark = `line-${first.id}-`;
  const lost = first.sendingSince
    ? await findPosted(context.client, { ...thread, since: first.sendingSince, mark, thread: thread.ts })
    : null;
  if (lost) {
    const last = Number(lost.blockId.slice(mark.length));
    for (const line of lines.filter((one) => one.id <= last)) await markLineSent(context.pool, line.id, lost.ts);
    return;
  }
  const text = lines.map((line) => toMrkdwn(line.text)).join('\n');
  await markLineSending(context.pool, first.id);
  const { ts } = await context.client.chat.postMessage({
    channel: thread.channel,
    thread_ts: thread.ts,
    text,
    blocks: [
      {
        type: 'section',
        block_id: `${mark}${lines.at(-1)?.id}`,
        text: { type: 'mrkdwn', text: text.slice(0, 3_000) },
      },
    ],
    unfurl_links: false,
  });
  for (const line of lines) await markLineSent(context.pool, line.id, ts ?? '');
  await sleep(paceMs);
}

async function onFailure(context: DrainContext, channel: string, error: unknown): Promise<void> {
  const failure = slackFailure(error);
  context.onError(failure.code);
  context.log.warn({ channel, ...errorFields(error), code: failure.code }, 'slack did not take it; it stays due');
  await holdChannel(context.pool, channel, failure.retryAfterSeconds);
}
