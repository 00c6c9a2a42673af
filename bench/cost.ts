/**
 * `npm run bench:cost`: what a sweep of all jobs costs beside 21 actions of check_postgres, in turn on the same server.
 * Options: --tables 1000,10000,30000 --pg 15 --repeats 3.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Server } from '../src/demo/server.ts';
import { type Asked, countAsked, logSettings } from './cost/server-log.ts';
import { type Cost, checkPostgresSweep, measure, ownSweep, type Sweep } from './cost/sweep.ts';
import { makeTables } from './many-tables.ts';

const { values } = parseArgs({
  options: {
    tables: { type: 'string', default: '1000,10000,30000' },
    pg: { type: 'string', default: '15' },
    repeats: { type: 'string', default: '3' },
  },
});

const limits = { wallShare: 0.2, bytes: 150 * 1024 ** 2, atOnce: 2 };
/** Where every 20th of the tables is large enough to be looked at. */
const low = ['table-bloat.minBytes=131072', 'index-bloat.minBytes=131072'];

const settings = {
  ...logSettings,
  autovacuum: 'off',
  shared_buffers: '1GB',
  maintenance_work_mem: '256MB',
  max_locks_per_transaction: '1024',
  max_wal_size: '8GB',
};

await main();

async function main(): Promise<void> {
  build();
  print(
    `PostgreSQL ${values.pg}, Node ${process.version}, ${availableParallelism()} cores; median of ${values.repeats}\n`,
  );
  print('| tables | sweep | wall s | share of check_postgres | CPU s | MB | statements | connections | at once |');
  print('|---:|---|---:|---:|---:|---:|---:|---:|---:|');
  const walls: [tables: number, seconds: number][] = [];
  for (const tables of values.tables.split(',').map(Number)) walls.push([tables, await compare(tables)]);
  print(`\n${describeGrowth(walls)}`);
}

/** What the package ships is measured, not the sources. */
function build(): void {
  const built = spawnSync('npm', ['run', '--silent', 'build'], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the build failed: ${built.stdout}${built.stderr}`);
}

/** Prints what each sweep costs with so many tables; returns the wall seconds of ours. */
async function compare(tables: number): Promise<number> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pgorderly-bench-'));
  chmodSync(folder, 0o777);
  const server = await Server.start({ major: Number(values.pg), folder, settings });
  try {
    await makeTables(server, 'many', tables);
    const peer = checkPostgresSweep(server, 'many');
    const ours = [ownSweep(server, 'many', { thresholds: [] }), ownSweep(server, 'many', { thresholds: low })];
    const sweeps = [...ours, peer];
    // The first of each is not timed, and fills the caches.
    const asked = new Map<Sweep, Asked>();
    for (const sweep of sweeps) asked.set(sweep, await countAsked(server, () => measure(sweep)));
    const rounds: Map<Sweep, Cost>[] = [];
    for (let round = 0; round < Number(values.repeats); round++)
      rounds.push(new Map(sweeps.map((sweep) => [sweep, measure(sweep)])));
    for (const [sweep, counted] of asked) print(rowOf(tables, { sweep, peer }, rounds, counted));
    return median(rounds.flatMap((round) => round.get(ours[0] as Sweep)?.wallSeconds ?? []));
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

function rowOf(
  tables: number,
  { sweep, peer }: { sweep: Sweep; peer: Sweep },
  rounds: readonly Map<Sweep, Cost>[],
  asked: Asked,
): string {
  const costs = rounds.flatMap((round) => round.get(sweep) ?? []);
  // Each against the one of its own round: the machine is not ours alone.
  const share = median(costs.map(({ wallSeconds }, at) => wallSeconds / (rounds[at]?.get(peer)?.wallSeconds ?? 0)));
  const bytes = Math.max(...costs.map((cost) => cost.bytes));
  const isOurs = sweep !== peer;
  const verdict = (isKept: boolean) => (isOurs ? (isKept ? ' kept' : ' MISSED') : '');
  return `| ${[
    tables,
    sweep.name,
    median(costs.map(({ wallSeconds }) => wallSeconds)).toFixed(2),
    `${share.toFixed(3)}${verdict(share <= limits.wallShare)}`,
    median(costs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
    `${(bytes / 1024 ** 2).toFixed(0)}${verdict(bytes <= limits.bytes)}`,
    asked.statements,
    asked.connections,
    `${asked.atOnce}${verdict(asked.atOnce <= limits.atOnce)}`,
  ].join(' | ')} |`;
}

function describeGrowth(walls: readonly [tables: number, seconds: number][]): string {
  const steps = walls.slice(1).map(([tables, seconds], at) => {
    const [before = 0, then = 0] = walls[at] ?? [];
    return `${((1e6 * (seconds - then)) / (tables - before)).toFixed(0)} µs a table from ${before} to ${tables}`;
  });
  return `Growth of a sweep of all jobs: ${steps.join(', ') || 'one size only'}.`;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
