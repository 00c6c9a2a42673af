import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type StrictSlack, startSlack } from '../slack.ts';
import { connectClient } from './bolt.ts';

let slack: StrictSlack;
beforeAll(async () => {
  slack = await startSlack();
});
afterEach(() => slack.reset());
afterAll(() => slack.stop());

const post = (text: string, more = {}) => connectClient(slack).chat.postMessage({ channel: 'C0OPS', text, ...more });
const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error) => error.data?.error ?? error.code ?? error.name,
  );

test('what Slack would refuse is refused, recorded and not stored', async () => {
  const blocks = Array.from({ length: 51 }, () => ({ type: 'divider' }));
  const refused = await post('x', { blocks }).catch((error) => error.data);
  expect(refused).toMatchObject({
    error: 'invalid_blocks',
    response_metadata: { messages: ['[ERROR] no more than 50 items allowed [json-pointer:/blocks]'] },
  });
  expect(slack.violations).toMatchObject([{ method: 'chat.postMessage', error: 'invalid_blocks' }]);
  expect(await slack.messages('C0OPS')).toEqual([]);
});

test('tokens, channels and other people’s messages are checked', async () => {
  const web = connectClient(slack);
  const said = await slack.control.say({ channel: 'C0OPS', user: 'U0TOM', text: 'mine' });
  const mine = { channel: 'C0OPS', ts: said.ts };
  const foreign = { channel: 'C0FOREIGN', text: 'x' };
  const outcomes = {
    wrongToken: await errorOf(connectClient(slack, { token: 'xoxb-other' }).auth.test()),
    appToken: await errorOf(connectClient(slack, { token: slack.appToken }).auth.test()),
    noChannel: await errorOf(web.chat.postMessage({ channel: 'C0NONE', text: 'x' })),
    notJoined: await errorOf(web.chat.postMessage(foreign)),
    ephemeral: await errorOf(web.chat.postEphemeral({ channel: 'C0DBA', user: 'U0ANA', text: 'x' })),
    update: await errorOf(web.chat.update({ ...mine, text: 'x' })),
    delete: await errorOf(web.chat.delete(mine)),
    gone: await errorOf(web.chat.update({ ...mine, ts: '1.1', text: 'x' })),
    empty: await errorOf(web.chat.postMessage({ channel: 'C0OPS', text: '' })),
    unknown: await errorOf(web.apiCall('chat.fax')),
  };
  expect(outcomes).toEqual({
    wrongToken: 'invalid_auth',
    appToken: 'not_allowed_token_type',
    noChannel: 'channel_not_found',
    notJoined: 'not_in_channel',
    ephemeral: 'user_not_in_channel',
    update: 'cant_update_message',
    delete: 'cant_delete_message',
    gone: 'message_not_found',
    empty: 'no_text',
    unknown: 'unknown_method',
  });
});

test('history is paged, bounded and keeps block ids and metadata', async () => {
  const block = { type: 'section', block_id: 'card/A-1/7', text: { type: 'mrkdwn', text: 'x' } };
  const metadata = { event_type: 'card', event_payload: { version: 7 } };
  const posted = await post('1', { blocks: [block], metadata });
  for (const text of ['2', '3', '4', '5']) await post(text);
  const web = connectClient(slack);
  const first = await web.conversations.history({ channel: 'C0OPS', limit: 2 });
  const cursor = String(first.response_metadata?.next_cursor);
  const second = await web.conversations.history({ channel: 'C0OPS', limit: 2, cursor });
  expect([first, second].map((page) => page.messages?.map((it) => it.text))).toEqual([
    ['5', '4'],
    ['3', '2'],
  ]);
  expect(second.has_more).toBe(true);

  const bounds = { channel: 'C0OPS', oldest: String(posted.ts), latest: String(first.messages?.[1]?.ts) };
  const between = await web.conversations.history(bounds);
  expect(between.messages?.map((it) => it.text)).toEqual(['3', '2']);
  const inclusive = await web.conversations.history({ ...bounds, inclusive: true, include_all_metadata: true });
  expect(inclusive.messages?.at(-1)).toMatchObject({ text: '1', blocks: [block], metadata });
});

