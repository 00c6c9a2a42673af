import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { PgorderlyError } from '../../src/errors.ts';
import { bind } from '../../src/remedy/runbook/bind.ts';
import { scan } from '../../src/remedy/runbook/psql.ts';
import { parseRunbook, type Runbook } from '../../src/remedy/runbook/runbook.ts';

function runbookOf(act: string, params: string): Runbook {
  const { runbook, problems } = parseRunbook(
    `---
title: x
for: [manual]
risk: low
class: settings
node: any
params: ${params}
locks: none
stop_when: never
undo: none
timeouts: { statement: 2s, lock: 0, verify: 2s }
---
\`\`\`sql precondition
select 1
\`\`\`
\`\`\`sql act
${act}
\`\`\`
\`\`\`sql verify
select true
\`\`\`
\`\`\`sql verify versions=14-16
select 'fourteen'
\`\`\`
\`\`\`sql verify versions=16+
select 'sixteen'
\`\`\`
`,
    'runbooks/x.md',
  );
  if (!runbook) throw new Error(problems.join('\n'));
  return runbook;
}

const types = ['integer', 'text', 'identifier', 'microseconds', 'duration', 'lsn'] as const;
const oneOf = (type: (typeof types)[number]) => runbookOf("select :'x'", `{ x: { type: ${type}, about: x } }`);
const sqlOf = (runbook: Runbook, params: Record<string, string>, version = 150_018) =>
  bind(runbook, params, version).find((step) => step.step === 'act')?.sql;

test.each([
  [130_000, 'select true'],
  [140_004, "select 'fourteen'"],
  [160_014, "select 'sixteen'"],
  [180_004, "select 'sixteen'"],
])('on %i takes the fence that begins highest', (version, sql) => {
  const runbook = runbookOf('select 1', '{}');
  expect(bind(runbook, {}, version).map((step) => step.step)).toEqual(['precondition', 'act', 'verify']);
  expect(bind(runbook, {}, version).at(-1)?.sql).toBe(sql);
});

it('refuses a server that a needed step has no fence for', () => {
  const runbook = runbookOf('select 1', '{}');
  const later = runbook.fences.map((fence) => ({ ...fence, versions: { from: 17, to: 999 } }));
  expect(() => bind({ ...runbook, fences: later }, {}, 160_000)).toThrow('x has no precondition for PostgreSQL 16');
});

test.each<[(typeof types)[number], string, string | null]>([
  ['integer', '4711', "'4711'"],
  ['integer', '-2147483648', "'-2147483648'"],
  ['integer', '2147483647', "'2147483647'"],
  ['integer', '2147483648', null],
  ['integer', '-2147483649', null],
  ['integer', '4711; drop table x', null],
  ['integer', ' 1', null],
  ['integer', '', null],
  ['microseconds', '1763700000123456', "'1763700000123456'"],
  ['microseconds', '9223372036854775807', "'9223372036854775807'"],
  ['microseconds', '9223372036854775808', null],
  ['microseconds', '2026-01-01', null],
  ['microseconds', '1.5', null],
  ['duration', '5min', "'5min'"],
  ['duration', '100 ms', "'100 ms'"],
  ['duration', '0', "'0'"],
  ['duration', '5', null],
  ['duration', '5m', null],
  ['duration', '1.5h', null],
  ['duration', '-1s', null],
  ['duration', '5min; drop table x', null],
  ['duration', 'infinity', null],
  ['lsn', '16/B374D848', "'16/B374D848'"],
  ['lsn', '0/0', "'0/0'"],
  ['lsn', 'ffffffff/ffffffff', "'ffffffff/ffffffff'"],
  ['lsn', '1/123456789', null],
  ['lsn', '16-B374D848', null],
  ['lsn', "0/0'", null],
  ['text', "o'brien \\ x", " E'o''brien \\\\ x'"],
  ['text', '', "''"],
  ['text', 'a\0b', null],
  ['text', '\ud800', null],
  ['identifier', 'Orders "x"', '\'Orders "x"\''],
  ['identifier', '', null],
  ['identifier', 'ä'.repeat(31), `'${'ä'.repeat(31)}'`],
  ['identifier', 'ä'.repeat(32), null],
])('as %s %j becomes %s', (type, value, literal) => {
  const runbook = oneOf(type);
  if (literal === null) expect(() => bind(runbook, { x: value }, 150_018)).toThrow(/^x: x is .*, expected /s);
  else expect(sqlOf(runbook, { x: value })).toBe(`select ${literal}`);
});

