import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { loadRunbooks } from '../../src/remedy/library.ts';
import { parseRunbook } from '../../src/remedy/runbook.ts';

const head = {
  title: 'title: End it',
  for: 'for: [lock-chains]',
  risk: 'risk: low',
  class: 'class: settings',
  node: 'node: any',
  params: 'params: { pid: { type: integer, about: the process }, name: { type: identifier, about: a table } }',
  locks: 'locks: none',
  stop_when: 'stop_when: never',
  undo: 'undo: none',
  timeouts: 'timeouts: { statement: 2s, lock: 100 ms, verify: 1min }',
};

const fences = {
  precondition: '```sql precondition\nselect 1 from :"name"\n```',
  act: "```sql act\nselect :'pid'::int;\n```",
  verify: '```sql verify\nselect true\n```',
};

function runbook(heads: Partial<typeof head> = {}, blocks: Partial<typeof fences> = {}, more = ''): string {
  const front = Object.values({ ...head, ...heads }).filter(Boolean);
  return ['---', ...front, '---', 'Prose.', ...Object.values({ ...fences, ...blocks }), more].join('\n');
}

const problemsOf = (markdown: string, file = 'runbooks/x.md') => parseRunbook(markdown, file).problems;

it('reads a runbook', () => {
  const { runbook: found, problems } = parseRunbook(runbook(), 'runbooks/end-it.md');
  expect(problems).toEqual([]);
  expect(found).toMatchObject({
    name: 'end-it',
    title: 'End it',
    for: ['lock-chains'],
    class: 'settings',
    stopWhen: null,
    limits: { statementMs: 2000, lockMs: 100, verifyMs: 60_000 },
    params: { pid: { type: 'integer' } },
  });
  expect(found?.fences).toEqual([
    { step: 'precondition', sql: 'select 1 from :"name"', line: 14, versions: { from: 0, to: 999 }, runbook: null },
    { step: 'act', sql: "select :'pid'::int", line: 17, versions: { from: 0, to: 999 }, runbook: null },
    { step: 'verify', sql: 'select true', line: 20, versions: { from: 0, to: 999 }, runbook: null },
  ]);
  expect(found?.prose).toMatch(/^Prose\.\n```sql precondition/);
});

test.each<[string, string, string]>([
  ['a missing key', runbook({ risk: '' }), '2: risk is missing'],
  ['an empty key', runbook({ undo: 'undo:' }), '10: undo is empty'],
  ['a misspelt key', runbook({ risk: 'rsik: low' }), '4: unknown key "rsik"; did you mean "risk"?'],
  [
    'a misspelt key within',
    runbook({ timeouts: 'timeouts: { statment: 1s, lock: 0, verify: 0 }' }),
    'did you mean "statement"?',
  ],
  ['a wrong choice', runbook({ class: 'class: signl' }), '5: class is "signl", not one of signal, maintain, ddl'],
  [
    'a signal to nobody in particular',
    runbook({ class: 'class: signal', params: 'params: { name: { type: identifier, about: a table } }' }),
    '5: class signal is about one session: params must have one of type backend',
  ],
  ['a wrong type', runbook({ locks: 'locks: [a]' }), '8: locks must be text'],
  [
    'a wrong duration',
    runbook({ timeouts: 'timeouts: { statement: 2 sec, lock: 0, verify: 0 }' }),
    '11: timeouts.statement must be a duration',
  ],
  [
    'a wrong parameter type',
    runbook({ params: 'params: { pid: { type: int, about: x } }' }),
    '7: params.pid.type is "int", not one of integer, text',
  ],
  [
    'a key of another type of parameter',
    runbook({ params: "params: { pid: { type: integer, values: ['1'], about: x } }" }),
    '7: unknown key "params.pid.values"; known here: type, about, default',
  ],
  [
    'an enum without values',
    runbook({ params: 'params: { pid: { type: enum, values: [], about: x } }' }),
    '7: params.pid.values is empty',
  ],
  [
    'an enum with a value twice',
    runbook({ params: 'params: { pid: { type: enum, values: [a, b, a], about: x } }' }),
    '7: params.pid.values has a value twice',
  ],
  [
    'a default of the wrong type',
    runbook({ params: 'params: { pid: { type: duration, default: 5 minutes, about: x } }' }),
    '7: params.pid.default is "5 minutes", expected a duration such as 100ms',
  ],
  [
    'a default that is no choice',
    runbook({ params: 'params: { pid: { type: enum, values: [a, b], default: c, about: x } }' }),
    '7: params.pid.default is "c", expected one of a, b',
  ],
  [
    'a backend that is not said to be a transaction or a statement',
    runbook({ params: 'params: { name: { type: backend, about: x } }' }),
    '7: params.name.identity is missing',
  ],
  [
    'two parameters for one variable',
    runbook({
      params:
        'params:\n  session: { type: backend, identity: transaction, about: x }\n  pid: { type: integer, about: x }',
    }),
    "9: params.pid and session both stand for :'pid'",
  ],
  [
    'a second relation',
    runbook({ params: 'params: { one: { type: relation, about: x }, name: { type: relation, about: x } }' }),
    '7: params.name is a second relation',
  ],
  [
    'a parameter that says where',
    runbook({ params: 'params: { node: { type: text, about: x } }' }),
    '7: params.node is where it runs; choose another name',
  ],
  [
    'limits that miss a key',
    runbook({ stop_when: 'stop_when: { waiting: 5, after: 15s, standby_lag: 1GB }' }),
    '9: stop_when.slot_wal is missing',
  ],
  ['limits that are none', runbook({ stop_when: 'stop_when: sometimes' }), '9: stop_when must be never, or a mapping'],
  ['YAML that is none', runbook({ for: 'for: [' }), '4: '],
  ['a key given twice', runbook({ locks: 'locks: none\nlocks: none' }), '9: Map keys must be unique'],
  ['no front matter', '# x', '1: the file must begin with front matter'],
  ['a missing step', runbook({}, { verify: '' }), '1: there is no fence "sql verify"'],
  [
    'a misspelt step',
    runbook({}, { verify: '```sql verfy\nselect true\n```' }),
    '20: there is no step "verfy"; expected precondition, evidence, act',
  ],
  ['SQL that is no step', runbook({}, {}, '```sql\nselect 1\n```'), '23: say after sql which step this is'],
  [
    'a misspelt option',
    runbook({}, { act: "```sql act version=17\nselect :'pid'\n```" }),
    '17: version=17 is not understood',
  ],
  [
    'versions the wrong way round',
    runbook({}, { act: "```sql act versions=17-14\nselect :'pid'\n```" }),
    '17: versions=17-14 is not understood',
  ],
  [
    'the same step twice',
    runbook({}, {}, '```sql verify\nselect false\n```'),
    '23: a second verify for the same versions as on line 20',
  ],
  ['two statements', runbook({}, { act: "```sql act\nselect :'pid';\n\ndrop table x\n```" }), '20: a second statement'],
  ['no statement', runbook({}, { verify: '```sql verify\n;\n```' }), '20: the fence is empty'],
  [
    'an open string',
    runbook({}, { act: "```sql act\nselect :'pid',\n  'abc\n```" }),
    "19: 'a is opened and never closed",
  ],
  [
    'an open comment',
    runbook({}, { act: "```sql act\nselect :'pid' /* /* */\n```" }),
    '18: /* is opened and never closed',
  ],
  ["one of psql's commands", runbook({}, { act: "```sql act\nselect :'pid' \\gset\n```" }), "18: psql's own commands"],
  [
    'an undeclared parameter',
    runbook({}, { verify: "```sql verify\nselect\n :'pidd'\n```" }),
    '22: the parameter pidd is not declared in params; did you mean "pid"?',
  ],
  [
    'a parameter without quotes',
    runbook({}, { verify: '```sql verify\nselect :pid\n```' }),
    "21: :pid would be pasted as it is; write :'pid'",
  ],
  [
    'a number as a name',
    runbook({}, { verify: '```sql verify\nselect :"pid"\n```' }),
    '21: :"pid" is a name, but pid is declared as integer',
  ],
  [
    'a question whether a parameter is there',
    runbook({}, { verify: '```sql verify\nselect\n :{?pid}\n```' }),
    '22: psql replaces :{?pid} by TRUE or FALSE',
  ],
  [
    'a backslash that two settings read in two ways',
    runbook({}, { verify: "```sql verify\nselect 'x' ~ '\\d'\n```" }),
    "21: a backslash in a plain string is read in two ways; write E'…' and double it",
  ],
  [
    'space that is a letter to psql after the semicolon',
    runbook({}, { verify: '```sql verify\nselect true; \u00a0\n```' }),
    '21: a second statement',
  ],
  [
    'a session that the act knows by its pid alone',
    runbook(
      { params: 'params: { session: { type: backend, identity: statement, about: x } }' },
      { act: "```sql act\nselect pg_cancel_backend(:'pid'::int)\n```" },
    ),
    "17: the act does not compare :'backend_start', :'xact_start', :'query_start': it could be about another one",
  ],
  [
    'a relation that the precondition knows by its name alone',
    runbook(
      { params: 'params: { t: { type: relation, about: x } }' },
      { precondition: '```sql precondition\nselect 1 from :"t_schema".:"t_name"\n```' },
    ),
    "14: the precondition does not compare :'t_oid': it could be about another one",
  ],
  [
    'an unused parameter',
    runbook({}, { precondition: '```sql precondition\nselect 1\n```' }),
    '1: the parameter name is used by no fence',
  ],
])('finds %s', (_, markdown, problem) => {
  const problems = problemsOf(markdown);
  expect(
    problems.some((one) => one.startsWith(`runbooks/x.md:`) && one.includes(problem)),
    problems.join('\n'),
  ).toBe(true);
});

