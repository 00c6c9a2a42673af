import { setTimeout as sleep } from 'node:timers/promises';
import { errorFields } from '../log.ts';
import type { Text } from '../model.ts';
import { transaction } from '../state/database.ts';
import {
  findUnanswered,
  findUnhandled,
  finishInboxItem,
  type InboxItem,
  lockInboxItem,
  markAnswered,
  type NewInboxItem,
  storeInboxItem,
  voidInboxItem,
} from '../state/inbox.ts';
import type { SlackContext } from './context.ts';
import { handleItem } from './handle.ts';
import { toMrkdwn } from './text.ts';

/** Slack shows its own error after 3 s; what is not stored by then was not recorded. */
const storeWithinMs = 2_500;
/** Longer than a late insert takes to be voided. */
const unhandledGraceSeconds = 60;

/**
 * Accepted = stored = acknowledged: stores what a person asked for, acknowledges it, then handles it. What could not be
 * stored in time is voided, and its writer is told to press again.
 */
export async function takeIn(context: SlackContext, item: NewInboxItem, ack: () => Promise<void>): Promise<void> {
  const { log } = context.remedy;
  const late = Symbol('late');
  const storing = storeInboxItem(context.state.warmPool, item);
  const stored = await Promise.race([storing, sleep(storeWithinMs, late)]).catch((error) => {
    log.warn({ trace: item.trace, ...errorFields(error) }, 'not stored');
    return late;
  });
  await ack();
  if (typeof stored === 'symbol') {
    await answer(item.responseUrl, ['Not recorded, nothing was done: the state database is slow. Press again.']);
    return await voidLate(context, item, storing);
  }
  log.info({ trace: item.trace, kind: item.kind, user: item.person.userId, item: stored }, 'click stored');
  if (stored !== null) await handleStored(context, stored);
}

/** Handles a stored item once, whoever asks; then answers its writer. */
export async function handleStored(context: SlackContext, id: number): Promise<void> {
  const done = await transaction(context.remedy.pool, async (db) => {
    const item = await lockInboxItem(db, id);
    if (!item) return null;
    const handled = await handleItem(context, db, item);
    await finishInboxItem(db, id, handled.answer);
    return { item, handled };
  });
  if (!done) return;
  for (const nudge of done.handled.nudges) await nudge();
  await answerItem(context, { ...done.item, answer: done.handled.answer });
}

/** What a stopped worker left: items without a verdict, verdicts without an answer. */
export async function sweepInbox(context: SlackContext): Promise<void> {
  for (const id of await findUnhandled(context.remedy.pool, unhandledGraceSeconds)) await handleStored(context, id);
  for (const item of await findUnanswered(context.remedy.pool)) await answerItem(context, item);
}

/** Tells one person, through the one address that reaches only them. */
export async function answer(responseUrl: string | null, text: Text): Promise<void> {
  if (responseUrl === null) return;
  const response = await fetch(responseUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ response_type: 'ephemeral', replace_original: false, text: toMrkdwn(text) }),
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`the response_url answered ${response.status}`);
}

async function answerItem(context: SlackContext, item: InboxItem): Promise<void> {
  try {
    await answer(item.responseUrl, item.answer ?? []);
    await markAnswered(context.remedy.pool, item.id);
  } catch (error) {
    context.remedy.log.warn({ trace: item.trace, ...errorFields(error) }, 'answer did not reach its writer yet');
  }
}

/** Until it is certain that a late insert counts for nothing. */
async function voidLate(context: SlackContext, item: NewInboxItem, storing: Promise<unknown>): Promise<void> {
  await storing.catch(() => undefined);
  for (let attempt = 1; attempt <= 20; attempt++) {
    try {
      return await voidInboxItem(context.remedy.pool, item);
    } catch (error) {
      context.remedy.log.warn({ trace: item.trace, attempt, ...errorFields(error) }, 'late item not voided yet');
      await sleep(1_000);
    }
  }
}
