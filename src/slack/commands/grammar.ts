import { readPairs } from './pairs.ts';
import {
  commandNames,
  examplesOf,
  type Known,
  type Mistake,
  short,
  type Topic,
  topics,
  wrong,
  wrongWord,
} from './words.ts';

export type Command =
  | { name: 'help'; topic: Topic | null }
  | { name: 'check'; jobs: string[]; targets: string[] }
  | { name: 'locks'; target: string }
  | { name: 'run' | 'plan'; runbook: string; target: string; params: Record<string, string> }
  | { name: 'report'; target: string }
  | { name: 'runs' | 'resume' | 'status' }
  | { name: 'stop'; runId: number; reason: string | null }
  | { name: 'resolve'; runId: number; verdict: ResolveVerdict; reason: string }
  | { name: 'pause'; isStopping: boolean; reason: string | null };

export const resolveVerdicts = ['succeeded', 'failed'] as const;
export type ResolveVerdict = (typeof resolveVerdicts)[number];

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
    case 'plan':
      return parseRun(name, words, { text, known });
    case 'report':
      return parseReport(words, known);
    case 'stop':
      return parseStop(words, known);
    case 'resolve':
      return parseResolve(words, known);
    case 'pause':
      return parsePause(words);
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

function parseRun(
  name: 'run' | 'plan',
  [runbook, target]: string[],
  { text, known }: { text: string; known: Known },
): Command | Mistake {
  const example = examplesOf(known)[name];
  const { runbooks, targets } = known;
  if (runbook === undefined) return wrong(`say which runbook: ${runbooks.join(', ')}`, example);
  if (!runbooks.includes(runbook))
    return wrongWord({ kind: 'runbook', found: runbook, known: runbooks }, example, `/pg ${name}`);
  if (target === undefined) return wrong(`say on which target: ${targets.join(', ')}`, example);
  if (!targets.includes(target))
    return wrongWord({ kind: 'target', found: target, known: targets }, example, `/pg ${name} ${runbook}`);
  // Values may hold spaces: they are read from the text behind the first three words.
  const read = readPairs(text.replace(/^\s*\S+\s+\S+\s+\S+/, ''));
  return 'fault' in read ? wrong(read.fault, example) : { name, runbook, target, params: read.params };
}

function parseStop([run, ...reason]: string[], known: Known): Command | Mistake {
  const runId = readRunId(run);
  return runId === null
    ? wrong(wrongRun('stop', run), examplesOf(known).stop)
    : { name: 'stop', runId, reason: reason.join(' ') || null };
}

function parseResolve([run, word, ...reason]: string[], known: Known): Command | Mistake {
  const example = examplesOf(known).resolve;
  const runId = readRunId(run);
  if (runId === null) return wrong(wrongRun('resolve', run), example);
  const verdict = resolveVerdicts.find((one) => one === word?.toLowerCase());
  if (!verdict) return wrong(`say how it ended: ${resolveVerdicts.join(' or ')}`, example);
  if (reason.length === 0) return wrong('say how you know, the audit keeps it', example);
  return { name: 'resolve', runId, verdict, reason: reason.join(' ') };
}

/** R-12 as cards show it, or 12. */
function readRunId(word: string | undefined): number | null {
  const [, id] = /^(?:R-)?(\d{1,9})$/i.exec(word ?? '') ?? [];
  return id === undefined ? null : Number(id);
}

function wrongRun(command: string, found: string | undefined): string {
  return found === undefined ? `say which run to ${command}` : `"${short(found)}" is not a run`;
}

/** Phones and Macs make one dash of two. */
function parsePause(words: string[]): Command {
  const isStopping = /^(--|[—–])stop$/i.test(words[0] ?? '');
  return { name: 'pause', isStopping, reason: words.slice(isStopping ? 1 : 0).join(' ') || null };
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
