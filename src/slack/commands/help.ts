import type { Text } from '../../model.ts';
import { type CommandName, commandNames, examples, type Known } from './grammar.ts';

const topics: Record<CommandName | 'approve', string> = {
  help: 'lists the commands, or explains one: help, check, run, runs, pause, resume, status, approve',
  check: 'looks now: a job or all, on a target or on all. Nothing is changed',
  run: 'asks for a runbook that no alert offers; it needs the same approvals. Times that identify a session are read from its pid',
  runs: 'the last runs, with their state',
  pause: 'stops new actions everywhere, at once; anybody may. It survives restarts',
  resume: 'lets actions run again; approvers may',
  status: 'what is watched, what is firing, what could not be judged',
  approve:
    'a fix runs once enough of the people named on its card pressed Approve. The plan is fixed: what you see is what runs, and it is checked again before it does. One Deny ends it',
};

export function help(topic: string | null, known: Known): Text {
  if (topic !== null && topic in topics) {
    const name = topic as CommandName;
    return [{ code: examples[name] ?? '/pg help' }, ` ${topics[name]}.`];
  }
  const lines = commandNames.flatMap((name): Text => ['\n• ', { code: examples[name] }, ` ${topics[name]}`]);
  return [
    'pgorderly finds trouble on PostgreSQL, offers the fix and runs it once approved.',
    ...lines,
    `\nTargets: ${known.targets.join(', ')}. Jobs: ${known.jobs.join(', ')}. Runbooks: ${known.runbooks.join(', ')}.`,
  ];
}
