/**
 * `npm run bench:locks`: what one check of the lock chains costs beside the plain `pg_blocking_pids` query, and what
 * pgbench loses by it. Options: --pg 18 · --waiters 500 · --seed 7 · --only shapes|pgbench.
 */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import pg from 'pg';
import { findChains } from '../jobs/lock-chains.chain.ts';
import { gatherLocks } from '../jobs/lock-chains.gather.ts';
import { buildGraph } from '../jobs/lock-chains.graph.ts';
import { lockChains } from '../jobs/lock-chains.ts';
import { Server } from '../src/demo/server.ts';
import { readStatement } from '../src/detect/statements.ts';
import { Reader } from '../src/targets/reader.ts';
import {
  chain,
  type LockStorm,
  type Place,
  randomGraph,
  type Shape,
  star,
  tableQueue,
} from '../test/support/lock-storms.ts';

const { values } = parseArgs({
  options: {
    pg: { type: 'string', default: '18' },
    waiters: { type: 'string', default: '500' },
    seed: { type: 'string', default: '7' },
    only: { type: 'string' },
  },
});
const repeats = 20;
const rounds = 10;
const roundSeconds = 4;
const binaries = ['/usr/lib/postgresql/18/bin', '/usr/lib/postgresql/15/bin', '/usr/bin'];

/** The shortest question that knows all edges. */
const plainSql = `
  select w.pid, pg_blocking_pids(w.pid) as blocked_by
  from (select distinct pid from pg_locks where not granted and pid is not null) w`;

const settings = {
  autovacuum: 'off',
  max_connections: '800',
  max_prepared_transactions: '20',
  max_locks_per_transaction: '256',
  deadlock_timeout: '1h',
  jit: 'off',
};

await main();

