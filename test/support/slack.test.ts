import type { App, BlockAction, ButtonAction } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connectClient, startBolt, stopBolt } from './slack/bolt.ts';
import { type StrictSlack, startSlack, waitFor } from './slack.ts';

let slack: StrictSlack;
const apps: App[] = [];
const start = async (use: (app: App) => void) => apps.push(await startBolt(slack, use));

beforeAll(async () => {
  slack = await startSlack();
});
afterEach(async () => {
  await stopBolt(slack, apps.splice(0));
  await slack.reset();
});
afterAll(() => slack.stop());

const button = { type: 'button', action_id: 'approve', value: 'R-1', text: { type: 'plain_text', text: 'Approve' } };
const click = { user: 'U0MIRA', channel: 'C0OPS', actionId: 'approve' };

async function postCard(): Promise<string> {
  const blocks = [{ type: 'actions', block_id: 'card/1', elements: [button] }];
  return String((await connectClient(slack).chat.postMessage({ channel: 'C0OPS', text: 'a card', blocks })).ts);
}

describe('clicks', () => {
  test('reach one of two connected apps in turn, once, and are acknowledged', async () => {
    const clicks: string[] = [];
    for (const name of ['first', 'second']) {
      await start((app) =>
        app.action<BlockAction<ButtonAction>>('approve', async ({ ack, body, action, client }) => {
          await ack();
          clicks.push(`${body.user.id} ${action.value} ${action.block_id}`);
          await client.chat.update({ channel: 'C0OPS', ts: String(body.message?.ts), text: `seen by ${name}` });
        }),
      );
    }
    const ts = await postCard();
    expect(slack.connected).toBe(2);
    const again = await postCard();
    await slack.click({ ...click, ts });
    await slack.click({ ...click, ts: again, user: 'U0TOM' });
    for (const name of ['first', 'second']) await slack.waitForMessage('C0OPS', (it) => it.text === `seen by ${name}`);

    expect(clicks).toEqual(['U0MIRA R-1 card/1', 'U0TOM R-1 card/1']);
    expect(slack.acks.map(({ envelope }) => envelope.type)).toEqual(['interactive', 'interactive']);
    expect(slack.acks.every(({ ackMs }) => ackMs !== null && ackMs < 3_000)).toBe(true);
    expect(slack.violations).toEqual([]);
  });

  test('need a button that is there', async () => {
    const ts = await postCard();
    await expect(slack.click({ ...click, ts, actionId: 'deny' })).rejects.toThrow('approve=R-1');
  });

  test('reach every app when envelopes are broadcast', async () => {
    const loud = await startSlack({ broadcast: true });
    const clicks: string[] = [];
    const use = (app: App) => app.action('approve', ({ ack }) => ack().then(() => void clicks.push('click')));
    const both = [await startBolt(loud, use), await startBolt(loud, use)];
    const blocks = [{ type: 'actions', elements: [button] }];
    const posted = await connectClient(loud).chat.postMessage({ channel: 'C0OPS', text: 'a card', blocks });
    await loud.click({ ...click, ts: String(posted.ts) });
    await waitFor('both', () => clicks.length === 2 || undefined);
    await stopBolt(loud, both);
    await loud.stop();
  });

  test('arrive again after Slack was down, and after it asked to connect anew', async () => {
    const clicks: string[] = [];
    await start((app) => app.action('approve', ({ ack }) => ack().then(() => void clicks.push('click'))));
    const ts = await postCard();
    const pressUntilHeard = () =>
      waitFor('a click', async () => {
        await slack.click({ ...click, ts });
        return clicks.splice(0).length > 0 || undefined;
      });
    await slack.down();
    await expect(connectClient(slack).auth.test()).rejects.toThrow();
    await slack.up();
    await pressUntilHeard();
    slack.recycle();
    await waitFor('the old socket to go', () => slack.connected === 0 || undefined);
    await pressUntilHeard();
  });
});

