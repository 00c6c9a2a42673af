import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { type BotProcess, readiness, spawnBot, startBot } from '../support/bot.ts';
import { type Cards, openCards } from '../support/cards.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const timing = { leaseSeconds: 15, sweepSeconds: 0.5, patienceSeconds: 20 };

let slack: StrictSlack;
let state: Database;
let watched: Database;
let cards: Cards;
const stops: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
});

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await slack.stop();
});

async function start(): Promise<Service> {
  const bot = await startBot({ ...urls(), slack, timing });
  stops.push(() => bot.stop());
  cards = openCards(state);
  return bot;
}

async function spawn(tokens: Partial<Pick<StrictSlack, 'botToken' | 'appToken'>>): Promise<BotProcess> {
  const { apiUrl, botToken, appToken } = slack;
  const bot = await spawnBot({ ...urls(), slack: { apiUrl, botToken, appToken, ...tokens } });
  stops.push(() => bot.stop('SIGKILL'));
  return bot;
}

function urls() {
  return { stateUrl: state.url(), monitorUrl: watched.url('monitor'), signalUrl: watched.url('actor') };
}

async function slackPart(port: number) {
  return (await readiness(port)).parts['slack'];
}

async function untilConnected(bot: Service): Promise<void> {
  await until('slack to be connected', async () => (await slackPart(bot.httpPort))?.ok);
}

/** Checks go on while Slack is away: one more ends than had ended before. */
async function untilCheckedAgain(): Promise<void> {
  const count = async () => {
    const { rows } = await state.run(
      "select finished_at::text from pgorderly.checks where outcome in ('ok', 'findings')",
    );
    return rows[0]?.finished_at;
  };
  const before = await count();
  await until('another check', async () => (await count()) !== before);
}

describe('while Slack', () => {
  it('is down at the start, it checks and stores; it posts and is ready once Slack is there', async () => {
    await slack.down();
    const bot = await start();
    const storm = await makeRowLockStorm(watched);
    await until('the alert to be stored', async () => {
      const { rows } = await state.run("select from pgorderly.alerts where state = 'firing'");
      return rows.length === 1;
    });
    await untilCheckedAgain();
    expect(await readiness(bot.httpPort)).toMatchObject({
      ready: false,
      parts: { slack: { ok: false, detail: 'ECONNREFUSED' } },
    });
    await slack.up();
    await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('2 sessions wait'));
    await untilConnected(bot);
    expect((await readiness(bot.httpPort)).ready).toBe(true);
    await storm.end();
  });

  it('is away for 12 s, it says so; then it posts what came meanwhile, and clicks arrive again', async () => {
    const bot = await start();
    await untilConnected(bot);
    const downAt = Date.now();
    await slack.down();
    await until('readyz to say so', async () => (await slackPart(bot.httpPort))?.ok === false);
    const storm = await makeRowLockStorm(watched);
    await until('12 s to pass', () => Date.now() - downAt > 12_000);
    await untilCheckedAgain();
    await slack.up();
    await untilConnected(bot);
    const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('Fix: terminate-session'));
    await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
    await storm.through;
    await storm.end();
  });

  it('asks to connect anew, it does so at once', async () => {
    const bot = await start();
    await untilConnected(bot);
    slack.recycle();
    await until('the socket to be closed', async () => slack.connected === 0 || !(await slackPart(bot.httpPort))?.ok);
    await until('another socket', () => slack.connected === 1, 5_000);
  });

  it('refuses the app token at a reconnect, it lives, says so and goes on posting', async () => {
    const bot = await start();
    await untilConnected(bot);
    slack.fail({ method: 'apps.connections.open', times: 100, with: { error: 'invalid_auth' } });
    slack.recycle();
    await until('readyz to say so', async () => (await slackPart(bot.httpPort))?.detail === 'invalid_auth');
    await cards.make('posted all the same');
    await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('posted all the same'));
  });
});

describe('a wrong token at the start', () => {
  it.each(['botToken', 'appToken'] as const)(
    '%s: is told in the log, readyz is not ok, checks go on',
    async (which) => {
      const bot = await spawn({ [which]: 'xo-wrong' });
      const line = await until('the log to say so', () => findLine(bot, (one) => one['code'] === 'invalid_auth'));
      expect(line).toMatchObject({
        event: 'slack lost; trying again',
        hint: expect.stringContaining('slack.botToken'),
      });
      expect(bot.output()).not.toContain('xo-wrong');
      const started = await until('the service to be up', () => findLine(bot, (one) => one['event'] === 'started'));
      expect(await slackPart(Number(started['port']))).toEqual({ ok: false, detail: 'invalid_auth' });
      await untilCheckedAgain();
    },
  );
});

function findLine(
  bot: BotProcess,
  is: (line: Record<string, unknown>) => boolean,
): Record<string, unknown> | undefined {
  const lines = bot
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(is);
}
