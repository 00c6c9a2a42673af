import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { type Card, type Cards, openCards } from '../support/cards.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type Fault, type SlackMessage, type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const channels = Array.from({ length: 16 }, (_, index) => `C0ROOM${index}`);
const users = [{ id: 'U0MIRA', name: 'mira' }];
const workspace = {
  users,
  channels: ['C0OPS', ...channels].map((id) => ({ id, name: id.toLowerCase(), members: ['U0MIRA', 'U0BOT'] })),
};
const timing = { leaseSeconds: 15, sweepSeconds: 0.5, patienceSeconds: 20 };

let slack: StrictSlack;
let state: Database;
let watched: Database;
let cards: Cards;
let bots: Service[];

beforeAll(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack({ ...workspace, rateLimit: true });
  bots = [await startReplica()];
  cards = openCards(state);
});

afterAll(async () => {
  await Promise.all(bots.map((bot) => bot.stop()));
  await slack?.stop();
});

function startReplica(): Promise<Service> {
  return startBot({ slack, stateUrl: state.url(), monitorUrl: watched.url('monitor'), timing });
}

/** Each test has a channel of its own. */
function nextChannel(): string {
  const channel = channels.pop();
  if (!channel) throw new Error('the workspace needs more channels');
  return channel;
}

async function shown(card: Card): Promise<string> {
  return until('the card and its lines to be shown', async () => {
    const { ts, isShown, unsentLines } = await card.stored();
    return isShown && unsentLines === 0 ? ts : null;
  });
}

/** Cards of a channel by their titles, in the order of posting. */
async function titles(channel: string): Promise<string[]> {
  const posts = (await slack.messages(channel)).filter((message) => !message.thread_ts);
  return posts.sort(byTime).map((message) => /· (.*)\*/.exec(textOf(message))?.[1] ?? '');
}

async function threadOf(channel: string, ts: string): Promise<string[]> {
  return (await slack.thread(channel, ts)).sort(byTime).flatMap((message) => textOf(message).split('\n'));
}

