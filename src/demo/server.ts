import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { PgorderlyError } from '../errors.ts';
import { type Binaries, makeData, releaseBinaries, takeBinaries } from './binaries.ts';

export interface ServerOptions {
  major: number;
  /** Must exist; data, socket and log lie in a folder of their own in it, which `remove` deletes. */
  folder: string;
  /** Of postgresql.conf; added to those of a throw-away server. */
  settings?: Record<string, string>;
  /** Lines put before pg_hba.conf's own `trust`. */
  hba?: string[];
  /** Goes into the environment of its processes as PGORDERLY_DEMO. */
  marker?: string;
  /** A data folder made once and copied for each server. */
  template?: string;
  /** Fills the data folder in place of initdb: a base backup, for a standby. */
  fill?(data: string, binaries: Binaries): Promise<void>;
}

/** A PostgreSQL of our own: on a unix socket, and on 127.0.0.1 only. Ends with this process, however that ends. */
export class Server {
  readonly major: number;
  readonly folder: string;
  readonly data: string;
  readonly port: number;
  readonly host: string;
  private readonly binaries: Binaries;
  private readonly marker: string | undefined;
  private child: ChildProcess | null = null;

  private constructor(options: ServerOptions, binaries: Binaries, port: number) {
    this.major = options.major;
    this.folder = join(options.folder, `pg${options.major}-${port}`);
    this.data = join(this.folder, 'data');
    this.host = this.folder;
    this.port = port;
    this.binaries = binaries;
    this.marker = options.marker;
  }

  /** Throws server-binaries-missing or demo-failed. */
  static async start(options: ServerOptions): Promise<Server> {
    const binaries = takeBinaries(options.major);
    const server = new Server(options, binaries, await freePort());
    try {
      mkdirSync(server.folder, { recursive: true, mode: 0o755 });
      const { uid, gid } = binaries.account;
      if (uid !== undefined && gid !== undefined) chownSync(server.folder, uid, gid);
      await (options.fill ? options.fill(server.data, binaries) : makeData(binaries, server.data, options.template));
      server.configure(options);
      await server.run();
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** Over the unix socket; `tcp` for what must cross a proxy. */
  url(database = 'postgres', user = 'postgres'): string {
    return `postgres://${user}@${encodeURIComponent(this.host)}:${this.port}/${database}`;
  }

  tcpUrl(database = 'postgres', user = 'postgres'): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** Starts it, at first or again; returns when it answers. */
  async run(): Promise<void> {
    const command = [this.binaries.postgres, '-D', this.data];
    const child = spawn('/bin/sh', ['-c', tether, this.folder, ...command], {
      ...this.binaries.account,
      cwd: '/',
      env: { PATH: process.env['PATH'], ...(this.marker && { PGORDERLY_DEMO: this.marker }) },
      // Ctrl-C in a terminal is for us alone: we stop it in our own order.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    });
    this.child = child;
    await this.answer(child, () => said);
  }

  /** fast: as an administrator would · immediate: as a crash would. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const { child } = this;
    this.child = null;
    if (!child) return;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      process.kill(this.pid(), mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await gone;
    }
    // Also of a server that ended by itself: else the tether's `cat` lives on, and this process with it.
    child.stdio[3]?.destroy();
  }

  /** Stops it and deletes all that it wrote. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    rmSync(this.folder, { recursive: true, force: true });
    releaseBinaries(this.binaries);
  }

  pid(): number {
    return Number(readFileSync(join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  private configure({ settings, hba }: ServerOptions): void {
    const all = { ...throwAway, port: String(this.port), unix_socket_directories: this.folder, ...settings };
    const lines = Object.entries(all).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
    writeFileSync(join(this.data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
    if (!hba) return;
    const file = join(this.data, 'pg_hba.conf');
    writeFileSync(file, `${hba.join('\n')}\n${readFileSync(file, 'utf8')}`);
  }

  private async answer(child: ChildProcess, said: () => string): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const client = new pg.Client({ connectionString: this.url(), connectionTimeoutMillis: 2_000 });
      try {
        await client.connect();
        return;
      } catch (cause) {
        if (child.exitCode === null && Date.now() < deadline) await sleep(20);
        else
          throw new PgorderlyError('demo-failed', `PostgreSQL ${this.major} did not start: ${said().trim()}`, {
            cause,
          });
      } finally {
        await client.end();
      }
    }
  }
}

/** Nothing here has to survive a power cut. */
const throwAway = {
  listen_addresses: '127.0.0.1',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
};

/**
 * The shell holds the other end of a pipe of ours (descriptor 3): when we die, even by kill -9, `cat` ends, the server
 * is shut down and its folder ($0) removed, with the one above if nothing else is in it.
 */
const tether = `
  "$@" & child=$!
  (cat <&3 >/dev/null; trap "" TERM; kill -QUIT $child 2>/dev/null
   while kill -0 $child 2>/dev/null; do sleep 0.05; done; rm -rf "$0"; rmdir "$(dirname "$0")" 2>/dev/null) &
  wait $child; kill $! 2>/dev/null`;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
