import { expect, it, test } from 'vitest';
import { parseRunbook } from '../../src/remedy/runbook/runbook.ts';
import { problemsOf, runbook } from './sample-runbook.ts';

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
  ['a wrong type', runbook({ locks: 'locks: [a]' }), '8: locks must be text'],
  [
    'a wrong duration',
    runbook({ timeouts: 'timeouts: { statement: 2 sec, lock: 0, verify: 0 }' }),
    '11: timeouts.statement must be a duration',
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
    'space that is a letter to psql after the semicolon',
    runbook({}, { verify: '```sql verify\nselect true; \u00a0\n```' }),
    '21: a second statement',
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
