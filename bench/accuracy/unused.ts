import pg from 'pg';
import { Server } from '../../src/demo/server.ts';
import type { PlacedSample } from '../../src/detect/history.ts';
import { type Change, checkUse, daySeconds, pastOf } from '../../test/jobs/unused-past.ts';
import { takeBackup } from '../../test/support/base-backup.ts';
import { until } from '../../test/support/wait.ts';
import { generateCases, nodes, resets, type UnusedCase } from './unused-cases.ts';

const cases = 80;
const historyDays = 60;

/** What is said to be unused, beside what nobody used in 35 days on a primary and its standby, and nothing stands on. */
export async function tryUnused(primary: Server, folder: string, seed: number): Promise<string[]> {
  const client = await connect(primary);
  try {
    const standby = await startStandby(client, primary, folder);
    try {
      return await tryOn({ primary, standby, client }, generateCases(seed, cases));
    } finally {
      await standby.remove();
    }
  } finally {
    await client.end();
  }
}

function startStandby(client: pg.Client, primary: Server, folder: string): Promise<Server> {
  const primary_conninfo = `host=${primary.host} port=${primary.port} user=postgres`;
  return Server.start({
    major: primary.major,
    folder,
    // A standby has to have room for as many locks as its primary.
    settings: { autovacuum: 'off', max_locks_per_transaction: '1024', primary_conninfo },
    fill: (data, { account }) => takeBackup(client, { primary, data, account }),
  });
}

interface Pair {
  primary: Server;
  standby: Server;
  /** To the primary. */
  client: pg.Client;
}

async function tryOn({ primary, standby, client }: Pair, made: readonly UnusedCase[]): Promise<string[]> {
  const urls = { one: primary.url(), two: standby.url() };
  await makeAll(primary, made);
  await replay(client, standby);
  await useAll(primary, made, 'one');
  await useAll(standby, made, 'two');
  const template = await until('the scans to be counted', async () => {
    const { samples } = await checkUse('postgres', urls);
    return isCounted(samples, made) && samples;
  });
  const { result } = await checkUse('postgres', urls, { past: pastOf(template, historyDays, live(made)) });
  if (result.unjudged.length > 0) throw new Error(result.unjudged[0]?.reason);
  const ours = result.findings.map(({ subject }) => ('name' in subject ? subject.name : ''));
  const counters = [await idleOn(primary, made, 'one'), await idleOn(standby, made, 'two')] as const;
  return report(made, [
    ['pgorderly', ours],
    ['idx_scan = 0 on the primary, not unique', counters[0]],
    ['idx_scan = 0 on both, not unique', counters[0].filter((name) => counters[1].includes(name))],
  ]);
}

/** In a session that ends: what it scans to check a constraint is counted by then. */
async function makeAll(primary: Server, made: readonly UnusedCase[]): Promise<void> {
  const client = await connect(primary);
  await client.query('create table p (id integer primary key)');
  await client.query('insert into p select generate_series(1, 500)');
  for (const [at, one] of made.entries()) {
    const name = (text: string) => text.replaceAll('$t', `t${at}`).replaceAll('$i', `i${at}`);
    await client.query(name('create table $t as select n as a, n as b from generate_series(1, 500) n'));
    for (const statement of one.made) await client.query(name(statement));
  }
  await client.query('vacuum');
  await client.end();
}

async function replay(client: pg.Client, standby: Server): Promise<void> {
  const { rows } = await client.query('select pg_current_wal_insert_lsn() as lsn');
  const other = await connect(standby);
  const isThere = () => other.query('select pg_last_wal_replay_lsn() >= $1::pg_lsn as there', [rows[0].lsn]);
  await until('the standby', async () => (await isThere()).rows[0].there);
  await other.end();
}

/** How often its counter counts now: what was before a reset is gone. */
function countNow({ scans }: UnusedCase, node: (typeof nodes)[number]): number {
  return scans[node].filter((daysAgo) => daysAgo < Math.min(...resets[node])).length;
}