describe('answers', () => {
  test('to a command are for its asker alone', async () => {
    await start((app) =>
      app.command('/pg', async ({ ack, respond }) => {
        await ack('working on it');
        await respond('done');
      }),
    );
    await slack.command({ user: 'U0MIRA', channel: 'C0OPS', text: 'check' });
    await waitFor('both', () => slack.answers.length === 2 || undefined);
    expect(slack.answers.map(({ user, channel, text }) => `${user} ${channel} ${text}`).sort()).toEqual([
      'U0MIRA C0OPS done',
      'U0MIRA C0OPS working on it',
    ]);
    const stored = await waitFor('both', async () => {
      const messages = await slack.messages('C0OPS');
      return messages.length === 2 ? messages : undefined;
    });
    expect(stored.map((each) => each.ephemeral_to)).toEqual(['U0MIRA', 'U0MIRA']);
    expect((await connectClient(slack).conversations.history({ channel: 'C0OPS' })).messages).toEqual([]);
  });

  test('go through a response_url five times within half an hour', async () => {
    const urls: string[] = [];
    await start((app) =>
      app.command('/pg', async ({ ack, body }) => ack().then(() => void urls.push(body.response_url))),
    );
    for (const text of ['one', 'two']) await slack.command({ user: 'U0MIRA', channel: 'C0OPS', text });
    const [first = '', second = ''] = urls;
    const headers = { 'content-type': 'application/json' };
    const post = async (url: string) => (await fetch(url, { method: 'POST', headers, body: '{"text":"hi"}' })).status;
    const statuses = [];
    for (let i = 0; i < 6; i += 1) statuses.push(await post(first));
    slack.advance(31 * 60_000);
    expect([...statuses, await post(second)]).toEqual([200, 200, 200, 200, 200, 404, 404]);
    expect(slack.violations.map(({ error }) => error)).toEqual(['used_url', 'expired_url']);
  });
});

describe('modals', () => {
  const text = (it: string) => ({ type: 'plain_text' as const, text: it });
  const element = { type: 'plain_text_input' as const, action_id: 'text' };
  const reason = { type: 'input' as const, block_id: 'reason', label: text('Reason'), element };
  const view: ModalView = {
    type: 'modal',
    callback_id: 'why',
    title: text('Why'),
    submit: text('Go'),
    blocks: [reason],
  };
  const values = (value: string) => ({ reason: { text: { type: 'plain_text_input', value } } });

  test('open, keep their id when updated, refuse and take a submission', async () => {
    const ids: (string | undefined)[] = [];
    await start((app) => {
      app.command('/pg', async ({ ack, body, client }) => {
        await ack();
        const opened = await client.views.open({ trigger_id: body.trigger_id, view });
        const change = { view_id: String(opened.view?.id), view: { ...view, private_metadata: 'R-1' } };
        const updated = await client.views.update({ ...change, hash: String(opened.view?.hash) });
        ids.push(opened.view?.id, updated.view?.id);
        await client.views.update(change);
        const stale = client.views.update({ ...change, hash: String(opened.view?.hash) });
        ids.push(await stale.catch((error) => error.data.error));
      });
      app.view('why', async ({ ack, body }) => {
        ids.push(body.view.id, body.view.private_metadata);
        const value = body.view.state.values['reason']?.['text']?.value;
        await (value === 'because' ? ack() : ack({ response_action: 'errors', errors: { reason: 'say why' } }));
      });
    });
    await slack.command({ user: 'U0MIRA', channel: 'C0OPS', text: 'why' });
    await waitFor('the updates', () => ids.length === 3 || undefined);
    expect(await slack.submitView('U0MIRA', values('no'))).toEqual({ errors: { reason: 'say why' }, view: null });
    expect(await slack.modal()).not.toBeNull();
    expect(await slack.submitView('U0MIRA', values('because'))).toEqual({ errors: null, view: null });
    expect(ids).toEqual([ids[0], ids[0], 'hash_conflict', ids[0], 'R-1', ids[0], 'R-1']);
  });

  test('need a trigger that is fresh and unused', async () => {
    const triggers: string[] = [];
    await start((app) =>
      app.command('/pg', async ({ ack, body }) => ack().then(() => void triggers.push(body.trigger_id))),
    );
    for (const it of ['one', 'two']) await slack.command({ user: 'U0MIRA', channel: 'C0OPS', text: it });
    const open = (trigger = '') => connectClient(slack).views.open({ trigger_id: trigger, view });
    await open(triggers[0]);
    await expect(open(triggers[0])).rejects.toThrow('exchanged_trigger_id');
    slack.advance(3_100);
    await expect(open(triggers[1])).rejects.toThrow('expired_trigger_id');
    await expect(open('made-up')).rejects.toThrow('invalid_trigger_id');
  });
});
