import { expect, test } from 'vitest';
import { problemsOf, runbook } from './sample-runbook.ts';

test.each<[string, string, string]>([
  [
    'a signal to nobody in particular',
    runbook({ class: 'class: signal', params: 'params: { name: { type: identifier, about: a table } }' }),
    '5: class signal is about one session: params must have one of type backend',
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
