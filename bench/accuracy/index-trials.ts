import pg from 'pg';
import {
  type IndexCandidate,
  isSuspect,
  lookAtIndex,
  measureIndex,
  readIndexColumns,
} from '../../jobs/index-bloat.gather.ts';
import type { Server } from '../../src/demo/server.ts';
import type { Ask } from '../../src/detect/job.ts';
import { readStatement } from '../../src/detect/statements.ts';
import { Reader } from '../../src/targets/reader.ts';
import { askCheckPostgres } from './check-postgres.ts';
import { generateIndexes, type IndexCase, knownIndexes } from './indexes.ts';
import type { Trial } from './score.ts';
import type { Trials } from './table-trials.ts';

const generated = 40;
/** As the job has it: what the catalog says is left as it is below. */
const suspectRatio = 0.2;

/** Makes the indexes, asks everybody, and rebuilds them to see who was right. */
export async function trialIndexes(server: Server, seed: number): Promise<Trials> {
  const cases = [...knownIndexes, ...generateIndexes(seed, generated)];
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await client.query('create database indexes');
  await client.end();
  for (const [index, one] of cases.entries()) await makeIndexes(server, one, seed + index);
  const said = await askOurs(server);
  const peer = askCheckPostgres(server, 'indexes');
  if (peer) said.set('check_postgres', peer.indexes);
  const trials = await rebuildAll(server, said);
  const unknowable = cases.filter((one) => one.isUnknowable).map(({ name }) => `${name}_`);
  const guesses = [...(said.get('catalog only')?.keys() ?? [])].filter((name) =>
    unknowable.some((one) => name.startsWith(one)),
  );
  const notes = [
    `catalog only: a number of ${guesses.length} indexes whose statistics are stale ${guesses.join(', ')}`,
    ...(peer ? [] : ['check_postgres is not installed (Debian: check-postgres)']),
  ];
  return { trials, contenders: [...said.keys()], notes };
}

/** Each statement in a session of its own: one that goes on counts its changes only after a later ANALYZE. */
async function makeIndexes(server: Server, one: IndexCase, seed: number): Promise<void> {
  const { name, table, rows, indexes, ill, order } = one;
  const source = (limit: string, by = '') => `select ${table} from generate_series(1, ${rows}) g ${by}${limit}`;
  const made = indexes.map((index) => `create ${index.replace(/^(unique )?(\w+)/, `$1index ${name}_$2`)}`);
  const statements = order
    ? [`create table $t as ${source(' limit 0')}`, ...made, `insert into $t ${source('', `order by ${order}`)}`]
    : [`create table $t as ${source('')}`, ...made];
  for (const statement of [...statements, ...ill, ...(one.isUnknowable ? [] : ['vacuum analyze $t'])]) {
    const client = new pg.Client({ connectionString: server.url('indexes') });
    await client.connect();
    try {
      await client.query('select setseed($1)', [(seed % 1000) / 1000]);
      await client.query(statement.replaceAll('$t', name));
    } finally {
      await client.end();
    }
  }
}

async function askOurs(server: Server): Promise<Map<string, Map<string, number>>> {
  const reader = new Reader({ name: 'main', url: server.url('indexes') });
  const ask: Ask = (statement, params) =>
    reader.ask(readStatement('index-bloat', statement), params, { statementTimeoutMs: 5_000 });
  const client = new pg.Client({ connectionString: server.url('indexes') });
  await client.connect();
  const catalog = new Map<string, number>();
  const measured = new Map<string, number>();
  try {
    await client.query('create extension pgstattuple');
    const candidates = (await ask(undefined, [0])) as unknown as IndexCandidate[];
    const columns = await readIndexColumns(ask, candidates);
    for (const candidate of candidates) {
      const look = lookAtIndex(candidate, columns);
      const share = shareOf(look.estimate);
      if (share !== null) catalog.set(candidate.name, share);
      if (isSuspect(look, suspectRatio)) await measureIndex(ask, look, { columns, schema: 'public' });
      const after = shareOf(look.estimate);
      if (after !== null) measured.set(candidate.name, after);
    }
  } finally {
    await client.end();
    await reader.close();
  }
  return new Map([
    ['pgstatindex on suspects', measured],
    ['catalog only', catalog],
  ]);
}

function shareOf(estimate: ReturnType<typeof lookAtIndex>['estimate']): number | null {
  if (estimate === null || estimate.confidence === 'unknown') return null;
  return (estimate.pages - estimate.rebuiltPages) / estimate.pages;
}

async function rebuildAll(server: Server, said: ReadonlyMap<string, ReadonlyMap<string, number>>): Promise<Trial[]> {
  const client = new pg.Client({ connectionString: server.url('indexes') });
  await client.connect();
  try {
    const sizes = () =>
      client.query<{ name: string; bytes: number }>(
        "select relname as name, pg_relation_size(oid)::float8 as bytes from pg_class where relkind = 'i' and oid >= 16384 and relnamespace = 'public'::regnamespace",
      );
    const before = await sizes();
    await client.query('reindex schema public');
    const after = new Map((await sizes()).rows.map(({ name, bytes }) => [name, bytes]));
    return before.rows.map(({ name, bytes }) => ({
      name,
      truth: Math.max(0, (bytes - (after.get(name) ?? bytes)) / bytes),
      said: new Map([...said].map(([who, all]) => [who, all.get(name) ?? null])),
    }));
  } finally {
    await client.end();
  }
}