async function deleteMessage(channel: string, ts: string): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${slack.botToken}` };
  await fetch(`${slack.apiUrl}chat.delete`, { method: 'POST', headers, body: JSON.stringify({ channel, ts }) });
}

function byTime(a: SlackMessage, b: SlackMessage): number {
  return Number(a.ts) - Number(b.ts);
}

function callsOf(channel: string, method?: string) {
  return slack.calls.filter((call) => call.args['channel'] === channel && (!method || call.method === method));
}

describe.concurrent('a card is shown once', () => {
  const faults: { it: string; with: Fault['with'] }[] = [
    { it: 'is refused by 429', with: { status: 429, retryAfter: 2 } },
    { it: 'never reaches Slack', with: 'drop-before' },
    { it: 'is taken, and the answer lost', with: 'drop-after' },
    { it: 'is answered by 500', with: { status: 500 } },
    { it: 'is never answered', with: 'stall' },
  ];

  it.each(faults)('also if its post $it', async ({ with: kind }) => {
    const channel = nextChannel();
    slack.fail({ method: 'chat.postMessage', where: (args) => args['channel'] === channel, with: kind });
    const card = await cards.make('disk is full', { channel, lines: ['first', 'second'] });
    const ts = await shown(card);
    expect(await titles(channel)).toEqual(['disk is full']);
    expect(await threadOf(channel, ts)).toEqual(['first', 'second']);
  });

  it.each(faults.slice(1, 3))('also if a line of its thread $it', async ({ with: kind }) => {
    const channel = nextChannel();
    const isLine = (args: Record<string, unknown>) => args['channel'] === channel && Boolean(args['thread_ts']);
    slack.fail({ method: 'chat.postMessage', where: isLine, with: kind });
    const card = await cards.make('disk is full', { channel, lines: ['first', 'second'] });
    await until('the fault to have been met', () => callsOf(channel).some((call) => isLine(call.args)));
    await card.change(['third']);
    const ts = await shown(card);
    expect(await titles(channel)).toEqual(['disk is full']);
    expect(await threadOf(channel, ts)).toEqual(['first', 'second', 'third']);
  });
});

describe.concurrent('a channel', () => {
  it('is left alone for as long as Slack says with 429, while the others go on', async () => {
    const [held, free] = [nextChannel(), nextChannel()];
    const where = (args: Record<string, unknown>) => args['channel'] === held;
    slack.fail({ method: 'chat.postMessage', where, with: { status: 429, retryAfter: 4 } });
    const card = await cards.make('held', { channel: held });
    await until('the refusal', () => callsOf(held).some((call) => call.outcome?.includes('429')));
    const other = await cards.make('free', { channel: free });
    await shown(other);
    expect((await card.stored()).ts).toBeNull();
    await shown(card);
    const [refused, next] = callsOf(held).map((call) => call.at);
    expect((next ?? 0) - (refused ?? 0)).toBeGreaterThanOrEqual(3_900);
  });

  it('is called about once a second, card after card and line after line in their order', async () => {
    const channel = nextChannel();
    const numbers = [1, 2, 3, 4];
    const made: Card[] = [];
    for (const number of numbers) made.push(await cards.make(`card ${number}`, { channel, lines: [`a${number}`] }));
    for (const [index, card] of made.entries()) await card.change([`b${index + 1}`, `c${index + 1}`]);
    const posted = [];
    for (const card of made) posted.push(await shown(card));
    expect(await titles(channel)).toEqual(numbers.map((number) => `card ${number}`));
    for (const [index, ts] of posted.entries())
      expect(await threadOf(channel, ts)).toEqual(['a', 'b', 'c'].map((letter) => `${letter}${index + 1}`));
    const times = callsOf(channel).map((call) => call.at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(900);
    expect(callsOf(channel).filter((call) => call.outcome === '429')).toEqual([]);
  });

  it('shows every line of a thread, also those that do not fit into one message', async () => {
    const channel = nextChannel();
    const lines = Array.from({ length: 8 }, (_, index) => `${index} ${'x'.repeat(900)}`);
    const ts = await shown(await cards.make('much to say', { channel, lines }));
    expect(await threadOf(channel, ts)).toEqual(lines);
  });

  it('gets a card anew whose message was deleted, and its next lines below it', async () => {
    const channel = nextChannel();
    const card = await cards.make('deleted', { channel, lines: ['before'] });
    const ts = await shown(card);
    await deleteMessage(channel, ts);
    await card.change(['after']);
    const anew = await until('another message', async () => {
      const now = await shown(card);
      return now !== ts && now;
    });
    expect(await titles(channel)).toEqual(['deleted']);
    expect(await threadOf(channel, anew)).toEqual(['after']);
  });

  it('shows the other cards where Slack will not have one', async () => {
    const channel = nextChannel();
    const where = (args: Record<string, unknown>) => JSON.stringify(args['blocks'] ?? '').includes('unfit');
    slack.fail({ method: 'chat.postMessage', where, times: 1_000, with: { error: 'invalid_blocks' } });
    const unfit = await cards.make('unfit', { channel });
    await shown(await cards.make('fit', { channel }));
    expect((await unfit.stored()).ts).toBeNull();
    expect(await titles(channel)).toEqual(['fit']);
  });
});

describe('two replicas', () => {
  it('post nothing twice, and together keep to the pace', async () => {
    bots.push(await startReplica());
    const rooms = [nextChannel(), nextChannel()];
    const made = await Promise.all(
      ['one', 'two', 'three'].flatMap((title) =>
        rooms.map((channel) => cards.make(title, { channel, lines: [`${title} a`, `${title} b`] })),
      ),
    );
    for (const card of made) await card.change([`${card.id} c`]);
    for (const card of made) await shown(card);
    for (const channel of rooms) {
      expect((await titles(channel)).sort()).toEqual(['one', 'three', 'two']);
      const lines = (await slack.messages(channel))
        .filter((message) => message.thread_ts)
        .flatMap((message) => textOf(message).split('\n'));
      expect(lines).toHaveLength(9);
      expect(new Set(lines).size).toBe(9);
      expect(callsOf(channel).filter((call) => call.outcome === '429')).toEqual([]);
    }
  });
});