test.each([
  ['an array slice', 'select (array[1,2,3])[1:2]'],
  ['a cast', 'select 1::text, x::pid'],
  ['a string', "select ':pid', E'\\':pid', $$ :pid $$, $a$ :'nope' $a$, \"a:pid\""],
  ['a backslash where it has one meaning', 'select E\'a\\\\b\', $$\\d$$, "a\\b"'],
  ['a Unicode name', 'select 1 as U&"d\\0061t"'],
  ['a comment', 'select 1 -- :pid\n/* :pid /* ; */ */'],
  ['a semicolon within a string, and a comment after the last', "select ';' ; -- done"],
])('finds no fault with %s', (_, sql) => {
  expect(problemsOf(runbook({}, {}, `\`\`\`sql progress\n${sql}\n\`\`\``))).toEqual([]);
});

it('leaves fences of other languages to the reader', () => {
  expect(problemsOf(runbook({}, {}, '```psql\nselect :nothing; select 2\n```'))).toEqual([]);
});

it('reports all problems of a file at once, in the order of its lines', () => {
  const problems = problemsOf(runbook({ risk: 'risk: none', undo: '' }, { act: "```sql act\nselect :'pod'\n```" }));
  const [first, ...lines] = problems.map((one) => Number(one.split(':')[1]));
  expect(first).toBe(1);
  expect(lines).toEqual([...lines].sort((a, b) => a - b));
  expect(problems.join('\n')).toMatch(
    /pid is used by no fence[\s\S]*undo is missing[\s\S]*risk is "none"[\s\S]*pod is not declared/,
  );
});

