import { type Loaded, parseConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { type AnyJob, defineJob } from '../../src/detect/job.ts';

export const jobs: readonly AnyJob[] = [
  defineJob({
    name: 'long-transactions',
    title: 'Long transactions',
    delivery: 'page',
    scope: 'node',
    schedule: '*/30 * * * * *',
    fire: { afterSeconds: 60 },
    clear: { factor: 0.5, samples: 3 },
    thresholds: {
      minSeconds: { default: 900, unit: 'seconds', about: 'idle in transaction for this long' },
      minBlocked: { default: 10, unit: 'sessions', about: 'that many wait' },
    },
    measures: {},
    judge: () => ({ findings: [], unjudged: [] }),
  }),
  defineJob({
    name: 'lock-chains',
    title: 'Lock chains',
    delivery: 'page',
    scope: 'node',
    schedule: '*/10 * * * * *',
    fire: { afterSeconds: 20 },
    clear: { factor: 0.5, samples: 3 },
    thresholds: {},
    measures: {},
    judge: () => ({ findings: [], unjudged: [] }),
  }),
];

export const env = { STATE: 'state-pw', BOT: 'xoxb-bot', APP: 'xapp-app', MON: 'mon-pw' };

/** Observes one node; lines are counted from 1 by the tests. */
export const minimal = `state:
  url: postgres://bot:\${STATE}@localhost/pgorderly
slack:
  botToken: \${BOT}
  appToken: \${APP}
targets:
  - name: orders
    channel: C0123456789
    nodes:
      - url: postgres://mon:\${MON}@db1:5432/orders
`;

export function load(text: string, variables: Readonly<Record<string, string>> = env): Loaded {
  return parseConfig(text, { file: 'x.yaml', env: variables, jobs });
}

/** `line:column: level: message (hint)` of each problem. */
export function problemsOf(text: string, variables: Readonly<Record<string, string>> = env): string[] {
  return load(text, variables).problems.map((problem) => formatProblem(problem).replace('x.yaml:', ''));
}

/** The minimal configuration with one piece replaced; fails where the piece isn't there. */
export function edited(piece: string, replacement: string): string {
  if (!minimal.includes(piece)) throw new Error(`not in the sample: ${piece}`);
  return minimal.replace(piece, () => replacement);
}