async function useAll(server: Server, made: readonly UnusedCase[], node: (typeof nodes)[number]): Promise<void> {
  const client = await connect(server);
  for (const [at, one] of made.entries()) {
    const isOfExpression = one.name.startsWith('of an expression');
    const condition = isOfExpression ? 'a + b = 7' : one.name.includes('foreign key') ? 'b = 7' : 'a = 7 and b > 0';
    await client.query(`set enable_seqscan = off`);
    for (let scan = 0; scan < countNow(one, node); scan++) await client.query(`select from t${at} where ${condition}`);
  }
  await client.end();
}

function isCounted(samples: readonly PlacedSample[], made: readonly UnusedCase[]): boolean {
  return nodes.every((node) => {
    const sample = samples.find(({ series }) => series.endsWith(`scans ${node}`));
    const objects = sample && 'objects' in sample ? sample.objects : {};
    return Object.entries(objects).every(([key, value]) => {
      const one = made[numberOf(key)];
      return !one || value >= countNow(one, node);
    });
  });
}

/** What each look of these two months would have sampled. */
function live(made: readonly UnusedCase[]): Change {
  return (objects, daysAgo, series) => {
    const node = nodes.find((one) => series.endsWith(`scans ${one}`));
    if (!node) return objects;
    const begun = Math.min(...resets[node].filter((reset) => reset >= daysAgo));
    const isLast = resets[node].every((reset) => reset >= daysAgo);
    const now = Number(objects['at']) + daysAgo * daySeconds;
    const since = Number.isFinite(begun) ? now - begun * daySeconds : 1;
    const scans = Object.entries(objects).flatMap(([key, value]) => {
      const one = made[numberOf(key)];
      if (!one) return [[key, value] as const];
      const seen = one.scans[node].filter((scan) => scan >= daysAgo && scan < begun).length;
      return one.bornDays > daysAgo ? [[key, seen] as const] : [];
    });
    return {
      ...Object.fromEntries(scans),
      at: Number(objects['at']),
      since: isLast ? Number(objects['since']) : since,
    };
  };
}

/** Of `public.i17#…`. */
function numberOf(key: string): number {
  return Number(/^public\.i(\d+)#/.exec(key)?.[1] ?? -1);
}

/** Once all that was used is counted. */
async function idleOn(server: Server, made: readonly UnusedCase[], node: (typeof nodes)[number]): Promise<string[]> {
  const client = await connect(server);
  const idle = await until('all scans to be counted', async () => {
    const { rows } = await client.query<{ name: string }>(
      `select s.indexrelname as name from pg_stat_user_indexes s join pg_index i using (indexrelid)
       where s.idx_scan = 0 and not i.indisunique and s.indexrelname ~ '^i[0-9]+$'`,
    );
    return rows.every(({ name }) => countNow(made[Number(name.slice(1))] as UnusedCase, node) === 0) && rows;
  });
  await client.end();
  return idle.map(({ name }) => name);
}

function report(made: readonly UnusedCase[], contenders: readonly (readonly [string, readonly string[]])[]): string[] {
  const unused = made.flatMap(({ isUnused }, at) => (isUnused ? [`i${at}`] : []));
  const wrongOf = (said: readonly string[]) => said.filter((name) => /^i\d+$/.test(name) && !unused.includes(name));
  const [ours] = contenders;
  const missed = unused.filter((name) => !ours?.[1].includes(name));
  const nameOf = (name: string) => `${name}: ${made[Number(name.slice(1))]?.name}`;
  return [
    `\n| ${made.length} indexes, ${unused.length} unused | found | missed | false |`,
    '|---|---:|---:|---:|',
    ...contenders.map(([who, said]) => {
      const found = unused.filter((name) => said.includes(name)).length;
      return `| ${who} | ${found} | ${unused.length - found} | ${wrongOf(said).length} |`;
    }),
    ...missed.map((name) => `missed ${nameOf(name)}`),
    ...wrongOf(ours?.[1] ?? []).map((name) => `false ${nameOf(name)}`),
  ];
}

async function connect(server: Server): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  return client;
}
