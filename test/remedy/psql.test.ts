import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bind } from '../../src/remedy/runbook/bind.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { choicesOf, type VariableType, variablesOf } from '../../src/remedy/runbook/params.ts';
import { type Piece, render, scan } from '../../src/remedy/runbook/psql.ts';
import { newest, server } from '../support/servers.ts';

const psql = '/usr/bin/psql';

/** Statements that hold everything in which psql does, or does not, look for variables. */
const parts = [
  `:'x'`,
  `:"y"`,
  `' :''x'' '`,
  `E' :\\'x\\' \\' '`,
  `e'\\\\'`,
  `$$ :'x' $$`,
  `$a$ $$ :"y" $a$`,
  `"a:'x'"`,
  `1 -- :'x' '\n`,
  `/* :'x' /* ' */ " */ 2`,
  '(array[1,2,3])[1:2]',
  `'a'::text`,
  `:'x'::text`,
  `U&'\\0041:x'`,
  'a$b',
  `:'x':'x'`,
  `E'a'\n 'b'`,
  `x:'x'`,
  `E:'x'`,
  ':nope',
  `1*/* :'x' */2`,
  `::'x'`,
  '$1',
  ':=',
];
const tricky = [
  ...[
    "'",
    "''",
    '"',
    '""',
    'E',
    'e',
    "E'",
    'U&',
    "U&'",
    'U&"',
    'N',
    "b'",
    '$',
    '$$',
    '$a$',
    '$A$',
    '$1',
    '1',
    '.5',
    '1e',
  ],
  ...[
    'x',
    '_',
    'ä',
    '\u00a0',
    '\u2003',
    '😀',
    ':',
    '::',
    ':=',
    ":'x'",
    ':"y"',
    ":'",
    ':"',
    ':{',
    ':{?',
    ':{?nope',
    '}',
  ],
  ...[
    '--',
    '-',
    '/*',
    '*/',
    '/',
    '*',
    '*/*',
    '@',
    '<',
    '=',
    '[',
    ']',
    '{',
    '(',
    ')',
    ' ',
    '\n',
    '\t',
    '\r',
    '\\',
    '%',
    ',',
  ],
];
const signs = ["'", '"', '\\', '$', ':', 'x', 'E', ' ', '\n', '--', '/*', ';', 'ä', '😀', '%', '\t', ":'y'"];

describe.skipIf(!existsSync(psql))('what we render is what psql would send', () => {
  let url: string;
  beforeAll(async () => {
    url = (await server(newest)).url();
  });

  const textOf = (pieces: Piece[]) => pieces.map(({ text }) => text).join('');

  function isBalanced(pieces: Piece[]): boolean {
    const depths = pieces.map(({ text }) => ({ '(': 1, ')': -1 })[text] ?? 0);
    return depths.reduce<number>((depth, step) => (depth < 0 ? depth : depth + step), 0) === 0;
  }

  /** The bytes that psql sends for a fence, echoed by itself. */
  function sentByPsql(sql: string, variables: Record<string, string>, PGOPTIONS = ''): string {
    const options = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
    const { stdout } = spawnSync(psql, ['-X', '-e', ...options, url], {
      input: `${sql};\n`,
      encoding: 'utf8',
      env: { ...process.env, PGOPTIONS },
    });
    return stdout;
  }

  it('for hostile values in hostile places', () => {
    const value = fc.string({ unit: fc.constantFrom(...signs), maxLength: 12 });
    const list = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 });
    const isWhole = (sql: string) =>
      ![...scan(sql)].some(({ kind }) => kind === 'backslash' || kind === 'unterminated');
    fc.assert(
      fc.property(value, value, list, (x, y, some) => {
        const sql = `select ${some.join(' , ')}`;
        fc.pre(isWhole(sql));
        expect(sentByPsql(sql, { x, y }).startsWith(`${render(sql, { x, y })};\n`)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('and what it takes for whole is whole for us too, whatever signs stand beside each other', () => {
    const any = fc.array(fc.constantFrom(...tricky), { minLength: 1, maxLength: 14 });
    const cases = fc.sample(any, { seed: 5, numRuns: 1500 }).map((some) => `selec ${some.join('')}`);
    const ours = cases.map((sql) => [...scan(sql)]);
    // A backslash begins a command, within open parentheses a semicolon ends nothing, and what is pasted is read anew.
    const isUnfair = ({ kind, text }: Piece) => kind === 'backslash' || kind === 'defined' || text === ':x';
    const isFair = (pieces: Piece[]) => !pieces.some(isUnfair) && isBalanced(pieces);
    const fair = ours.filter(isFair);
    const whole = fair.filter((pieces) => !pieces.some(({ kind }) => kind === 'unterminated'));
    const open = fair.filter((pieces) => pieces.some(({ kind }) => kind === 'unterminated'));
    expect(Math.min(whole.length, open.length)).toBeGreaterThan(200);
    const [x, y] = ["a'\\b", 'c"d'];
    const sent = sentByPsql(whole.map((pieces) => `${textOf(pieces)}\n`).join(';\n'), { x, y });
    const rendered = whole.map((pieces) => render(`${textOf(pieces)}\n;\n`, { x, y }));
    expect(sent).toBe(rendered.join(''));
    // What is open for us swallows the command behind it.
    for (const pieces of open.slice(0, 60))
      expect(sentByPsql(`${textOf(pieces)}\n\\echo reached`, {}), JSON.stringify(textOf(pieces))).not.toMatch(
        /^reached$/m,
      );
  });

  const samples: Partial<Record<VariableType, string>> = {
    definition: 'create index concurrently x on nowhere (id)',
    identifier: 'o"\'\\x',
    duration: '5min',
    lsn: '0/1',
  };

  it.each(['on', 'off'])(
    'for every step of our own runbooks, standard_conforming_strings being %s',
    async (setting) => {
      const runbooks = await loadRunbooks(runbooksFolder);
      for (const runbook of runbooks.values()) {
        const params = Object.fromEntries(
          [...variablesOf(runbook.params)].map(([name, type]) => [
            name,
            choicesOf(runbook.params, name)[0] ?? samples[type] ?? '4711',
          ]),
        );
        const bound = bind(runbook, params, newest * 10_000);
        const fitting = runbook.fences.filter(({ versions: { from, to } }) => from <= newest && newest <= to);
        const fences = fitting.filter(
          ({ step, versions }) => !fitting.some((one) => one.step === step && one.versions.from > versions.from),
        );
        for (const { step, sql } of fences) {
          const sent = sentByPsql(sql, params, `-c standard_conforming_strings=${setting}`);
          const ours = bound.filter((one) => one.step === step && sent.startsWith(`${one.sql};\n`));
          expect(ours, `${runbook.name} ${step}: ${sent}`).toHaveLength(1);
          const isUtility = !/^(?:select|with)\b/.test(sql);
          // psql tells of the error elsewhere.
          if (!isUtility) expect(sent, `${runbook.name} ${step}`).toMatch(/\(\d+ rows?\)/);
        }
      }
    },
  );
});
