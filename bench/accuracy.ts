/**
 * `npm run bench:accuracy`: how near estimates of bloat come to what a rebuild gives back, and what jobs find, miss and
 * find wrongly in cases made for them, beside check_postgres.
 * Options: --pg 18 · --seed 1 · --only tables|indexes|verdicts · --list (every relation, the worst first) · --only cost,
 * what it costs with --tables 34500 · --only unused, indexes that two nodes use or don't for two months.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Server } from '../src/demo/server.ts';
import { takeBackup } from '../test/support/base-backup.ts';
import { compareCost } from './accuracy/cost.ts';
import { trialIndexes } from './accuracy/index-trials.ts';
import { listTrials, scoreTable } from './accuracy/score.ts';
import { trialTables } from './accuracy/table-trials.ts';
import { tryUnused } from './accuracy/unused.ts';
import { tryVerdicts } from './accuracy/verdicts.ts';

const { values } = parseArgs({
  options: {
    pg: { type: 'string', default: '18' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
    tables: { type: 'string', default: '34500' },
  },
});

const settings = {
  autovacuum: 'off',
  shared_buffers: '1GB',
  maintenance_work_mem: '256MB',
  jit: 'off',
  max_locks_per_transaction: '1024',
  max_wal_size: '8GB',
};

const settingsOfPair = {
  shared_buffers: '128MB',
  wal_level: 'logical',
  max_prepared_transactions: '20',
  archive_mode: 'on',
  archive_command: 'false',
};

await main();

async function main(): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pgorderly-bench-'));
  chmodSync(folder, 0o777);
  const server = await Server.start({ major: Number(values.pg), folder, settings });
  const seed = Number(values.seed);
  try {
    print(`PostgreSQL ${values.pg}, seed ${seed}, Node ${process.version}, ${availableParallelism()} cores`);
    if (!values.only || values.only === 'tables') report('tables', await trialTables(server, seed));
    if (!values.only || values.only === 'indexes') report('btree indexes', await trialIndexes(server, seed));
    if (!values.only || values.only === 'verdicts') for (const line of await verdicts(folder, seed)) print(line);
    if (values.only === 'unused') for (const line of await tryUnused(server, folder, seed)) print(line);
    if (values.only === 'cost') for (const line of await compareCost(server, Number(values.tables))) print(line);
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** On servers of their own: they are made ill as a whole. */
async function verdicts(folder: string, seed: number): Promise<string[]> {
  const major = Number(values.pg);
  const primary = await Server.start({ major, folder, settings: { ...settings, ...settingsOfPair } });
  const client = new pg.Client({ connectionString: primary.url() });
  await client.connect();
  try {
    const standby = await Server.start({
      major,
      folder,
      settings: {
        ...settings,
        ...settingsOfPair,
        primary_conninfo: `host=${primary.host} port=${primary.port} user=postgres`,
      },
      fill: (data, { account }) => takeBackup(client, { primary, data, account }),
    });
    try {
      return ['', ...(await tryVerdicts({ primary, standby }, seed))];
    } finally {
      await standby.remove();
    }
  } finally {
    await client.end();
    await primary.remove();
  }
}

function report(what: string, { trials, contenders, notes }: Awaited<ReturnType<typeof trialTables>>): void {
  print(`\n${trials.length} ${what}\n`);
  for (const line of scoreTable(trials, contenders)) print(line);
  if (values.list) for (const line of ['', ...listTrials(trials, contenders, contenders[0] ?? '')]) print(line);
  for (const note of notes) print(`\n${note}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
