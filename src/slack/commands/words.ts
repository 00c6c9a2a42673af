import { findNearest } from '../../config/nearest.ts';
import type { Text } from '../../model.ts';

export const commandNames = [
  'help',
  'check',
  'locks',
  'plan',
  'run',
  'runs',
  'stop',
  'resolve',
  'report',
  'pause',
  'resume',
  'status',
] as const;
export type CommandName = (typeof commandNames)[number];

/** What has its own help: the commands, and how a fix is approved. */
export const topics = [...commandNames, 'approve'] as const;
export type Topic = (typeof topics)[number];

/** What a command may name; handed in so that the grammar knows neither jobs nor targets. */
export interface Known {
  jobs: readonly string[];
  runbooks: readonly string[];
  targets: readonly string[];
}

/** What was wrong, the nearest right word, and an example. */
export interface Mistake {
  mistake: Text;
}

/** One of each command that would work here, as it is typed. */
export function examplesOf({ jobs, runbooks, targets }: Known): Record<CommandName, string> {
  const runbook = runbooks.includes('terminate-session') ? 'terminate-session' : (runbooks[0] ?? 'terminate-session');
  const target = targets[0] ?? 'orders-prod';
  return {
    help: '/pg help run',
    check: `/pg check ${jobs[0] ?? 'all'} ${target}`,
    locks: `/pg locks ${target}`,
    plan: `/pg plan ${runbook} ${target} pid=4711`,
    run: `/pg run ${runbook} ${target} pid=4711`,
    runs: '/pg runs',
    stop: '/pg stop R-12 the shop is slow',
    resolve: '/pg resolve R-12 failed the index is invalid',
    report: `/pg report ${target}`,
    pause: '/pg pause deploy until 15:00',
    resume: '/pg resume',
    status: '/pg status',
  };
}

export function wrong(what: string, example: string): Mistake {
  return { mistake: [`Not understood: ${what}. For example: `, { code: example }] };
}

/** The nearest right command where one is a slip of the keyboard away; else all there are, and an example. */
export function wrongWord(
  { kind, found, known }: { kind: string; found: string; known: readonly string[] },
  example: string,
  before: string,
): Mistake {
  const nearest = findNearest(found, known);
  const what = `There is no ${kind} "${short(found)}".`;
  return nearest === null
    ? { mistake: [`${what} There are: ${known.join(', ')}. For example: `, { code: example }] }
    : { mistake: [`${what} Did you mean `, { code: `${before} ${nearest}` }, '? For example: ', { code: example }] };
}

export function short(words: string): string {
  return words.length > 60 ? `${words.slice(0, 60)}…` : words;
}
