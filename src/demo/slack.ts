import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PgorderlyError } from '../errors.ts';
import { createSlackControl, type SlackControl } from './slack-control.ts';
import { serveSlackPage } from './slack-page.ts';

export interface LocalSlackOptions {
  /** Everything it writes lies in here, in a folder of its own that `stop` removes. */
  folder: string;
  /** Goes into the environment of its processes as PGORDERLY_DEMO. */
  marker?: string;
  users: { id: string; name: string; real_name?: string; email?: string }[];
  /** Members are user ids, the bot's among them (U0BOT unless told). The page opens with the first channel. */
  channels: { id: string; name: string; members: string[]; is_private?: boolean }[];
  app: {
    botToken: string;
    appToken: string;
    appId?: string;
    botUserId?: string;
    botName?: string;
    signingSecret?: string;
    mode?: 'socket' | 'events';
    /** Where events go in mode `events`. */
    requestUrl?: string;
  };
  workspace?: { name: string; domain: string; teamId: string };
  /** Of the page; left out, a free one. */
  port?: number;
  binary?: string;
}

export interface LocalSlack {
  /** The page a person opens. */
  url: string;
  /** For Bolt's `clientOptions.slackApiUrl`. */
  apiUrl: string;
  control: SlackControl;
  stop(): Promise<void>;
}

/**
 * A Slack of our own on 127.0.0.1, for the demo and the tests. Ends with this process, however that ends.
 * @throws PgorderlyError `slack-binary-missing`, `demo-failed`
 */
export async function startLocalSlack(options: LocalSlackOptions): Promise<LocalSlack> {
  const binary = options.binary ?? locateBinary();
  if (!binary || !existsSync(binary)) throw binaryMissing(binary);
  const folder = join(options.folder, 'local-slack');
  const config = join(folder, 'config.json');
  const { users, channels, app, workspace } = options;
  await mkdir(join(folder, 'tmp'), { recursive: true });
  await writeFile(config, JSON.stringify({ users, channels, app, ...(workspace && { workspace }) }), { mode: 0o600 });

  const child = spawnTethered([binary, '--config', config, '--port', '0'], folder, options.marker);
  const remove = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const inner = await ownUrl(child);
    const page = await serveSlackPage(inner, options.port ?? 0);
    const stop = () => page.close().then(remove);
    return { url: page.url, apiUrl: `${inner}/api/`, control: createSlackControl(inner), stop };
  } catch (cause) {
    await remove();
    throw cause;
  }
}

function locateBinary(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  try {
    const manifest = createRequire(import.meta.url).resolve('local-slack-linux-x64/package.json');
    return join(dirname(manifest), 'bin', 'local-slack');
  } catch {
    return undefined; // An optional package: the caller says how to get it.
  }
}

function binaryMissing(binary: string | undefined): PgorderlyError {
  const found = binary ? `${binary} does not exist` : `nothing is installed for ${process.platform}-${process.arch}`;
  return new PgorderlyError(
    'slack-binary-missing',
    `The local Slack needs its binary for Linux on x64, but ${found}.`,
    {
      hint: 'On Linux x64: npm install local-slack-linux-x64@0.1.8. Elsewhere: set slack.token and slack.appToken and use a real workspace.',
    },
  );
}

/**
 * The shell holds the other end of a pipe of ours (descriptor 3): when we close it or die, even by kill -9,
 * `cat` ends and takes the local Slack with it.
 */
const tether = '"$@" & child=$!; (cat <&3 >/dev/null; kill -9 $child) & wait $child';

function spawnTethered(command: string[], folder: string, marker: string | undefined): ChildProcess {
  return spawn('/bin/sh', ['-c', tether, 'local-slack', ...command, '--base-host', '127.0.0.1'], {
    cwd: folder,
    // Its own temporary folder, since it leaves local-slack-files-* behind when it is killed.
    env: { PATH: process.env['PATH'], TMPDIR: join(folder, 'tmp'), ...(marker && { PGORDERLY_DEMO: marker }) },
    // Ctrl-C in a terminal is for us alone: we stop it in our own order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
}

/** Reads its greeting; goes on reading afterwards, so that its output never blocks it. */
async function ownUrl(child: ChildProcess): Promise<string> {
  let output = '';
  const greeting = new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
      const url = /Web UI: +(http:\/\/\S+)/.exec(output)?.[1];
      if (url) resolve(url);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
    setTimeout(() => reject(new Error('it said nothing for 30 s')), 30_000).unref();
  });
  return await greeting.catch((cause: Error) => {
    throw new PgorderlyError('demo-failed', `The local Slack did not start: ${cause.message}. ${output.trim()}`, {
      cause,
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  const gone = ended || new Promise((resolve) => child.once('exit', resolve));
  child.stdio[3]?.destroy();
  await gone;
}
