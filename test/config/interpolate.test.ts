// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interpolate } from '../../src/config/interpolate.ts';
import { edited, load, problemsOf } from './sample.ts';

const variables = { A: 'x', EMPTY: '', SIGNS: 'p:#@/?%&= ü', ENCODED: 'p%40x' };

describe('a variable', () => {
  it.each([
    ['${A}', 'x'],
    ['-${A}-${A}-', '-x-x-'],
    ['${A:-y}', 'x'],
    ['${NONE:-y}', 'y'],
    ['${EMPTY:-y}', 'y'],
    ['${NONE:-}', ''],
    ['${NONE:-a:-b}', 'a:-b'],
    ['$${A}', '${A}'],
    ['$$${A}', '$${A}'],
    ['$A $ {A}', '$A $ {A}'],
    ['${SIGNS}', 'p:#@/?%&= ü'],
  ])('%s becomes %s', (text, expected) => {
    expect(interpolate(text, variables)).toMatchObject({ text: expected, faults: [] });
  });

  it.each([['${1}'], ['${A'], ['${}'], ['${A-x}'], ['${A:?x}'], ['${A B}']])('%s is not one', (text) => {
    expect(interpolate(text, variables).faults).toMatchObject([{ message: 'this is not a variable' }]);
  });

  it('is named where it is unset, or set to nothing', () => {
    const messages = interpolate('${NONE}${EMPTY}${toString}', variables).faults.map(({ message }) => message);
    expect(messages).toEqual([
      'the environment variable NONE is not set',
      'the environment variable EMPTY is empty',
      'the environment variable toString is not set',
    ]);
  });
});

describe('a variable in a URL', () => {
  it.each([
    ['postgres://u:${SIGNS}@h/d', 'postgres://u:p%3A%23%40%2F%3F%25%26%3D%20%C3%BC@h/d'],
    ['postgres://u:${ENCODED}@h/d', 'postgres://u:p%40x@h/d'],
    ['postgres://u:x@${NONE:-h:1}/d', 'postgres://u:x@h:1/d'],
    ['${NONE:-postgres://u@h/d}', 'postgres://u@h/d'],
  ])('%s becomes %s', (text, expected) => {
    expect(interpolate(text, variables).text).toBe(expected);
  });

  it('may hold any password', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (password) => {
        fc.pre(!/%[0-9a-f]{2}/i.test(password));
        const url = interpolate('postgres://u:${PW}@h/d', { PW: password }).text;
        const [, encoded] = /^postgres:\/\/u:([^@/?#]+)@h\/d$/.exec(url) ?? [];
        expect(decodeURIComponent(encoded ?? '')).toBe(password);
      }),
    );
  });
});

describe('variables in a file', () => {
  it('cannot change its structure', () => {
    const text = edited('channel: C0123456789', 'channel: C0123456789\n    protect: ["${P}"]');
    const loaded = load(text, { STATE: 'a: b # c', BOT: 'xoxb-b', APP: 'xapp-x', MON: 'y', P: 'a: "b" # c' });
    expect(loaded.config?.targets[0]?.protect).toEqual(['a: "b" # c']);
    expect(loaded.config?.state.url).toBe('postgres://bot:a%3A%20b%20%23%20c@localhost/pgorderly');
  });

  it('may be numbers and flags', () => {
    const text = edited('slack:', 'http: { port: "${PORT}" }\njobs: { lock-chains: { enabled: "${ON}" } }\nslack:');
    const { config } = load(text, { STATE: 'a', BOT: 'xoxb-b', APP: 'xapp-x', MON: 'y', PORT: '9000', ON: 'false' });
    expect(config?.http.port).toBe(9000);
    expect(config?.jobs.get('lock-chains')?.isEnabled).toBe(false);
  });

  it('are pointed at where they are missing, and nothing else is said of the value', () => {
    expect(
      problemsOf(edited('C0123456789', '${CHANNEL}'), { STATE: 'a', BOT: 'xoxb-b', APP: 'xapp-x', MON: '' }),
    ).toEqual([
      '8:14: error: the environment variable CHANNEL is not set (set it, or give it a default: ${CHANNEL:-…})',
      '10:29: error: the environment variable MON is empty (set it, or give it a default: ${MON:-…})',
    ]);
  });

  it('are named instead of their values', () => {
    const text = edited('C0123456789', '${CHANNEL}');
    const problems = problemsOf(text, { STATE: 'a', BOT: 'xoxb-b', APP: 'xapp-x', MON: 'y', CHANNEL: 'topsecret' });
    expect(problems.join()).toContain('8:14: error: the value of ${CHANNEL} is not the id of a Slack channel');
    expect(problems.join()).not.toContain('topsecret');
  });
});
