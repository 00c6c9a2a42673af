import type { App } from '@slack/bolt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, browserAvailable, openBrowser } from '../browser.ts';
import { type StrictSlack, startSlack } from '../slack.ts';
import { connectClient, startBolt, stopBolt } from './bolt.ts';

const text = (it: string) => ({ type: 'plain_text' as const, text: it });
const fence = '```4711 idle\n├─ 4802   waits *a* &lt;b&gt;```';
const card = {
  channel: 'C0OPS',
  text: 'a card',
  blocks: [
    { type: 'header' as const, text: text('37 sessions wait') },
    { type: 'section' as const, text: { type: 'mrkdwn' as const, text: fence } },
    {
      type: 'actions' as const,
      elements: [{ type: 'button' as const, action_id: 'why', text: text('Approve'), style: 'primary' as const }],
    },
  ],
};

describe.runIf(browserAvailable())('the page', () => {
  let slack: StrictSlack;
  let app: App;
  let browser: Browser;

  beforeAll(async () => {
    slack = await startSlack();
    app = await startBolt(slack, (bolt) => {
      bolt.action('why', async ({ ack, body, client }) => {
        await ack();
        const element = { type: 'plain_text_input' as const, action_id: 'text' };
        const blocks = [{ type: 'input' as const, block_id: 'reason', label: text('Reason'), element }];
        const { trigger_id } = body as { trigger_id: string };
        const view = { type: 'modal' as const, callback_id: 'why', title: text('Why'), submit: text('Go'), blocks };
        await client.views.open({ trigger_id, view });
      });
      bolt.view('why', async ({ ack, body, client }) => {
        await ack();
        const reason = body.view.state.values['reason']?.['text']?.value;
        await client.chat.postMessage({ channel: 'C0OPS', text: `<@${body.user.id}> says ${reason}` });
      });
      bolt.command('/pg', async ({ ack, body }) => ack(`you asked for ${body.text}`));
    });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await stopBolt(slack, [app]);
    await slack.stop();
  });

  test('acts as the chosen person: clicks, fills a modal, sends a command', async () => {
    const { page } = browser;
    const root = await connectClient(slack).chat.postMessage(card);
    await connectClient(slack).chat.postMessage({
      channel: 'C0OPS',
      thread_ts: String(root.ts),
      text: 'in the thread',
    });
    await page.goto(slack.url);
    await page.locator('.actas select').selectOption('U0TOM');
    const message = page.locator(`.messages .msg[data-ts="${root.ts}"]`);
    expect(await message.locator('.bk-header').innerText()).toBe('37 sessions wait');
    expect(await message.locator('pre').innerText()).toBe('4711 idle\n├─ 4802   waits *a* <b>');

    await message.getByRole('button', { name: 'Approve' }).click();
    await page.locator('.modal .bk-plain-input').fill('because');
    await page.locator('.modal-foot .modal-btn.primary').click();
    await page.getByText('@Tom Berg says because').waitFor();
    await page.locator('.modal').waitFor({ state: 'detached' });

    await page.locator('main .composer-input').fill('/pg status');
    await page.locator('main .composer-input').press('Enter');
    await page.getByText('you asked for status').waitFor();
    expect(await page.locator('.badge-eph').count()).toBe(1);

    await message.locator('.thread-summary').click();
    await page.locator('.thread-pane').getByText('in the thread').waitFor();
    expect(slack.violations).toEqual([]);
  });
});
