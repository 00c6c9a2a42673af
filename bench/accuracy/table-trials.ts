import pg from 'pg';
import {
  type Candidate,
  lookInCatalog,
  measureTable,
  readColumns,
  type TableLook,
} from '../../jobs/table-bloat.gather.ts';
import type { Tools } from '../../jobs/table-bloat.measure.ts';
import type { Server } from '../../src/demo/server.ts';
import type { Ask } from '../../src/detect/job.ts';
import { readStatement } from '../../src/detect/statements.ts';
import { Reader } from '../../src/targets/reader.ts';
import { askCheckPostgres } from './check-postgres.ts';
import { generateTables } from './random-tables.ts';
import type { Trial } from './score.ts';
import type { TableCase } from './table-case.ts';
import { knownTables } from './tables.ts';

export interface Trials {
  trials: Trial[];
  contenders: string[];
  notes: string[];
}

const generated = 40;
const noTools: Tools = { pgstattuple: null, freeSpaceMap: null, samplePages: 0 };
const ways: readonly [string, Tools | null][] = [
  ['sample of 50 pages', { ...noTools, samplePages: 50 }],
  ['catalog only', null],
  ['pgstattuple_approx', { ...noTools, pgstattuple: 'public' }],
  ['free space map', { ...noTools, freeSpaceMap: 'public' }],
];

/** Makes the tables, asks everybody, and rebuilds them to see who was right. */
export async function trialTables(server: Server, seed: number): Promise<Trials> {
  const cases = [...knownTables, ...generateTables(seed, generated)];
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  const reader = new Reader({ name: 'main', url: server.url() });
  const ask: Ask = (statement, params) =>
    reader.ask(readStatement('table-bloat', statement), params, { statementTimeoutMs: 5_000 });
  try {
    await client.query('create extension if not exists pgstattuple');
    await client.query('create extension if not exists pg_freespacemap');
    for (const [index, one] of cases.entries()) await makeTable(server, one, seed + index);
    const said = new Map<string, Map<string, number>>();
    for (const [name, tools] of ways) said.set(name, await askOurs(ask, tools));
    const peer = askCheckPostgres(server, 'postgres');
    if (peer) said.set('check_postgres', peer.tables);
    const guesses = cases.filter(({ name, isUnknowable }) => isUnknowable && said.get('catalog only')?.has(name));
    const trials: Trial[] = [];
    for (const { name } of cases) {
      const truth = await rebuild(client, name);
      trials.push({ name, truth, said: new Map([...said].map(([who, all]) => [who, all.get(name) ?? null])) });
    }
    const notes = [
      `catalog only: a number of ${guesses.length} of ${cases.filter(({ isUnknowable }) => isUnknowable).length} tables whose statistics are missing or stale ${guesses.map(({ name }) => name).join(', ')}`,
      ...(peer ? [] : ['check_postgres is not installed (Debian: check-postgres)']),
    ];
    return { trials, contenders: [...said.keys()], notes };
  } finally {
    await reader.close();
    await client.end();
  }
}

/** Each statement in a session of its own: one that goes on counts its changes only after a later ANALYZE. */
async function makeTable(server: Server, { name, statements }: TableCase, seed: number): Promise<void> {
  for (const statement of statements) {
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    try {
      await client.query('select setseed($1)', [(seed % 1000) / 1000]);
      await client.query(statement.replaceAll('$t', name));
    } finally {
      await client.end();
    }
  }
}

/** Shares by the name of the root; none for "unknown". */
async function askOurs(ask: Ask, tools: Tools | null): Promise<Map<string, number>> {
  const candidates = (await ask(undefined, [0])) as unknown as Candidate[];
  const columns = await readColumns(ask, candidates);
  const looks = candidates.map((candidate) => lookInCatalog(candidate, columns));
  if (tools) for (const look of looks) await measureTable(ask, look, { columns, tools });
  const roots = new Map<string, TableLook[]>();
  for (const look of looks) roots.set(look.candidate.rootName, [...(roots.get(look.candidate.rootName) ?? []), look]);
  return new Map(
    [...roots].flatMap(([root, all]) => {
      const share = shareOf(all);
      return share === null ? [] : [[root, share] as const];
    }),
  );
}

function shareOf(looks: readonly TableLook[]): number | null {
  const heaps = looks.flatMap(({ heap, toast }) => (toast ? [heap, toast] : [heap]));
  let pages = 0;
  let gain = 0;
  for (const heap of heaps) {
    if (heap.confidence === 'unknown' && heap.pages > 0) return null;
    if (heap.confidence === 'unknown') continue;
    pages += heap.pages;
    gain += heap.pages - heap.rebuiltPages;
  }
  return pages === 0 ? null : gain / pages;
}

async function rebuild(client: pg.Client, name: string): Promise<number> {
  const before = await sizeOf(client, name);
  await client.query(`vacuum full ${name}`);
  return Math.max(0, (before - (await sizeOf(client, name))) / Math.max(1, before));
}

async function sizeOf(client: pg.Client, name: string): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    `select sum(pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0))::float8 as bytes
     from pg_class c
     where c.relkind in ('r', 'm') and (c.oid = $1::regclass or c.oid in (select inhrelid from pg_inherits where inhparent = $1::regclass))`,
    [name],
  );
  return rows[0]?.bytes ?? 0;
}
