import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { type Browser, browserAvailable, openBrowser } from '../support/browser.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack } from '../support/slack.ts';

describe.skipIf(!browserAvailable())('a person in a browser', () => {
  let slack: StrictSlack;
  let watched: Database;
  let bot: Service;
  let browser: Browser;

  beforeAll(async () => {
    watched = await createDatabase(newest);
    const state = await createDatabase(newest);
    slack = await startSlack();
    const [monitorUrl, signalUrl] = [watched.url('monitor'), watched.url('actor')];
    bot = await startBot({ slack, stateUrl: state.url(), monitorUrl, signalUrl });
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await bot?.stop();
    await slack?.stop();
  });

  it('presses Approve, and the sessions that wait come through', async () => {
    const storm = await makeRowLockStorm(watched, 2, 2);
    const { page } = browser;
    await page.goto(slack.url);
    await page.locator('.actas select').selectOption('U0MIRA');
    const card = page.locator('.messages .msg', { hasText: '2 sessions wait behind one idle transaction' }).first();
    await card.getByRole('button', { name: 'Approve', exact: true }).click();
    await storm.through;
    await card.getByText('Fixed by terminate-session').waitFor();
    expect(await card.innerText()).toContain('waiting sessions 2 → 0');
    await card.locator('.thread-summary').click();
    await page.locator('.thread-pane').getByText('verified after').waitFor();
    expect(await page.locator('.badge-eph').count()).toBeGreaterThan(0);
    await storm.end();
  });
});
