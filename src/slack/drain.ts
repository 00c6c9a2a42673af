import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebClient } from '@slack/web-api';
import { errorFields, type Logger } from '../log.ts';
import {
  forgetCardMessage,
  type LaggingCard,
  markCardSending,
  markCardShown,
  markLineSending,
  markLinesSent,
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
import { mrkdwn, toMrkdwn } from './text.ts';

export interface DrainContext {
  pool: StatePool;
  client: WebClient;
  log: Logger;
  /** How long a drainer may be silent: longer than a call takes. */
  leaseSeconds: number;
  timezoneOf(channel: string): string;
  onError(code: string): void;
  /** Drains the channel once more, so many seconds later. */
  again(channel: string, afterSeconds: number): Promise<void>;
  /** True once the service stops: what is left is drained by another, or after the start. */
  isStopping(): boolean;
}

/** One drain of one channel. */
interface Drain extends DrainContext {
  channel: string;
  owner: string;
}

/** DEFAULTS and Slack: about one call a second in a channel. */
const paceMs = 1_000;
/** Slack shows no more in one section. */
const maxLines = 3_000;

/** The message is no more, or cannot be edited any more: the card is posted anew. */
const isGone = new Set(['message_not_found', 'thread_not_found', 'cant_update_message', 'edit_window_closed']);
/** Slack won't have this one message; the others of the channel don't wait for it. */
const isUnfit = new Set(['invalid_blocks', 'invalid_arguments', 'msg_too_long', 'msg_blocks_too_long', 'no_text']);

/**
 * Makes Slack show what is true now: draws each lagging card of a channel afresh, posts or edits it, then sends its
 * thread lines in order. Coalescing, retry, 429, a restart and a deleted message are all this one loop.
 */
export async function drainChannel(context: DrainContext, channel: string): Promise<void> {
  const drain = { ...context, channel, owner: randomUUID() };
  if (!(await mayCall(drain))) return;
  try {
    await showCards(drain);
  } catch (error) {
    await onFailure(drain, error);
  } finally {
    await releaseChannel(drain.pool, channel, drain.owner);
  }
}

async function showCards(drain: Drain): Promise<void> {
  const unfit = new Set<number>();
  for (;;) {
    const lagging = await readLaggingCards(drain.pool, drain.channel);
    const cards = lagging.filter((card) => !unfit.has(card.id));
    if (cards.length === 0) return;
    for (const card of cards) {
      if (!(await mayCall(drain))) return;
      await showCard(drain, card).catch(async (error) => {
        const { code } = slackFailure(error);
        if (isUnfit.has(code)) unfit.add(card.id);
        else if (!isGone.has(code)) throw error;
        else await forgetCardMessage(drain.pool, card.id);
        drain.onError(code);
        drain.log.warn({ card: card.id, code }, 'slack refused a card');
        await sleep(paceMs);
      });
    }
  }
}

/** Asked last before a call that shows something: a drainer that was frozen finds its channel taken. */
async function mayCall(drain: Drain): Promise<boolean> {
  return !drain.isStopping() && (await claimChannel(drain.pool, drain.channel, drain));
}

async function showCard(drain: Drain, card: LaggingCard): Promise<void> {
  let ts = card.ts;
  if (card.shownVersion < card.wantedVersion) ts = await drawCard(drain, card);
  if (ts !== null) await sendLines(drain, card.id, ts);
}

async function drawCard(drain: Drain, card: LaggingCard): Promise<string | null> {
  const facts = await readCardFacts(drain.pool, card);
  const timezone = drain.timezoneOf(card.channel);
  const message = renderCard({ id: card.id, version: card.wantedVersion, facts, timezone });
  const posted = card.ts ?? (card.sendingSince ? await findLostCard(drain, card, card.sendingSince) : null);
  await markCardSending(drain.pool, card.id);
  if (!(await mayCall(drain))) return null;
  const { channel } = card;
  const { ts } = posted
    ? await drain.client.chat.update({ channel, ts: posted, ...message })
    : await drain.client.chat.postMessage({ channel, ...message, unfurl_links: false, unfurl_media: false });
  const shown = posted ?? ts ?? null;
  if (shown !== null) await markCardShown(drain.pool, card.id, card.wantedVersion, shown);
  await sleep(paceMs);
  return shown;
}

async function findLostCard(drain: Drain, card: LaggingCard, since: Date): Promise<string | null> {
  const found = await findPosted(drain.client, { channel: card.channel, since, mark: cardMark(card.id) });
  return found?.ts ?? null;
}

/** The unsent lines of a card in order, as many in a message as fit. What comes meanwhile waits for the card's next drawing. */
async function sendLines(drain: Drain, cardId: number, thread: string): Promise<void> {
  let lines = await readUnsentLines(drain.pool, cardId);
  for (let [first] = lines; first; [first] = lines) {
    const lost = first.sendingSince ? await findLostLines(drain, thread, first) : null;
    const sent = lost ?? (await postLines(drain, thread, lines));
    if (!sent) return;
    await markLinesSent(drain.pool, { cardId, ...sent });
    lines = lines.filter((line) => line.id > sent.last);
    if (!lost) await sleep(paceMs);
  }
}

interface Sent {
  ts: string;
  /** Id of the last line in it. */
  last: number;
}

/** Null where another drainer has the channel by now. The block's id tells the first and the last line. */
async function postLines(drain: Drain, thread: string, lines: readonly ThreadLine[]): Promise<Sent | null> {
  const { first, last, text } = joinLines(lines);
  await markLineSending(drain.pool, first);
  if (!(await mayCall(drain))) return null;
  const { ts = '' } = await drain.client.chat.postMessage({
    channel: drain.channel,
    thread_ts: thread,
    text,
    blocks: [{ type: 'section', block_id: `${lineMark(first)}${last}`, text: mrkdwn(text) }],
    unfurl_links: false,
    unfurl_media: false,
  });
  return { ts, last };
}

function lineMark(first: number): string {
  return `line-${first}-`;
}

async function findLostLines({ client, channel }: Drain, thread: string, first: ThreadLine): Promise<Sent | null> {
  const mark = lineMark(first.id);
  const since = first.sendingSince ?? new Date();
  const found = await findPosted(client, { channel, since, mark, thread });
  return found && { ts: found.ts, last: Number(found.blockId.slice(mark.length)) };
}

function joinLines(lines: readonly ThreadLine[]): { first: number; last: number; text: string } {
  const joined = { first: lines[0]?.id ?? 0, last: 0, text: '' };
  for (const { id, text } of lines) {
    const longer = joined.last === 0 ? toMrkdwn(text).slice(0, maxLines) : `${joined.text}\n${toMrkdwn(text)}`;
    if (longer.length > maxLines) break;
    joined.text = longer;
    joined.last = id;
  }
  return joined;
}

async function onFailure({ pool, log, channel, onError, again }: Drain, error: unknown): Promise<void> {
  const { code, retryAfterSeconds } = slackFailure(error);
  onError(code);
  log.warn({ channel, ...errorFields(error), code }, 'slack did not take it; it stays due');
  await holdChannel(pool, channel, retryAfterSeconds);
  await again(channel, retryAfterSeconds);
}
