import { findNearest } from '../../config/nearest.ts';
import type { Text } from '../../model.ts';
import { readPairs, short } from './pairs.ts';

export const commandNames = ['help', 'check', 'locks', 'run', 'runs', 'report', 'pause', 'resume', 'status'] as const;
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

export type Command =
  | { name: 'help'; topic: Topic | null }
  | { name: 'check'; jobs: string[]; targets: string[] }
  | { name: 'locks'; target: string }
  | { name: 'run'; runbook: string; target: string; params: Record<string, string> }
  | { name: 'report'; target: string }
  | { name: 'runs' | 'resume' | 'status' }
  | { name: 'pause'; reason: string | null };

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
    run: `/pg run ${runbook} ${target} pid=4711`,
    runs: '/pg runs',
    report: `/pg report ${target}`,
    pause: '/pg pause deploy until 15:00',
    resume: '/pg resume',
    status: '/pg status',
  };
}

/** The text behind `/pg`. Pure. */
export function parseCommand(text: string, known: Known): Command | Mistake {
  const [word = 'help', ...words] = text.trim().split(/\s+/).filter(Boolean);
  const name = word.toLowerCase();
  switch (name) {
    case 'help':
      return parseHelp(words, known);
    case 'check':
      return parseCheck(words, known);
    case 'locks':
      return parseLocks(words, known);
    case 'run':
      return parseRun(words, text, known);
    case 'report':
      return parseReport(words, known);
    case 'pause':
      return { name, reason: words.join(' ') || null };
    case 'runs':
    case 'resume':
    case 'status':
      return words.length === 0
        ? { name }
        : wrong(`${name} takes nothing more, found "${short(words.join(' '))}"`, examplesOf(known)[name]);
    default:
      return wrongWord({ kind: 'command', found: word, known: commandNames }, examplesOf(known).help, '/pg');
  }
}

function parseHelp([word, ...rest]: string[], known: Known): Command | Mistake {
  const example = examplesOf(known).help;
  if (rest.length > 0) return wrong(`help takes one word, found "${short(rest.join(' '))}" behind it`, example);
  const topic = topics.find((one) => one === word?.toLowerCase()) ?? null;
  return topic === null && word !== undefined
    ? wrongWord({ kind: 'help on', found: word, known: topics }, example, '/pg help')
    : { name: 'help', topic };
}

function parseCheck([job, target, ...rest]: string[], known: Known): Command | Mistake {
  const example = examplesOf(known).check;
  const { jobs, targets } = known;
  if (job === undefined) return wrong('say what to check: a job, or all', example);
  if (rest.length > 0) return wrong(`one job and one target, found "${short(rest.join(' '))}" behind them`, example);
  if (job !== 'all' && !jobs.includes(job))
    return wrongWord({ kind: 'job', found: job, known: ['all', ...jobs] }, example, '/pg check');
  if (target !== undefined && !targets.includes(target))
    return wrongWord({ kind: 'target', found: target, known: targets }, example, `/pg check ${job}`);
  return { name: 'check', jobs: job === 'all' ? [...jobs] : [job], targets: target ? [target] : [...targets] };
}

function parseLocks([target, ...rest]: string[], known: Known): Command | Mistake {
  const example = examplesOf(known).locks;
  const { targets } = known;
  if (target === undefined) return wrong(`say on which target: ${targets.join(', ')}`, example);
  if (rest.length > 0) return wrong(`locks takes one target, found "${short(rest.join(' '))}" behind it`, example);
  return targets.includes(target)
    ? { name: 'locks', target }
    : wrongWord({ kind: 'target', found: target, known: targets }, example, '/pg locks');
}

function parseRun([runbook, target]: string[], text: string, known: Known): Command | Mistake {
  const example = examplesOf(known).run;
  const { runbooks, targets } = known;
  if (runbook === undefined) return wrong(`say which runbook: ${runbooks.join(', ')}`, example);
  if (!runbooks.includes(runbook))
    return wrongWord({ kind: 'runbook', found: runbook, known: runbooks }, example, '/pg run');
  if (target === undefined) return wrong(`say on which target: ${targets.join(', ')}`, example);
  if (!targets.includes(target))
    return wrongWord({ kind: 'target', found: target, known: targets }, example, `/pg run ${runbook}`);
  // Values may hold spaces: they are read from the text behind the first three words.
  const read = readPairs(text.replace(/^\s*\S+\s+\S+\s+\S+/, ''));
  return 'fault' in read ? wrong(read.fault, example) : { name: 'run', runbook, target, params: read.params };
}

/** Where there is one target, it need not be named. */
function parseReport([target, ...rest]: string[], known: Known): Command | Mistake {
  const example = examplesOf(known).report;
  const { targets } = known;
  const [only] = targets.length === 1 ? targets : [];
  const chosen = target ?? only;
  if (chosen === undefined) return wrong(`say of which target: ${targets.join(', ')}`, example);
  if (rest.length > 0) return wrong(`one target, found "${short(rest.join(' '))}" behind it`, example);
  return targets.includes(chosen)
    ? { name: 'report', target: chosen }
    : wrongWord({ kind: 'target', found: chosen, known: targets }, example, '/pg report');
}

function wrong(what: string, example: string): Mistake {
  return { mistake: [`Not understood: ${what}. For example: `, { code: example }] };
}

/** The nearest right command where one is a slip of the keyboard away; else all there are, and an example. */
function wrongWord(
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
