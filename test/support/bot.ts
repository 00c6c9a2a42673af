import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jobs } from '../../jobs/index.ts';
import { type Service, startService, type Timing } from '../../src/app.ts';
import { parseConfig } from '../../src/config/load.ts';
import { createLog } from '../../src/log.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import type { StrictSlack } from './slack.ts';

export interface BotOptions {
  slack: Pick<StrictSlack, 'apiUrl' | 'botToken' | 'appToken'>;
  stateUrl: string;
  redisUrl?: string;
  /** Monitoring and signal logins of the one target, `shop`. */
  monitorUrl: string;
  signalUrl?: string;
  maintainUrl?: string;
  ddlUrl?: string;
  approvers?: string[];
  /** People needed for medium risk, 1 unless told. */
  people?: number;
  channel?: string;
  /** Settings of lock-chains as YAML: each second and at the lowest thresholds unless told. */
  lockChains?: string;
  /** More YAML of the target, indented by four. */
  target?: string;
  /** More targets, as YAML indented by two. */
  targets?: string;
  /** Settings of further jobs, as YAML indented by two; the others don't run. */
  jobs?: string;
  /** Of the service within this process; as `pgorderly start` has it unless told. */
  timing?: Timing;
}

/** A configuration with the shortest schedules and lowest thresholds, for one target. */
export function configText(options: BotOptions): string {
  const { slack, stateUrl, redisUrl, monitorUrl, approvers = ['U0MIRA', 'U0TOM'], people = 1 } = options;
  const quick = 'schedule: "* * * * * *", after: 0s';
  return `
state: { url: ${JSON.stringify(stateUrl)} }
${redisUrl ? `queue: { redis: ${JSON.stringify(redisUrl)} }` : ''}
slack: { mode: socket, botToken: ${slack.botToken}, appToken: ${slack.appToken}, apiUrl: ${JSON.stringify(slack.apiUrl)} }
http: { port: 0 }
log: { level: ${process.env['BOT_LOG'] ?? 'fatal'} }
approvers: { dba: [${approvers.join(', ')}] }
policies:
  production:
    medium: { people: ${people}, asker: typed }
    high: { people: 1 }
targets:
  - name: shop
    channel: ${options.channel ?? 'C0OPS'}
    protect: ["app:protected*"]
${options.target ?? ''}
    nodes:
      - url: ${JSON.stringify(monitorUrl)}
        name: primary
        actions: { ${actionsOf(options)} }
${options.targets ?? ''}
jobs:
  lock-chains: ${options.lockChains ?? `{ ${quick}, thresholds: { minWaitSeconds: 0.2, criticalWaitSeconds: 600, criticalVictims: 100 } }`}
  long-transactions: { ${quick}, enabled: false }
${options.jobs ?? ''}
${turnOffAllBut(['lock-chains', 'long-transactions'], options.jobs ?? '')}
`;
}

function actionsOf({ signalUrl: signal, maintainUrl: maintain, ddlUrl: ddl }: BotOptions): string {
  const urls = Object.entries({ signal, maintain, ddl }).filter(([, url]) => url !== undefined);
  return urls.map(([name, url]) => `${name}: ${JSON.stringify(url)}`).join(', ');
}

function turnOffAllBut(names: readonly string[], written: string): string {
  const others = jobs.filter(({ name }) => !names.includes(name) && !written.includes(`  ${name}:`));
  return others.map(({ name }) => `  ${name}: { enabled: false }`).join('\n');
}

/** The service within this process. */
export async function startBot(options: BotOptions): Promise<Service> {
  const { config, problems } = parseConfig(configText(options), { file: 'test.yaml', env: {}, jobs });
  if (!config) throw new Error(problems.map((problem) => JSON.stringify(problem)).join('\n'));
  const log = createLog(config.log.level);
  const { timing } = options;
  const runbooks = await loadRunbooks(runbooksFolder);
  return startService({ config, jobs, runbooks, log, ...(timing ? { timing } : {}) });
}

export interface Readiness {
  ready: boolean;
  parts: Record<string, { ok: boolean; detail?: string }>;
}

export async function readiness(port: number): Promise<Readiness> {
  return (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as Readiness;
}

export interface BotProcess {
  child: ChildProcess;
  output(): string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * The service as a process of its own, to be stopped, frozen or killed: impatient, so that a lost worker is noticed
 * within 3 s, or as it is installed.
 */
export async function spawnBot(options: BotOptions, as: 'impatient' | 'installed' = 'impatient'): Promise<BotProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-bot-'));
  const file = join(folder, 'pgorderly.yaml');
  writeFileSync(file, configText(options).replace('level: fatal', 'level: info'));
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const command =
    as === 'installed'
      ? [path('../../bin/pgorderly.js'), 'start', '--config', file]
      : ['--import', 'tsx', path('./bot-process.ts'), file];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const read = (chunk: Buffer) => {
    said += chunk.toString();
  };
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    child,
    output: () => said,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      const code = await gone;
      process.off('exit', kill);
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}
