import { parseRunbook, type Runbook } from '../../src/remedy/runbook/runbook.ts';

export interface Made {
  class: 'signal' | 'maintain' | 'ddl';
  /** Types, by their names. */
  params: Record<string, string>;
  /** 0 for an act that lasts. */
  statement: string;
  precondition: string;
  act: string;
  verify: string;
}

/** A runbook for a test, written and read as those of the package are. */
export function makeRunbook(name: string, made: Made): Runbook {
  const { runbook, problems } = parseRunbook(markdown(made), `runbooks/${name}.md`);
  if (!runbook) throw new Error(problems.join('\n'));
  return runbook;
}

function markdown(made: Made): string {
  const steps = ['precondition', 'act', 'verify'] as const;
  return `---
title: Made for a test
for: [manual]
risk: medium
class: ${made.class}
node: primary
params:
${Object.entries(made.params)
  .map(([name, type]) => `  ${name}: { type: ${type}, about: for the test }`)
  .join('\n')}
locks: none
stop_when: never
undo: none
timeouts: { statement: ${made.statement}, lock: 100ms, verify: 100ms }
---

${steps.map((step) => `\`\`\`sql ${step}\n${made[step]}\n\`\`\``).join('\n\n')}
`;
}
