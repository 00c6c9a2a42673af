import type { Text } from '../../model.ts';
import { commandNames, examplesOf, type Known, type Topic, topics } from './words.ts';

const explained: Record<Topic, string> = {
  help: `lists the commands, or explains one: ${topics.join(', ')}`,
  check: 'looks now: a job or all, on a target or on all. Nothing is changed',
  locks:
    'who waits for a lock on a target now, and behind whom; and the worst moment of its last storm. Nothing is recorded',
  plan: 'says what a runbook would do there now: each statement, size, time, locks, and what each guard says. Nothing is run',
  run: 'asks for a runbook that no alert offers; it needs the same approvals. What identifies a session is read from its pid; a relation is named as in SQL, such as index=shop."Orders Idx" database=shop',
  runs: 'the last runs, with their state',
  stop: 'stops a run that may take long, or withdraws one that has not begun; those who may approve it may, and who asked for it. A reason helps the others',
  resolve:
    'closes a run of which nobody knows how it ended, once you have looked: succeeded or failed, and how you know. Approvers may',
  report: 'posts what the jobs that report know of a target now: the ten worst, and what could not be judged',
  pause:
    'stops new actions everywhere, at once; anybody may. It survives restarts. With --stop in front of the reason, what is under way is stopped too',
  resume: 'lets actions run again; approvers may',
  status: 'what is watched, what is firing, what could not be judged',
  approve:
    'A fix runs once enough of the people named on its card pressed Approve. The plan is fixed: what you see is what runs, and it is checked again before it does. Outside the windows of its target, maintenance waits for the next one. One Deny ends it',
};

export function help(topic: Topic | null, known: Known): Text {
  const examples = examplesOf(known);
  if (topic === 'approve') return [`${explained.approve}.`];
  if (topic !== null) return [{ code: examples[topic] }, ` ${explained[topic]}.`];
  const lines = commandNames.flatMap((name): Text => ['\n• ', { code: examples[name] }, ` ${explained[name]}`]);
  return [
    'pgorderly finds trouble on PostgreSQL, offers the fix and runs it once approved.',
    ...lines,
    `\nTargets: ${known.targets.join(', ')}. Jobs: ${known.jobs.join(', ')}. Runbooks: ${known.runbooks.join(', ')}.`,
  ];
}
