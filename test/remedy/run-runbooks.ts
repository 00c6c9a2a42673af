import { parseRunbook, type Runbook } from '../../src/remedy/runbook.ts';

/** A row for each time that an act is carried out. */
export const acts = 'create table acts (run text); grant select, insert on acts to actor, keeper';

/** Two runbooks that add such a row: at once, and in a statement that may last. */
export const rowRunbooks: ReadonlyMap<string, Runbook> = new Map(
  [
    parse('quick-row', { class: 'signal', seconds: 0.03, statement: '2s', isAboutPid: true }),
    parse('slow-row', { class: 'maintain', seconds: 1.3, statement: '0', isAboutPid: false }),
  ].map((runbook) => [runbook.name, runbook]),
);

interface Kind {
  class: string;
  seconds: number;
  statement: string;
  isAboutPid: boolean;
}

function parse(name: string, kind: Kind): Runbook {
  const { runbook, problems } = parseRunbook(markdown(kind), `runbooks/${name}.md`);
  if (!runbook) throw new Error(problems.join('\n'));
  return runbook;
}

function markdown(kind: Kind): string {
  return `---
title: Adds a row
for: [manual]
risk: medium
class: ${kind.class}
node: primary
params:
  label: { type: text, about: which row }
${kind.isAboutPid ? '  pid: { type: integer, about: a session that must be there }' : ''}
locks: none
stop_when: never
undo: none
timeouts: { statement: ${kind.statement}, lock: 100ms, verify: 100ms }
---

\`\`\`sql precondition
select 1 ${kind.isAboutPid ? `from pg_catalog.pg_stat_activity where pid = :'pid'::int` : ''}
\`\`\`

\`\`\`sql act
insert into public.acts (run) select :'label' from pg_catalog.pg_sleep(${kind.seconds}) returning true as added
\`\`\`

\`\`\`sql verify
select exists (select from public.acts where run = :'label') as is_there
\`\`\`
`;
}
