import { suggest } from '../../config/nearest.ts';
import type { Text } from '../../model.ts';

export const commandNames = ['help', 'check', 'run', 'runs', 'pause', 'resume', 'status'] as const;
export type CommandName = (typeof commandNames)[number];

/** What a command may name; handed in so that the grammar knows neither jobs nor targets. */
export interface Known {
  jobs: readonly string[];
  runbooks: readonly string[];
  targets: readonly string[];
}

export type Command =
  | { name: 'help'; topic: string | null }
  | { name: 'check'; jobs: string[]; targets: string[] }
  | { name: 'run'; runbook: string; target: string; params: Record<string, string> }
  | { name: 'runs' | 'resume' | 'status' }
  | { name: 'pause'; reason: string | null };

/** What was wrong, the nearest right word, and an example. */
export interface Mistake {
  mistake: Text;
}

export const examples: Record<CommandName, string> = {
  help: '/pg help run',
  check: '/pg check lock-chains orders-prod',
  run: '/pg run terminate-session orders-prod pid=4711',
  runs: '/pg runs',
  pause: '/pg pause deploy until 15:00',
  resume: '/pg resume',
  status: '/pg status',
};

/** The text behind `/pg`. Pure. */
export function parseCommand(text: string, known: Known): Command | Mistake {
  const [name = 'help', ...words] = text.trim().split(/\s+/).filter(Boolean);
  switch (name.toLowerCase()) {
    case 'help':
      return { name: 'help', topic: words[0] ?? null };
    case 'check':
      return parseCheck(words, known);
    case 'run':
      return parseRun(words, known);
    case 'pause':
      return { name: 'pause', reason: words.join(' ') || null };
    case 'runs':
    case 'resume':
    case 'status':
      return words.length === 0
        ? { name: name.toLowerCase() as 'runs' }
        : wrong(`\`${name}\` takes nothing more, found "${words.join(' ')}"`, name as CommandName);
    default:
      return wrongWord('command', name, [...commandNames], examples.help);
  }
}

function parseCheck([job, target, ...rest]: string[], { jobs, targets }: Known): Command | Mistake {
  if (job === undefined) return wrong('say what to check: a job, or all', 'check');
  if (rest.length > 0) return wrong(`one job and one target, found "${rest.join(' ')}" behind them`, 'check');
  if (job !== 'all' && !jobs.includes(job)) return wrongWord('job', job, ['all', ...jobs], examples.check);
  if (target !== undefined && !targets.includes(target))
    return wrongWord('target', target, targets, `/pg check ${job} ${targets[0] ?? ''}`);
  return { name: 'check', jobs: job === 'all' ? [...jobs] : [job], targets: target ? [target] : [...targets] };
}

function parseRun([runbook, target, ...pairs]: string[], { runbooks, targets }: Known): Command | Mistake {
  if (runbook === undefined) return wrong('say which runbook', 'run');
  if (!runbooks.includes(runbook)) return wrongWord('runbook', runbook, runbooks, examples.run);
  if (target === undefined) return wrong('say on which target', 'run');
  if (!targets.includes(target)) return wrongWord('target', target, targets, examples.run);
  const params: Record<string, string> = {};
  for (const pair of pairs) {
    const [, name, value] = /^([a-z_]+)=(.*)$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) return wrong(`"${pair}" is not name=value`, 'run');
    if (params[name] !== undefined) return wrong(`${name} is there twice`, 'run');
    params[name] = value;
  }
  return { name: 'run', runbook, target, params };
}

function wrong(what: string, command: CommandName): Mistake {
  return {
    mistake: [`Not understood: ${what.replaceAll('`', '')}. For example: `, { code: examples[command] ?? '/pg help' }],
  };
}

function wrongWord(kind: string, found: string, known: readonly string[], example: string): Mistake {
  const near = suggest(found, known);
  const help = near ? [' Did you mean ', { code: near }, '?'] : [` There are: ${known.join(', ')}.`];
  return { mistake: [`There is no ${kind} "${found.slice(0, 60)}".`, ...help, ' For example: ', { code: example }] };
}
