import { spawnSync } from 'node:child_process';
import type { Server } from '../../src/demo/server.ts';

export interface PeerAnswer {
  /** Shares of the size, by name without the schema. */
  tables: Map<string, number>;
  indexes: Map<string, number>;
  elapsedMs: number;
}

/** What the installed check_postgres says of a database; null where it is not installed (Debian: check-postgres). */
export function askCheckPostgres(server: Server, database: string): PeerAnswer | null {
  const login = ['--host', server.host, '--port', String(server.port), '--dbuser', 'postgres', '--dbname', database];
  const limits = ['--warning=0', '--critical=1000000 G', '--perflimit=1000000'];
  const startedAt = performance.now();
  const ran = spawnSync('check_postgres', ['--action=bloat', ...login, ...limits], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (ran.error) return null;
  const elapsedMs = performance.now() - startedAt;
  const tables = new Map<string, number>();
  const indexes = new Map<string, number>();
  const line = /(table|index) (\S+) rows:\S+ pages:(\d+) shouldbe:\S+ \(\S+\) wasted (?:size|bytes):(\d+)/g;
  for (const [, kind, name = '', pages, wasted] of ran.stdout.matchAll(line)) {
    // Of a table without pages it says that one is wasted.
    const share = Number(wasted) / (Number(pages) * 8192);
    if (!Number.isFinite(share)) continue;
    (kind === 'table' ? tables : indexes).set(name.split('.').at(-1) ?? name, share);
  }
  return { tables, indexes, elapsedMs };
}
