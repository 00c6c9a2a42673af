import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Service, startService } from '../app.ts';
import { parseConfig } from '../config/load.ts';
import type { AnyJob } from '../detect/job.ts';
import { PgorderlyError } from '../errors.ts';
import { createLog } from '../log.ts';
import { loadRunbooks, runbooksFolder } from '../remedy/runbook/library.ts';
import { Server } from './server.ts';
import { type LocalSlack, startLocalSlack } from './slack.ts';
import { openShop, type Shop, shopSql } from './trouble.ts';

export const people = { mira: 'U0MIRA', tom: 'U0TOM', ana: 'U0ANA' } as const;
export const channel = { id: 'C0OPS', name: 'ops' } as const;
const tokens = { botToken: 'xoxb-demo', appToken: 'xapp-demo' };

/** Everything the demo runs, each part real: two servers, a Slack with its page, the bot. */
export interface Stage {
  slack: LocalSlack;
  shop: Shop;
  stateUrl: string;
  /** Stops everything and deletes what it wrote. */
  stop(): Promise<void>;
  /** Processes of this demo that live; none after `stop`. */
  processes(): number[];
}

/** Thresholds as the demo lowers them: minutes become seconds. */
export const lowered = {
  'lock-chains.minWaitSeconds': 4,
  'lock-chains.criticalWaitSeconds': 90,
  'long-transactions.minSeconds': 15,
  'long-transactions.idleSeconds': 900,
} as const;

/** Throws server-binaries-missing, slack-binary-missing or demo-failed; nothing is left behind then. */
export async function setStage(options: { major: number; jobs: readonly AnyJob[]; port?: number }): Promise<Stage> {
  const marker = randomBytes(8).toString('hex');
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-demo-'));
  chmodSync(folder, 0o755);
  const undo: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const base = { major: options.major, folder, marker };
    const watched = await Server.start({ ...base, settings: { deadlock_timeout: '1s' } });
    undo.push(() => watched.remove());
    const state = await Server.start(base);
    undo.push(() => state.remove());
    await prepare(watched.url(), ['create database shop']);
    await prepare(watched.url('shop'), [shopSql]);
    const slack = await openSlack({ folder, marker, port: options.port });
    undo.push(() => slack.stop());
    const service = await startBot({ watched, state, slack, jobs: options.jobs });
    undo.push(() => service.stop());
    const shop = openShop((user) => watched.url('shop', user));
    return { slack, shop, stateUrl: state.url(), stop, processes: () => findProcesses(marker) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Processes that carry the marker in their environment, this one excepted. */
function findProcesses(marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readEnvironment(pid).includes(`PGORDERLY_DEMO=${marker}`))
    .map(Number);
}

function readEnvironment(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return ''; // It ended meanwhile, or is another user's and so not ours.
  }
}

async function prepare(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function openSlack(options: { folder: string; marker: string; port: number | undefined }): Promise<LocalSlack> {
  const { folder, marker, port } = options;
  return startLocalSlack({
    folder,
    marker,
    ...(port === undefined ? {} : { port }),
    users: [
      { id: people.mira, name: 'mira', real_name: 'Mira (DBA)' },
      { id: people.tom, name: 'tom', real_name: 'Tom (DBA)' },
      { id: people.ana, name: 'ana', real_name: 'Ana (may not approve)' },
    ],
    channels: [{ ...channel, members: [...Object.values(people), 'U0BOT'] }],
    app: { ...tokens, botUserId: 'U0BOT', botName: 'pgorderly' },
  });
}

interface Parts {
  watched: Server;
  state: Server;
  slack: LocalSlack;
  jobs: readonly AnyJob[];
}

async function startBot({ watched, state, slack, jobs }: Parts): Promise<Service> {
  const quote = JSON.stringify;
  const quick = 'schedule: "*/2 * * * * *", after: 2s';
  const settingsOf = (job: string) => {
    const thresholds = Object.entries(lowered)
      .filter(([name]) => name.startsWith(`${job}.`))
      .map(([name, value]) => `${name.slice(job.length + 1)}: ${value}`);
    return thresholds.length > 0 ? `${quick}, thresholds: { ${thresholds.join(', ')} }` : '';
  };
  const text = `
state: { url: ${quote(state.url())} }
slack: { mode: socket, botToken: ${tokens.botToken}, appToken: ${tokens.appToken}, apiUrl: ${quote(slack.apiUrl)} }
http: { port: 0 }
approvers: { dba: [${people.mira}, ${people.tom}] }
targets:
  - name: orders-prod
    channel: ${channel.id}
    nodes:
      - name: primary
        url: ${quote(watched.url('shop', 'pgorderly_monitor'))}
        actions: { signal: ${quote(watched.url('shop', 'pgorderly_signal'))} }
jobs:
${jobs.map(({ name }) => `  ${name}: { ${settingsOf(name)} }`).join('\n')}
`;
  const { config, problems } = parseConfig(text, { file: 'demo.yaml', env: {}, jobs });
  if (!config) throw new PgorderlyError('internal', problems.map((problem) => problem.message).join('; '));
  const log = createLog(process.env['PGORDERLY_DEMO_LOG'] ?? 'silent');
  return startService({ config, jobs, runbooks: await loadRunbooks(runbooksFolder), log });
}
