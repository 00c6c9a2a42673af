import { jobs } from '../../jobs/index.ts';
import { type Config, isObserveOnly } from '../config/config.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { countProblems, formatProblem } from '../config/problem.ts';
import { explain } from '../errors.ts';
import { loadLibrary } from '../remedy/runbook/library.ts';

/** The last line of `config check`: what a right file amounts to, or how much is wrong with it. */
export function summarize(file: string, { config, problems }: Loaded): string {
  const count = countProblems(problems);
  if (!config) return count;
  return [`${file} is valid: ${describe(config)}`, count].filter((part) => part !== '').join('; ');
}

/** `pgorderly config check`: 0 if the file, and the runbooks that it names, may be used; 1 if there are errors. */
export async function checkConfig(file: string): Promise<0 | 1> {
  try {
    const loaded = loadConfig(file, { env: process.env, jobs });
    for (const problem of loaded.problems) console.log(formatProblem(problem));
    if (loaded.config) await loadLibrary(loaded.config.runbooks);
    console.log(summarize(file, loaded));
    return loaded.config ? 0 : 1;
  } catch (error) {
    console.error(explain(error));
    return 1;
  }
}

function describe({ targets }: Config): string {
  const nodes = targets.reduce((count, target) => count + target.nodes.length, 0);
  const observed = targets.filter(isObserveOnly).map(({ name }) => name);
  return [
    plural(targets.length, 'target'),
    plural(nodes, 'node'),
    `observe-only: ${observed.join(', ') || 'none'}`,
  ].join(', ');
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