it('takes of a choice only what is among it', () => {
  const runbook = runbookOf("select :'x'", '{ x: { type: enum, values: [auto, on, "it\'s"], about: x } }');
  expect(sqlOf(runbook, { x: 'auto' })).toBe("select 'auto'");
  expect(sqlOf(runbook, { x: "it's" })).toBe("select 'it''s'");
  for (const x of ['', 'Auto', 'constructor', 'auto '])
    expect(() => bind(runbook, { x }, 150_018)).toThrow(`x: x is "${x}", expected one of auto, on, it's`);
});

it('leaves out empty lines between words, as psql does, and keeps those of strings and comments', () => {
  expect(sqlOf(runbookOf("select 'a\n\nb'\n\n\n-- c\n\n, 1 /*\n\n*/", '{}'), {})).toBe(
    "select 'a\n\nb'\n-- c\n, 1 /*\n\n*/",
  );
});

it('takes nothing for a parameter that an object has by itself', () => {
  expect(sqlOf(runbookOf('select (array[1])[1:constructor]', '{}'), {})).toBe('select (array[1])[1:constructor]');
});

it('names every parameter that is missing, unknown or wrong at once, and says what it takes', () => {
  const runbook = runbookOf(
    "select :'pid', :'since'",
    '{ pid: { type: integer, about: x }, since: { type: microseconds, about: x } }',
  );
  const attempt = () => bind(runbook, { pid: '47x', toString: 'y' }, 150_018);
  expect(attempt).toThrow(PgorderlyError);
  expect(attempt).toThrow(
    'x: pid is "47x", expected an integer; since is missing, expected microseconds since 1970, such as 1763700000123456; "toString" is not one of its parameters',
  );
  expect(attempt).toThrow(
    expect.objectContaining({ code: 'param-invalid', hint: 'It takes pid=<integer> since=<microseconds>.' }),
  );
});

test.each([
  [`select ':x', E'\\':x\\'', "a:'x'", $$ :'x' $$, $a$ :'x' $$ $a$ -- :'x'`],
  [`select 1 /* :'x' /* :'x' */ :'x' */`],
  [`select (array[1,2])[1:2], 'a'::text, b$c$:y, $1 := 3`],
])('leaves %s as it is', (sql) => {
  expect(sqlOf(runbookOf(`${sql}\n, :'x'`, '{ x: { type: text, about: x } }'), { x: 'v' })).toBe(`${sql}\n, 'v'`);
});

it('renders a name as an identifier and as a literal', () => {
  const runbook = runbookOf(`analyze :"x"; -- done`, '{ x: { type: identifier, about: x } }');
  expect(sqlOf(runbook, { x: 'weird "Name"' })).toBe('analyze "weird ""Name"""');
});

it('cuts any text into pieces that are the text again', () => {
  const signs = fc.constantFrom(
    "'",
    '"',
    '$',
    '$$',
    '$a$',
    ':',
    '::',
    'x',
    'E',
    "\\'",
    '\\',
    '--',
    '\n',
    '/*',
    '*/',
    ';',
    '1',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(signs, { maxLength: 40 }), (parts) => {
      const sql = parts.join('');
      expect([...scan(sql)].map((piece) => piece.text).join('')).toBe(sql);
    }),
  );
});