describe('the library', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runbooks-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('reads our own runbooks', async () => {
    const found = await loadRunbooks(fileURLToPath(import.meta.resolve('#package/runbooks')));
    expect([...found.keys()]).toEqual([
      'cancel-query',
      'cancel-queued-ddl',
      'drop-index-concurrently',
      'drop-invalid-index',
      'recreate-dropped-index',
      'reindex-index-concurrently',
      'terminate-session',
      'vacuum-table',
    ]);
    expect(found.get('terminate-session')?.risk).toBe('medium');
  });

  it('reads every .md but the README', async () => {
    await writeFile(join(folder, 'README.md'), 'no runbook');
    await writeFile(join(folder, 'end-it.md'), runbook());
    expect([...(await loadRunbooks(folder)).keys()]).toEqual(['end-it']);
  });

  it('refuses to load with every problem of every file', async () => {
    await writeFile(join(folder, 'a.md'), runbook({ risk: '' }));
    await writeFile(join(folder, 'B c.md'), runbook());
    const error = await loadRunbooks(folder).catch((error) => error);
    expect(error).toMatchObject({ code: 'runbook-invalid' });
    expect(error.message).toMatch(/\/B c\.md:1: the name "B c" must be .*\n.*\/a\.md:2: risk is missing/);
  });
});
