import { parseRunbook } from '../../src/remedy/runbook/runbook.ts';

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

/** A runbook with some of its front matter or its fences replaced; an empty line leaves one out. */
export function runbook(heads: Partial<typeof head> = {}, blocks: Partial<typeof fences> = {}, more = ''): string {
  const front = Object.values({ ...head, ...heads }).filter(Boolean);
  return ['---', ...front, '---', 'Prose.', ...Object.values({ ...fences, ...blocks }), more].join('\n');
}

export const problemsOf = (markdown: string) => parseRunbook(markdown, 'runbooks/x.md').problems;
