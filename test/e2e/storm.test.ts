import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { type HotRow, makeHotRow } from '../support/hot-row.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const channel = 'C0OPS';
const ana = 'U0ANA';
/** No tick comes: whatever is looked at after the first look is looked at because of the storm. */
const lockChains =
  '{ schedule: "0 0 0 1 1 *", after: 0s, thresholds: { minWaitSeconds: 4, criticalWaitSeconds: 600, criticalVictims: 500 } }';

let slack: StrictSlack;
let watched: Database;
let state: Database;
let bot: Service;
let hotRow: HotRow;

beforeAll(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
  const [monitorUrl, signalUrl] = [watched.url('monitor'), watched.url('actor')];
  bot = await startBot({ slack, stateUrl: state.url(), monitorUrl, signalUrl, lockChains });
  await until('the bot to be connected', () => slack.connected === 1);
});
afterAll(async () => {
  await hotRow?.end();
  await bot?.stop();
  await slack?.stop();
});

describe('a storm on a row that 40 sessions update in turn', () => {
  it('is one alert without a button, looked at every 3 s while it lasts even if a look is lost, and its worst is kept', async () => {
    expect(await command('locks shop')).toMatch(
      /^🟢 Nobody waits for a lock on shop \(looked just now, \d+ ms\)\.\nNo storm was seen there in the last 30 days\.$/,
    );
    hotRow = await makeHotRow(watched, 40, 0.3);
    await until('the first look that sees a storm', async () => {
      await command('check lock-chains shop');
      return (await samples()).length > 0;
    });
    const seen = await until('four more', async () => (await samples()).length >= 5 && (await samples()), 100_000);
    for (const [index, { at }] of seen.slice(1).entries()) {
      const gap = (at.getTime() - (seen[index]?.at.getTime() ?? 0)) / 1000;
      expect(gap).toBeGreaterThan(2.9);
      // A busy machine makes looks slow, and slow looks come less often.
      expect(gap).toBeLessThan(32);
    }
    const now = await command('locks shop');
    expect(now).toMatch(
      /^🔴 On shop .*:\nprimary: \d+ sessions wait in turn for a row of public\.hot\n```\n\d+ active/,
    );
    expect(now).toMatch(/└─ … \d+ more\n```\nA storm since [\d:]+(; it was at no time worse|\. At its worst, )/);
    const cards = await cardsOf(slack);
    expect(cards.map(textOf)).toEqual([expect.stringMatching(/Who wants it: web \(role app\) \d+ sessions/)]);
    expect(textOf(cards[0] ?? { text: '' })).not.toContain('Fix:');
    expect((await state.run('select from pgorderly.alerts')).rowCount).toBe(1);
    expect((await state.run('select from pgorderly.runs')).rowCount).toBe(0);

    await loseNextLook();
    const before = (await samples()).length;
    await command('check lock-chains shop');
    await until('the looks to go on', async () => (await samples()).length >= before + 3, 100_000);

    await hotRow.end();
    const calm = await until('the looks to stop', async () => {
      const { rows } = await state.run(
        `select storm_next_at + interval '3.5 s' < clock_timestamp() as "isOver",
           (select count(*)::int from pgorderly.storm_samples) as count from pgorderly.checks`,
      );
      return rows[0].isOver && rows[0];
    });
    for (let check = 0; check < 3; check++) await command('check lock-chains shop');
    const resolved = await until('the card to be resolved', async () => {
      const [card] = await cardsOf(slack);
      return card && textOf(card).includes('🟢') && textOf(card);
    });
    expect(resolved).toMatch(/At its worst, [\d:]+: \d\d sessions waited, the longest for \d+ s\./);
    expect(resolved).toMatch(/└─ … \d+ more/);
    expect((await samples()).length).toBe(calm.count);
    expect(await command('locks shop')).toMatch(
      /^🟢 Nobody waits for a lock on shop .*\nLast storm from [\d:]+ to [\d:]+\. At its worst, [\d:]+: \d\d sessions waited[\s\S]*waits/,
    );
    expect(slack.violations).toEqual([]);
  }, 240_000);

  it('is told to whoever asks for a target that there is not which one is near', async () => {
    expect(await command('locks shpo')).toBe(
      'There is no target "shpo". Did you mean `/pg locks shop`? For example: `/pg locks shop`',
    );
  });
});

/** What the channel shows: neither what is below it nor what only one sees. */
async function cardsOf(from: StrictSlack) {
  const messages = await from.messages(channel);
  return messages.filter(({ ephemeral_to: to, thread_ts: thread, ts }) => !to && (!thread || thread === ts));
}

async function command(text: string): Promise<string> {
  slack.answers.length = 0;
  await slack.command({ user: ana, channel, text });
  return (await until('the answer', () => slack.answers[0])).text;
}

/** Its entry comes, and is taken for one of an older tick. */
async function loseNextLook(): Promise<void> {
  await state.run("update pgorderly.checks set tick_at = 'infinity'");
  await until('its time to be past', async () => {
    const { rows } = await state.run(
      "select storm_next_at + interval '1 s' < clock_timestamp() as past from pgorderly.checks",
    );
    return rows[0].past;
  });
  await state.run("update pgorderly.checks set tick_at = 'epoch'");
}

async function samples(): Promise<{ at: Date }[]> {
  return (await state.run('select at from pgorderly.storm_samples order by at')).rows;
}
