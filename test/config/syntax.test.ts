// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import { describe, expect, it } from 'vitest';
import { edited, minimal, problemsOf } from './sample.ts';

describe('a file that cannot be read as a configuration', () => {
  const copy = '(copy config.example.yaml and fill it in)';
  it.each([
    ['is empty', '', [`1:1: error: the file is empty ${copy}`]],
    ['holds only comments', '# soon\n', [`1:1: error: the file is empty ${copy}`]],
    ['holds only ---', '---\n', [`1:1: error: the file is empty ${copy}`]],
    ['is a list', '- a\n', ['1:1: error: expected a mapping (key: value), found a list']],
    ['is a number', '5', ['1:1: error: expected a mapping (key: value), found a number']],
    ['is far too long', `# ${'x'.repeat(260_000)}`, ['1:1: error: longer than 250000 characters']],
    ['is nested without end', '{a: '.repeat(20_000), ['1:1: error: nested too deeply for a configuration']],
    ['is nested by indicators', '- '.repeat(20_000), ['1:1: error: nested too deeply for a configuration']],
  ])('is refused when it %s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe('YAML mistakes', () => {
  const quoteIt = '(if it is text, put it in quotes)';
  it.each([
    ['a tab', 'state:\n\turl: x\n', '2:1: error: indented with a tab (YAML allows only spaces there)'],
    ['an open quote', 'state: "x\n', '2:1: error: a quote, bracket, comma or colon is missing'],
    ['two colons', 'state: a: b\n', `1:8: error: a second ": " in one line ${quoteIt}`],
    ['wrong indentation', 'a:\n    b: x\n  c: y\n', '3:1: error: wrong indentation, or a bracket that is not closed'],
    ['an indicator', 'a: @x\n', '1:4: error: text cannot begin with this sign (put it in quotes)'],
    ['a key of several values', '? [a]\n: b\n', '1:3: error: a key must be a plain word'],
    ['a tag', 'a: !secret x\n', `1:4: error: tags (!name) are not read ${quoteIt}`],
    ['a directive', '%YAML 1.1\n---\na: 1\n', '1:1: error: a %YAML directive is not read (remove that line)'],
    [
      'a missing space',
      'state:x\nslack: y\n',
      '1:1: error: expected "key: value" (is a colon missing, or a space after it?)',
    ],
    [
      'an unquoted variable in braces',
      'log: { level: ${LEVEL} }\nhttp:\n  port: 1\njobs: {}\n',
      '1:16: error: unexpected here (inside { } and [ ] a variable stands in quotes: "${NAME}")',
    ],
    [
      'a second document',
      `${minimal}---\na: 1\n`,
      '12:1: error: a second document begins before this (a configuration is one document: remove the line ---)',
    ],
  ])('says where %s is, once', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it('says each of several mistakes', () => {
    expect(problemsOf('a: @x\nb: "\\q"\n').map((line) => line.slice(0, 4))).toEqual(['1:4:', '2:5:']);
  });

  it('never quotes the text, which may hold a secret', () => {
    expect(problemsOf('state:\n  url: *hunter2 hunter2\n ]hunter2: "hunter2\n').join()).not.toContain('hunter2');
  });
});

describe('keys and aliases', () => {
  it('says of a repeated key where it was given before', () => {
    expect(problemsOf(`${minimal}state: {}\n`)).toEqual(['11:1: error: the key "state" was given before, on line 1']);
  });

  it('stops at aliases that multiply', () => {
    const nine = (name: string) => Array(9).fill(name).join(',');
    const bomb = `a: &a [${nine('x')}]\nb: &b [${nine('*a')}]\nc: &c [${nine('*b')}]\nd: [${nine('*c')}]\n`;
    expect(problemsOf(bomb)).toContain('3:8: error: too many values or too deeply nested, aliases included');
  });

  it('stops at an alias inside itself', () => {
    expect(problemsOf('a: &a [*a]\n').join()).toContain('too many values or too deeply nested');
  });

  it('follows an alias to a value', () => {
    const text = edited('channel: C0123456789', 'channel: *channel').replace('state:', 'approvers: {}\nstate:');
    expect(problemsOf(text)).toEqual(['9:14: error: there is no &anchor of this name before it']);
    const anchored = edited('name: orders', 'name: &name orders').replace(
      'channel: C0',
      'environment: *name\n    channel: C0',
    );
    expect(problemsOf(anchored)).toEqual([]);
  });

  it('takes __proto__ for what it is', () => {
    expect(problemsOf(`${minimal}__proto__: {}\n`)).toEqual(['11:1: error: this key is not allowed']);
  });
});

describe('the way a file is written', () => {
  it.each([
    ['a byte order mark', `\uFEFF${minimal}`],
    ['CRLF line ends', minimal.replaceAll('\n', '\r\n')],
    ['sections of which every line is commented out', `${minimal}jobs:\npolicies:\napprovers:\nqueue:\nhttp:\nlog:\n`],
  ])('may have %s', (_, text) => {
    expect(problemsOf(text)).toEqual([]);
  });

  it('counts lines and columns as an editor does, whatever the line ends', () => {
    const wrong = edited('name: orders', 'name: Orders');
    expect(problemsOf(wrong.replaceAll('\n', '\r\n'))).toEqual(problemsOf(wrong));
    expect(problemsOf(`\uFEFF${wrong}`)[0]).toMatch(/^7:11: error: "Orders" is not a target name/);
  });
});
