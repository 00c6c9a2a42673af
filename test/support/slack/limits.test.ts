import { describe, expect, test } from 'vitest';
import { checkMessage, checkView } from './limits.ts';

const long = (length: number) => 'x'.repeat(length);
const times = (count: number, item: object) => Array.from({ length: count }, () => item);
const plain = (text: string) => ({ type: 'plain_text', text });
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text });
const section = (text: string) => ({ type: 'section', text: mrkdwn(text) });
const actions = (...elements: object[]) => ({ type: 'actions', elements });
const button = (more: object) => ({ type: 'button', text: plain('Go'), action_id: 'go', ...more });
const option = { text: plain('One'), value: '1' };
const menu = (more: object) => ({ type: 'static_select', action_id: 'pick', placeholder: plain('Pick'), ...more });
const confirm = (more: object) => ({
  title: plain('Sure?'),
  text: plain('!'),
  confirm: plain('Yes'),
  deny: plain('No'),
  ...more,
});
const input = (element: object) => ({ type: 'input', label: plain('Reason'), element });

const accepted: Record<string, object[]> = {
  '50 blocks': times(50, { type: 'divider' }),
  'a section of 3000': [section(long(3000))],
  'ten fields of 2000': [{ type: 'section', fields: times(10, mrkdwn(long(2000))) }],
  'a header of 150': [{ type: 'header', text: plain(long(150)) }],
  'a context of ten': [{ type: 'context', elements: times(10, mrkdwn('x')) }],
  'a full button': [
    actions(button({ text: plain(long(75)), value: long(2000), action_id: long(255), style: 'danger' })),
  ],
  'a confirmation': [actions(button({ confirm: confirm({ text: mrkdwn(long(300)) }) }))],
  'a menu of 100': [actions(menu({ options: times(100, option) }))],
  'a button beside a section': [{ ...section('x'), accessory: button({}) }],
  'an image': [{ type: 'image', image_url: 'https://example.org/x.png', alt_text: 'x' }],
};

const refused: Record<string, object[]> = {
  '51 blocks': times(51, { type: 'divider' }),
  'an unknown block': [{ type: 'gauge' }],
  'an unknown property': [{ ...section('x'), colour: 'red' }],
  'an empty section': [{ type: 'section' }],
  'an empty text': [section('')],
  'a section of 3001': [section(long(3001))],
  'eleven fields': [{ type: 'section', fields: times(11, mrkdwn('x')) }],
  'a field of 2001': [{ type: 'section', fields: [mrkdwn(long(2001))] }],
  'emoji: true in mrkdwn': [{ type: 'section', text: { ...mrkdwn('x'), emoji: true } }],
  'a header of 151': [{ type: 'header', text: plain(long(151)) }],
  'a header in mrkdwn': [{ type: 'header', text: mrkdwn('x') }],
  'a context of eleven': [{ type: 'context', elements: times(11, mrkdwn('x')) }],
  'a button in a context': [{ type: 'context', elements: [button({})] }],
  'no actions': [actions()],
  '26 actions': [actions(...Array.from({ length: 26 }, (_, i) => button({ action_id: `go${i}` })))],
  'a button of 76': [actions(button({ text: plain(long(76)) }))],
  'a button in mrkdwn': [actions(button({ text: mrkdwn('x') }))],
  'a value of 2001': [actions(button({ value: long(2001) }))],
  'an action_id of 256': [actions(button({ action_id: long(256) }))],
  'a url of 3001': [actions(button({ url: `https://example.org/${long(3000)}` }))],
  'a style of its own': [actions(button({ style: 'warning' }))],
  'an action_id twice': [actions(button({}), button({}))],
  'a block_id twice': [
    { type: 'divider', block_id: 'a' },
    { type: 'divider', block_id: 'a' },
  ],
  'a block_id of 256': [{ type: 'divider', block_id: long(256) }],
  'a confirmation titled 101': [actions(button({ confirm: confirm({ title: plain(long(101)) }) }))],
  'a confirmation of 301': [actions(button({ confirm: confirm({ text: plain(long(301)) }) }))],
  'a confirmation button of 31': [actions(button({ confirm: confirm({ deny: plain(long(31)) }) }))],
  'a menu of 101': [actions(menu({ options: times(101, option) }))],
  'an option of 76': [actions(menu({ options: [{ ...option, text: plain(long(76)) }] }))],
  'an option valued 76': [actions(menu({ options: [{ ...option, value: long(76) }] }))],
  'a placeholder of 151': [actions(menu({ options: [option], placeholder: plain(long(151)) }))],
  'an overflow of six': [actions({ type: 'overflow', action_id: 'more', options: times(6, option) })],
  'an image without words': [{ type: 'image', image_url: 'https://example.org/x.png' }],
  'an input without element': [{ type: 'input', label: plain('x') }],
  'a text input of 3001': [input({ type: 'plain_text_input', action_id: 'x', max_length: 3001 })],
};

describe('a message', () => {
  test.each(Object.keys(accepted))('may have %s', (name) => {
    expect(checkMessage({ text: 'x', blocks: accepted[name] })).toBeNull();
  });

  test.each(Object.keys(refused))('may not have %s', (name) => {
    expect(checkMessage({ text: 'x', blocks: refused[name] })?.error).toBe('invalid_blocks');
  });

  test('needs a text that is not too long', () => {
    expect(checkMessage({ text: long(40_000) })).toBeNull();
    expect(checkMessage({ text: long(40_001) })?.error).toBe('msg_too_long');
    expect(checkMessage({ text: '', blocks: [] })?.error).toBe('no_text');
  });

  test('says where the trouble is', () => {
    expect(checkMessage({ text: 'x', blocks: [section('x'), { type: 'header', text: plain('') }] })?.messages).toEqual([
      '[ERROR] Too small: expected string to have >=1 characters [json-pointer:/blocks/1/text/text]',
    ]);
  });
});

describe('a modal', () => {
  const modal = {
    type: 'modal',
    title: plain('Why'),
    submit: plain('Go'),
    close: plain('Close'),
    blocks: [] as object[],
  };
  const reason = input({ type: 'plain_text_input', action_id: 'text', multiline: true, max_length: 3000 });

  test.each([
    ['100 blocks', { ...modal, blocks: times(100, { type: 'divider' }) }],
    ['an input', { ...modal, blocks: [reason], private_metadata: long(3000), callback_id: long(255) }],
  ])('may have %s', (_, view) => {
    expect(checkView(view)).toBeNull();
  });

  test.each([
    ['101 blocks', { ...modal, blocks: times(101, { type: 'divider' }) }],
    ['no title', { type: 'modal', blocks: [] }],
    ['a title of 25', { ...modal, title: plain(long(25)) }],
    ['a submit of 25', { ...modal, submit: plain(long(25)) }],
    ['a close of 25', { ...modal, close: plain(long(25)) }],
    ['private_metadata of 3001', { ...modal, private_metadata: long(3001) }],
    ['a callback_id of 256', { ...modal, callback_id: long(256) }],
    ['an input and nothing to submit it', { type: 'modal', title: plain('Why'), blocks: [reason] }],
    ['a table', { ...modal, blocks: [{ type: 'table', rows: [[{ type: 'raw_text', text: 'x' }]] }] }],
  ])('may not have %s', (_, view) => {
    expect(checkView(view)?.error).toBe('invalid_arguments');
  });
});
