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
import { fitLines, toMrkdwn } from './text.ts';

/** Slack shows its own error after 3 s; what is not stored by then was not recorded. */
const storeWithinMs = 2_500;
/** Slack splits or cuts what is longer. */
const maxAnswer = 3_900;
/** Longer than a late insert takes to be voided. */
const unhandledGraceSeconds = 60;
/** After an outage of the state database longer than that, whoever has to void an item comes first. */
const lookAgainMs = 10_000;
const voidWithinMs = 4_000;
/** As long as a response_url lives: nobody waits for an older click. */
const voidForMs = 30 * 60_000;

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
  await ack().catch((error) => log.warn({ trace: item.trace, ...errorFields(error) }, 'not acknowledged'));
  if (typeof stored === 'symbol') {
    await Promise.all([tellNotRecorded(context, item), voidItem(context, item)]);
    return;
  }
  log.info({ trace: item.trace, kind: item.kind, user: item.person.userId, item: stored }, 'click stored');
  if (stored !== null) await handleSoon(context, stored, item.trace);
}

/** A deadlock or a lost connection is tried again at once; what fails on is left to the sweep. */
async function handleSoon(context: SlackContext, id: number, trace: string): Promise<void> {
  for (let attempt = 1; attempt <= 4; attempt++) {
    try {
      return await handleStored(context, id);
    } catch (error) {
      context.remedy.log.warn({ trace, item: id, attempt, ...errorFields(error) }, 'click not handled yet');
      await sleep(attempt * 500, undefined, { ref: false });
    }
  }
}

/** Handles a stored item once, whoever asks; then answers its writer. */
async function handleStored(context: SlackContext, id: number): Promise<void> {
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
  const { pool } = context.remedy;
  const first = await findUnhandled(pool, unhandledGraceSeconds);
  if (first.length > 0) await sleep(lookAgainMs, undefined, { ref: false });
  const still = first.length > 0 ? await findUnhandled(pool, unhandledGraceSeconds) : [];
  for (const id of first.filter((one) => still.includes(one))) await handleOrClose(context, id);
  for (const item of await findUnanswered(pool)) await answerItem(context, item);
}

/** An item that breaks its handler is closed: it must neither be tried for ever nor hold up the others. */
async function handleOrClose(context: SlackContext, id: number): Promise<void> {
  try {
    await handleStored(context, id);
  } catch (error) {
    context.remedy.log.error({ item: id, ...errorFields(error) }, 'click could not be handled; closing it');
    await transaction(context.remedy.pool, async (db) => {
      const item = await lockInboxItem(db, id);
      const says = `Not done: pgorderly could not handle it (its log tells why under ${item?.trace}). Press again.`;
      if (item) await finishInboxItem(db, id, [says]);
    });
  }
}

/** Tells one person, through the one address that reaches only them. */
export async function answer(responseUrl: string | null, text: Text): Promise<void> {
  if (responseUrl === null) return;
  const response = await fetch(responseUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      response_type: 'ephemeral',
      replace_original: false,
      text: fitLines(toMrkdwn(text), maxAnswer),
    }),
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

async function tellNotRecorded(context: SlackContext, { responseUrl, trace }: NewInboxItem): Promise<void> {
  const says = 'Not recorded, nothing was done: the state database is slow or does not answer. Press again.';
  await answer(responseUrl, [says]).catch((error) =>
    context.remedy.log.warn({ trace, ...errorFields(error) }, 'answer did not reach its writer'),
  );
}

/** Until it is certain that a late insert counts for nothing, before or after it lands; an outage may last. */
async function voidItem(context: SlackContext, item: NewInboxItem): Promise<void> {
  const { pool, log } = context.remedy;
  for (const start = Date.now(); Date.now() - start < voidForMs && !pool.ending; ) {
    try {
      const late = sleep(voidWithinMs, undefined, { ref: false }).then(() => Promise.reject(new Error('no answer')));
      return await Promise.race([voidInboxItem(pool, item), late]);
    } catch (error) {
      log.warn({ trace: item.trace, ...errorFields(error) }, 'late item not voided yet');
      await sleep(1_000, undefined, { ref: false });
    }
  }
}
