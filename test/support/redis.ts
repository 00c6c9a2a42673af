import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/demo/server.ts';
import { until } from './wait.ts';

/** Debian's redis-server; tests that need it are skipped where it isn't installed. */
export const isRedisHere = spawnSync('redis-server', ['--version']).status === 0;

export interface RedisServer {
  url: string;
  stop(): Promise<void>;
}

/** On a port of 127.0.0.1; it ends with this process, however that ends. */
/** On the port of one that was stopped, where it is told. */
export async function startRedis(again?: number): Promise<RedisServer> {
  const port = again ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-redis-'));
  const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'];
  const command = ['redis-server', '--port', String(port), '--dir', folder, ...options];
  const child = spawn('/bin/sh', ['-c', tether, folder, ...command], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const gone = once(child, 'exit');
  const stop = async () => {
    child.stdio[3]?.destroy();
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until('redis to answer', () => isListening(port));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://127.0.0.1:${port}`, stop };
}

/** When the other end of descriptor 3 closes, because we ask for it or die, `cat` ends, and Redis and its folder go. */
const tether =
  '"$@" & child=$!; (cat <&3 >/dev/null; kill -9 $child 2>/dev/null; rm -rf "$0") & wait $child 2>/dev/null';

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