async function main(): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pgorderly-bench-'));
  chmodSync(folder, 0o777);
  const server = await Server.start({ major: Number(values.pg), folder, settings });
  try {
    print(`PostgreSQL ${values.pg}, Node ${process.version}, ${availableParallelism()} cores`);
    if (values.only !== 'pgbench') await compareShapes(server, Number(values.waiters));
    if (values.only !== 'shapes') await comparePgbench(server);
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compareShapes(server: Server, waiters: number): Promise<void> {
  const shapes: [string, Shape, share: number][] = [
    ['chain', chain, 2],
    ['row-lock star', star, 0.3],
    ['table queue', tableQueue, 2],
    [`random DAG, seed ${values.seed}`, randomGraph(Number(values.seed)), 2],
  ];
  print(
    `\nmedian of ${repeats}, ms; ours: statements, graph, all roots with their victims; judged: with texts and offers of each too\n`,
  );
  print('| shape | waiting | plain edges | our edges | plain | ours | ratio | at most | judged |');
  print('|---|---:|---:|---:|---:|---:|---:|---|---:|');
  for (const [name, shape, share] of shapes)
    print(`| ${name} | ${await compareShape(server, { shape, waiters, share })} |`);
}

interface Comparison {
  shape: Shape;
  waiters: number;
  /** Of the plain query's time; 2 where 40 ms do as well. */
  share: number;
}

async function compareShape(server: Server, { shape, waiters, share }: Comparison): Promise<string> {
  const [place, storm] = await makeStorm(server, shape, waiters);
  const reader = new Reader({ name: 'main', url: server.url() });
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  try {
    const plain: number[] = [];
    const ours: number[] = [];
    const judged: number[] = [];
    for (let repeat = -2; repeat < repeats; repeat++) {
      const times = [
        await timed(() => client.query(plainSql)),
        await timed(() => find(reader)),
        await timed(() => check(reader)),
      ];
      if (repeat < 0) continue;
      plain.push(times[0] ?? 0);
      ours.push(times[1] ?? 0);
      judged.push(times[2] ?? 0);
    }
    const { rows } = await client.query<{ blocked_by: number[] }>(plainSql);
    const facts = await gatherLocks(asking(reader));
    const graph = buildGraph(facts.sessions, facts.prepared, facts.queues);
    const limit = share < 1 ? share * median(plain) : Math.max(share * median(plain), 40);
    const verdict = `${limit.toFixed(1)}: ${median(ours) <= limit ? 'kept' : 'MISSED'}`;
    const edges = [
      sum(rows.map((row) => row.blocked_by.length)),
      sum([...graph.blockersOf.values()].map((one) => one.length)),
    ];
    const ratio = (median(ours) / median(plain)).toFixed(2);
    return [
      rows.length,
      ...edges,
      median(plain).toFixed(1),
      median(ours).toFixed(1),
      ratio,
      verdict,
      median(judged).toFixed(1),
    ].join(' | ');
  } finally {
    await client.end();
    await reader.close();
    await storm.end();
    await place.close();
  }
}

async function comparePgbench(server: Server): Promise<void> {
  const pgbench = binaries.map((folder) => join(folder, 'pgbench')).find(existsSync);
  if (!pgbench) return print('\nno pgbench here (Debian: postgresql-contrib)');
  const [place, storm] = await makeStorm(server, star, 400);
  const reader = new Reader({ name: 'main', url: server.url() });
  const options = ['-h', server.host, '-p', String(server.port), '-U', 'postgres', 'bench'];
  const run = async (...more: string[]) => (await promisify(execFile)(pgbench, [...more, ...options])).stdout;
  const throughput = async () =>
    Number(/tps = ([\d.]+)/.exec(await run('-N', '-c', '4', '-T', String(roundSeconds)))?.[1]);
  try {
    await place.run('create database bench');
    await run('-i', '-q', '-s', '10');
    await throughput();
    print(
      `\npgbench -N -c 4, ${roundSeconds} s a round, beside a row-lock star of 400; watched: a check each second\n`,
    );
    print('| round | not watched, tps | watched, tps | ratio |\n|---:|---:|---:|---:|');
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const isWatchedFirst = round % 2 === 0;
      const first = isWatchedFirst ? await watched(reader, throughput) : await throughput();
      const second = isWatchedFirst ? await throughput() : await watched(reader, throughput);
      const [alone, beside] = isWatchedFirst ? [second, first] : [first, second];
      ratios.push(beside / alone);
      print(`| ${round} | ${alone.toFixed(0)} | ${beside.toFixed(0)} | ${(beside / alone).toFixed(2)} |`);
    }
    print(
      `\nmedian of the paired ratios: ${median(ratios).toFixed(2)}, at least 0.85: ${median(ratios) >= 0.85 ? 'kept' : 'MISSED'}`,
    );
  } finally {
    await reader.close();
    await storm.end();
    await place.close();
  }
}

/** With a check each second for as long as it lasts. */
async function watched<T>(reader: Reader, work: () => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const watching = (async () => {
    while (!ended.signal.aborted) {
      await check(reader);
      await sleep(1000, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  try {
    return await work();
  } finally {
    ended.abort();
    await watching;
  }
}

async function find(reader: Reader): Promise<unknown> {
  return findChains(await gatherLocks(asking(reader)));
}

async function check(reader: Reader): Promise<void> {
  const { minWaitSeconds, criticalWaitSeconds, criticalVictims } = lockChains.thresholds;
  lockChains.judge(await gatherLocks(asking(reader)), {
    thresholds: {
      minWaitSeconds: minWaitSeconds.default,
      criticalWaitSeconds: criticalWaitSeconds.default,
      criticalVictims: criticalVictims.default,
    },
    now: new Date(),
    node: { name: 'main', isStandby: false, role: 'postgres', seesAll: true },
    protectedBecause: () => null,
    history: () => [],
  });
}

function asking(reader: Reader): Parameters<typeof gatherLocks>[0] {
  return (statement, params) => reader.ask(readStatement('lock-chains', statement), params);
}

async function makeStorm(
  server: Server,
  shape: Shape,
  waiters: number,
): Promise<[Place & { close(): Promise<void> }, LockStorm]> {
  const client = async () => {
    const opened = new pg.Client({ connectionString: server.url() });
    opened.on('error', () => {
      // The storm's end terminates its sessions.
    });
    await opened.connect();
    return opened;
  };
  const own = await client();
  const place = { client, run: (sql: string, params?: unknown[]) => own.query(sql, params), close: () => own.end() };
  return [place, await shape(place, waiters)];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? 0)) / 2;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
