import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '../../src/demo/server.ts';

/** All that is looked for, once: a command, and which of its exit codes say that it has looked. */
export interface Sweep {
  name: string;
  command: readonly string[];
  lookedWell: readonly number[];
}

export interface Cost {
  wallSeconds: number;
  /** Of the clients, user and system together. */
  cpuSeconds: number;
  /** Resident at the most, of the largest process. */
  bytes: number;
}

/** What check_postgres can be asked of one server that our jobs look for too, or that is asked of it everywhere. */
const actions: Readonly<Record<string, readonly string[]>> = {
  archive_ready: [],
  autovac_freeze: [],
  backends: [],
  bloat: [],
  commitratio: ['--warning=1%'],
  connection: [],
  database_size: ['--warning=1 TB'],
  disabled_triggers: [],
  hitratio: ['--warning=1%'],
  last_analyze: [],
  last_autovacuum: [],
  last_vacuum: [],
  locks: [],
  prepared_txns: [],
  query_time: ['--warning=1 hour'],
  replication_slots: ['--warning=1 GB'],
  sequence: [],
  txn_idle: ['--warning=1 hour'],
  txn_time: ['--warning=1 hour'],
  txn_wraparound: [],
  wal_files: ['--warning=1000'],
};

/** Each action is a process of its own, one after another, as a monitor starts them. */
export function checkPostgresSweep({ host, port }: Server, database: string): Sweep {
  const login = `--host='${host}' --port=${port} --dbuser=postgres --dbname=${database} --timeout=600`;
  const lines = Object.entries(actions).map(
    ([action, options]) =>
      `check_postgres --action=${action} ${login} ${options.map((one) => `'${one}'`).join(' ')}; [ $? = 127 ] && exit 127`,
  );
  const name = `check_postgres, ${lines.length} actions`;
  return { name, command: ['sh', '-c', `${lines.join('\n')}\nexit 0`], lookedWell: [0] };
}

/** All jobs in one process, from the build that the package ships. */
export function ownSweep(server: Server, database: string, { thresholds }: { thresholds: readonly string[] }): Sweep {
  const options = ['--all-databases', '--json', ...thresholds.flatMap((one) => ['--threshold', one])];
  return {
    name: thresholds.length > 0 ? 'pgorderly, bloat from 128 kB on' : 'pgorderly, all jobs',
    command: ['node', 'dist/src/cli/main.js', 'check', 'all', '--url', server.url(database), ...options],
    // Findings and what is not judged are answers; its own failures are not, and are 3 as well.
    lookedWell: [0, 1, 2, 3],
  };
}

/** What it took, by GNU time; throws where the sweep did not look. */
export function measure({ name, command, lookedWell }: Sweep): Cost {
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-cost-'));
  try {
    const file = join(folder, 'time');
    const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
    const ran = spawnSync('/usr/bin/time', ['-o', file, '-q', '-f', '%e %U %S %M', ...command], options);
    if (ran.error || ran.status === null || !lookedWell.includes(ran.status))
      throw new Error(`${name} ended with ${ran.status}: ${ran.stderr}`, { cause: ran.error });
    expectAnswers(name, ran.stdout);
    const [wall = 0, user = 0, system = 0, kilobytes = 0] = readFileSync(file, 'utf8').trim().split(' ').map(Number);
    return { wallSeconds: wall, cpuSeconds: user + system, bytes: kilobytes * 1024 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A sweep that was refused is quick. */
function expectAnswers(name: string, text: string): void {
  if (!name.startsWith('pgorderly')) {
    if ((text.match(/^POSTGRES_/gm) ?? []).length !== Object.keys(actions).length) throw new Error(`${name}: ${text}`);
    return;
  }
  const { jobs } = JSON.parse(text) as { jobs: { job: string; status: string; reason: string | null }[] };
  const failed = jobs.filter(({ status, reason }) => status === 'error' || reason?.includes('SQLSTATE'));
  if (failed.length > 0) throw new Error(failed.map(({ job, reason }) => `${job}: ${reason}`).join('\n'));
}
