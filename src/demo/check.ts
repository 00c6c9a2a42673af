import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { PgorderlyError } from '../errors.ts';
import { wordsOf } from './narrate.ts';
import type { SlackMessage } from './slack-control.ts';
import { channel, people, type Stage } from './stage.ts';
import { troubles } from './trouble.ts';

const limitSeconds = 90;

/** Plays the story without a person, through the local Slack's own interfaces; throws demo-failed. */
export async function playStory(stage: Stage, tell: (line: string) => void): Promise<void> {
  const startedAt = performance.now();
  const step = async <T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> => {
    for (;;) {
      const seen = await look();
      const seconds = (performance.now() - startedAt) / 1000;
      if (seen) {
        tell(`${seconds.toFixed(1).padStart(5)} s  ${what}`);
        return seen;
      }
      if (seconds > limitSeconds) throw new PgorderlyError('demo-failed', `not within ${limitSeconds} s: ${what}`);
      await sleep(100);
    }
  };
  const { control } = stage.slack;
  const ending = new AbortController();
  const [queue, statement, dump] = troubles;
  if (!queue || !statement || !dump) throw new Error('the demo has no trouble to make');
  const queueing = queue.run(stage.shop, ending.signal);
  try {
    const card = await step('the lock queue is on a card', () => findCard(stage, 'wait behind one idle transaction'));
    const ddl = await step('cancel-queued-ddl is offered first', async () => findButton(card, 'approve'));
    await press(stage, card, { ...ddl, user: people.ana });
    await step('ana may not approve, and is told so', () => findAnswer(stage, 'not among those who may'));
    const now = await step('the root is offered too', () => findCard(stage, 'terminate-session'));
    const end = await step('its button is there', async () => findButton(now, 'approve', 'terminate-session'));
    await press(stage, now, { ...end, user: people.mira });
    await step('the card says who approved', () => findCard(stage, `<@${people.mira}>`));
    await queueing;
    await step('everybody who waited came through', async () => true);
    await step('the steps are in the thread', () => findLine(stage, 'verified after'));
    await step('the card is resolved, with before and after', () => findCard(stage, '🟢', 'waiting sessions'));
    await press(stage, now, { ...ddl, user: people.tom });
    await step('a late click is answered, with why', () => findAnswer(stage, 'it was withdrawn'));
    const reporting = statement.run(stage.shop, ending.signal);
    const second = await step('the long statement is on a card', () => findCard(stage, 'cancel-query'));
    await press(stage, second, { ...(await findButtonOf(second, 'deny')), user: people.tom });
    await step('a denied fix says who denied it', () => findCard(stage, `denied by <@${people.tom}>`));
    const dumping = dump.run(stage.shop, ending.signal);
    const third = await step('50 readers behind a migration behind pg_dump are on a card', () =>
      findCard(stage, '51 sessions wait behind one running statement', 'frees 50 of 51'),
    );
    await press(stage, third, { ...(await findButtonOf(third, 'approve')), user: people.mira });
    await step('the migration is cancelled, the readers go on, and so does pg_dump', () =>
      findCard(stage, 'Fixed by cancel-queued-ddl', '→ 0'),
    );
    ending.abort();
    await Promise.all([reporting, dumping]);
  } finally {
    ending.abort();
    await queueing;
  }
  await step('/pg status is answered', async () => {
    await control.command({ channel: channel.id, user: people.ana, command: '/pg', text: 'status' });
    return findAnswer(stage, 'Audit head');
  });
}

interface Button {
  actionId: string;
  value: string;
  blockId: string;
}

async function findCard(stage: Stage, ...wanted: string[]): Promise<SlackMessage | undefined> {
  const messages = await stage.slack.control.messages(channel.id);
  return messages.findLast((message) => {
    const words = wordsOf(message);
    return !message.ephemeral_to && wanted.every((each) => words.includes(each));
  });
}

async function findLine(stage: Stage, wanted: string): Promise<SlackMessage | undefined> {
  const messages = await stage.slack.control.messages(channel.id);
  return messages.find((message) => message.thread_ts && wordsOf(message).includes(wanted));
}

async function findAnswer(stage: Stage, wanted: string): Promise<SlackMessage | undefined> {
  const messages = await stage.slack.control.messages(channel.id);
  return messages.find((message) => message.ephemeral_to && wordsOf(message).includes(wanted));
}

/** The first button of that action; with `below`, the first after a block that says so. */
function findButton(message: SlackMessage, actionId: string, below?: string): Button | null {
  const blocks = (message.blocks ?? []) as { type: string; block_id?: string; elements?: unknown[] }[];
  const from = below === undefined ? 0 : blocks.findIndex((block) => JSON.stringify(block).includes(below));
  for (const block of from < 0 ? [] : blocks.slice(from))
    for (const element of (block.elements ?? []) as { action_id?: string; value?: string }[])
      if (element.action_id === actionId)
        return { actionId, value: element.value ?? '', blockId: block.block_id ?? '' };
  return null;
}

async function findButtonOf(message: SlackMessage, actionId: string): Promise<Button> {
  const button = findButton(message, actionId);
  if (!button) throw new PgorderlyError('demo-failed', `the card has no button ${actionId}`);
  return button;
}

async function press(stage: Stage, message: SlackMessage, button: Button & { user: string }): Promise<void> {
  await stage.slack.control.interact({
    channel: channel.id,
    messageTs: message.ts,
    user: button.user,
    action: { type: 'button', action_id: button.actionId, block_id: button.blockId, value: button.value },
  });
}