test('replies come oldest first, the root on every page', async () => {
  const channel = 'C0OPS';
  const root = String((await post('root')).ts);
  for (const text of ['1', '2', '3']) await post(text, { thread_ts: root });
  const web = connectClient(slack);
  const first = await web.conversations.replies({ channel, ts: root, limit: 2 });
  const cursor = String(first.response_metadata?.next_cursor);
  const second = await web.conversations.replies({ channel, ts: root, limit: 2, cursor });
  expect([first, second].map((page) => page.messages?.map((it) => it.text))).toEqual([
    ['root', '1', '2'],
    ['root', '3'],
  ]);
  expect((await slack.thread(channel, root)).map((it) => it.text)).toEqual(['1', '2', '3']);
});

test('user groups can be asked for', async () => {
  const web = connectClient(slack);
  expect((await web.usergroups.users.list({ usergroup: 'S0DBA' })).users).toEqual(['U0MIRA', 'U0TOM']);
  expect(await errorOf(web.usergroups.users.list({ usergroup: 'S0NONE' }))).toBe('no_such_subteam');
});

test('faults hit the call they are meant for, and only so often', async () => {
  const method = 'chat.postMessage';
  slack.fail({ method, with: { status: 429, retryAfter: 1 } });
  slack.fail({ method, with: { error: 'internal_error' }, where: (args) => args['text'] === 'b' });
  slack.fail({ method, with: 'drop-before', where: (args) => args['text'] === 'c' });
  slack.fail({ method, with: { status: 500 }, where: (args) => args['text'] === 'd' });
  const limited = await connectClient(slack, { retries: 1 }).chat.postMessage({ channel: 'C0OPS', text: 'a' });
  expect(limited.ok).toBe(true);
  for (const text of ['b', 'c', 'd']) expect(await errorOf(post(text))).not.toBe('ok');
  expect((await slack.messages('C0OPS')).map((it) => it.text)).toEqual(['a']);
  const [refused, accepted] = slack.calls;
  expect(Number(accepted?.at) - Number(refused?.at)).toBeGreaterThan(900);
  expect(slack.violations).toEqual([]);
});

test('a post whose answer is lost is posted twice by a client that tries again', async () => {
  slack.fail({ method: 'chat.postMessage', with: 'drop-after' });
  await connectClient(slack, { retries: 1 }).chat.postMessage({ channel: 'C0OPS', text: 'twice' });
  expect((await slack.messages('C0OPS')).map((it) => it.text)).toEqual(['twice', 'twice']);
});

test('a stalled call ends when the caller gives up', async () => {
  slack.fail({ method: 'auth.test', with: 'stall' });
  const headers = { authorization: `Bearer ${slack.botToken}` };
  const call = fetch(`${slack.apiUrl}auth.test`, { method: 'POST', headers, signal: AbortSignal.timeout(200) });
  await expect(call).rejects.toThrow('timeout');
});

test('posting faster than one a second and channel is limited when asked for', async () => {
  const limited = await startSlack({ rateLimit: true });
  const send = async (channel: string) => {
    const body = JSON.stringify({ channel, text: 'x' });
    const headers = { authorization: `Bearer ${limited.botToken}`, 'content-type': 'application/json' };
    const answer = await fetch(`${limited.apiUrl}chat.postMessage`, { method: 'POST', headers, body });
    return `${answer.status} ${answer.headers.get('retry-after')}`;
  };
  const burst = [await send('C0OPS'), await send('C0OPS'), await send('C0OPS'), await send('C0OPS')];
  expect([...burst, await send('C0DBA')]).toEqual(['200 null', '200 null', '200 null', '429 1', '200 null']);
  limited.advance(1_000);
  expect(await send('C0OPS')).toBe('200 null');
  await limited.stop();
});
