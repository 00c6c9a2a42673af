import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Server } from '../../src/demo/server.ts';

/** To be started with. */
export const logSettings = { logging_collector: 'on', log_directory: 'log', log_line_prefix: '%p|%a|' };

/** What a server was asked. */
export interface Asked {
  connections: number;
  atOnce: number;
  /** Texts that were sent, whatever is in them. */
  statements: number;
}

/** Reads it off the server's own log, which is off but for this: it costs time. */
export async function countAsked(server: Server, act: () => void): Promise<Asked> {
  const before = readLog(server).length;
  await set(server, { log_statement: 'all', log_connections: 'on', log_disconnections: 'on' });
  act();
  await sleep(500);
  await set(server, { log_statement: 'none', log_connections: 'off', log_disconnections: 'off' });
  return count(readLog(server).slice(before).split('\n'));
}

function count(lines: readonly string[]): Asked {
  const asked: Asked = { connections: 0, atOnce: 0, statements: 0 };
  const open = new Set<string>();
  for (const line of lines) {
    const [, pid = '', what = ''] = /^(\d+)\|(?!bench\|)[^|]*\|LOG: {2}(\w+ \w+|\w+)/.exec(line) ?? [];
    if (what === 'connection authorized') {
      asked.connections++;
      open.add(pid);
      asked.atOnce = Math.max(asked.atOnce, open.size);
    }
    if (what.startsWith('disconnection')) open.delete(pid);
    if (what === 'statement' || what.startsWith('execute')) asked.statements++;
  }
  return asked;
}

function readLog(server: Server): string {
  const folder = join(server.data, 'log');
  const files = readdirSync(folder).map((file) => join(folder, file));
  return files
    .sort((a, b) => statSync(a).birthtimeMs - statSync(b).birthtimeMs)
    .map((file) => readFileSync(file, 'utf8'))
    .join('');
}

async function set(server: Server, settings: Record<string, string>): Promise<void> {
  const client = new pg.Client({ connectionString: server.url(), application_name: 'bench' });
  await client.connect();
  try {
    for (const [name, value] of Object.entries(settings)) await client.query(`alter system set ${name} = '${value}'`);
    await client.query('select pg_reload_conf()');
    await sleep(200);
  } finally {
    await client.end();
  }
}
