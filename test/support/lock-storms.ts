import type pg from 'pg';
import { until } from './wait.ts';

/** Where a storm is made: an empty database that only it uses. */
export interface Place {
  client(): Promise<pg.Client>;
  run(sql: string, params?: unknown[]): Promise<pg.QueryResult>;
}

export interface LockStorm {
  /** What to say of it when something is wrong. */
  name: string;
  pids: readonly number[];
  /** Its parallel query's leader, if it has one. */
  leader: number | null;
  end(): Promise<void>;
}

export type Shape = (place: Place, waiters: number) => Promise<LockStorm>;

/** Each holds a row and wants that of the one before. */
export const chain: Shape = async (place, waiters) => {
  const storm = await begin(place, `a chain of ${waiters}`);
  const sessions = await storm.open(waiters + 1);
  await Promise.all(sessions.map((one, row) => one.query(`update rows set v = 1 where id = ${row}`)));
  sessions.slice(1).forEach((one, row) => {
    storm.ask(one, `update rows set v = 2 where id = ${row}`);
  });
  return storm.ready(waiters);
};

/** All want the row that one holds. */
export const star: Shape = async (place, waiters) => {
  const storm = await begin(place, `a row-lock star of ${waiters}`);
  const [root, ...others] = await storm.open(waiters + 1);
  await root?.query('update rows set v = 1 where id = 1');
  for (const one of others) storm.ask(one, 'update rows set v = 2 where id = 1');
  return storm.ready(waiters);
};

/** A reader, a queued change of the table, and all the readers and writers that came after it. */
export const tableQueue: Shape = async (place, waiters) => {
  const storm = await begin(place, `a table queue of ${waiters}`);
  const [reader, alter, ...others] = await storm.open(waiters + 1);
  await reader?.query('select from table_0');
  if (alter) storm.ask(alter, 'alter table table_0 add column late integer');
  await storm.waiting(1);
  others.forEach((one, index) => {
    storm.ask(one, index % 3 === 0 ? 'insert into table_0 values (1)' : 'select from table_0');
  });
  return storm.ready(waiters);
};

/** About so many that wait, for whatever can be waited for; the same seed makes the same requests. */
export function randomGraph(seed: number): Shape {
  return async (place, waiters) => {
    const storm = await begin(place, `a random graph of ${waiters}, SEED=${seed}`);
    const random = randomFrom(seed);
    const sessions = await storm.open(Math.ceil(waiters * 1.3), random);
    const keys = Math.max(3, Math.round(waiters / 6));
    const prepared = new Set(sessions.filter((_, index) => index < 15 && random(4) === 0));
    for (const [index, one] of sessions.entries()) {
      for (let locks = 1 + random(3); locks > 0; locks--) await tryLock(one, { random, keys, waits: false });
      if (prepared.has(one)) await storm.prepare(one, `storm-${index}`);
    }
    if (sessions[0] && !prepared.has(sessions[0])) await storm.askInParallel(sessions[0]);
    for (const one of sessions.slice(1).filter((each) => !prepared.has(each))) {
      const isConcurrent = random(25) === 0;
      if (isConcurrent) await one.query('rollback');
      const request = isConcurrent
        ? `create index concurrently on table_${random(tables)} (v)`
        : requestOf({ random, keys, waits: true });
      await storm.askAndSee(one, request);
    }
    return storm;
  };
}

const tables = 5;
const schemas = 3;
const modes = [
  'access share',
  'row share',
  'row exclusive',
  'share update exclusive',
  'share',
  'share row exclusive',
  'exclusive',
  'access exclusive',
];
const strengths = ['update', 'no key update', 'share', 'key share'];

type Random = (below: number) => number;

interface Draw {
  random: Random;
  keys: number;
  /** Else it is taken at once or not at all. */
  waits: boolean;
}

/** A table in any mode, a row in any strength, a key of an index, an advisory lock, a schema. */
function requestOf({ random, keys, waits }: Draw): string {
  const key = random(keys);
  const nowait = waits ? '' : ' nowait';
  const kind = random(12);
  if (kind < 4) return `lock table table_${random(tables)} in ${modes[random(modes.length)]} mode${nowait}`;
  if (kind < 7) return `select from rows where id = ${key} for ${strengths[random(strengths.length)]}${nowait}`;
  if (kind === 7) return `update rows set v = v + 1 where id = ${key}`;
  if (kind === 8) return `insert into keys values (${key})`;
  if (kind === 9) {
    const schema = `schema_${random(schemas)}`;
    return random(4) === 0 ? `drop schema ${schema}` : `create table ${schema}.made_${random(1e9)} ()`;
  }
  const lock = waits ? 'pg_advisory_xact_lock' : 'pg_try_advisory_xact_lock';
  return `select ${lock}${random(2) === 0 ? '_shared' : ''}(${random(2) === 0 ? key : `${key}, 7`})`;
}

async function tryLock(session: pg.Client, draw: Draw): Promise<void> {
  await session.query('savepoint before');
  await session.query(requestOf(draw)).catch(() => session.query('rollback to before'));
}

async function begin(place: Place, name: string) {
  await place.run('drop schema if exists public cascade; create schema public');
  for (let number = 0; number < tables; number++) await place.run(`create table table_${number} (v integer)`);
  for (let number = 0; number < schemas; number++)
    await place.run(`drop schema if exists schema_${number} cascade; create schema schema_${number}`);
  await place.run('create table keys (id integer primary key)');
  await place.run('create table rows (id integer primary key, v integer) with (fillfactor = 50)');
  await place.run('insert into rows select g, 0 from generate_series(0, 1000) g');
  await place.run('create table big as select generate_series(1, 20000) as i');
  await place.run(
    "create function peek(integer) returns integer language plpgsql parallel safe as 'begin perform 1 from table_1; return $1; end'",
  );
  return new Storm(place, name);
}

class Storm implements LockStorm {
  readonly name: string;
  readonly pids: number[] = [];
  leader: number | null = null;
  private readonly place: Place;
  private readonly clients: pg.Client[] = [];
  private readonly asked: Promise<unknown>[] = [];

  constructor(place: Place, name: string) {
    this.place = place;
    this.name = name;
  }

  /** Sessions in a transaction, which no deadlock detector troubles; at random some are serializable. */
  async open(count: number, random: Random = () => 1): Promise<pg.Client[]> {
    for (let opened = 0; opened < count; opened++) {
      const client = await this.place.client();
      this.clients.push(client);
      this.pids.push(pidOf(client));
      await client.query("set deadlock_timeout = '1h'; set lock_timeout = '30ms'");
      await client.query(`begin isolation level ${random(6) === 0 ? 'serializable' : 'read committed'}`);
    }
    await Promise.all(this.clients.map((client) => client.query('select from big limit 1')));
    return this.clients;
  }

  ask(client: pg.Client, sql: string): Promise<unknown> {
    const answer = client
      .query('set lock_timeout = 0')
      .then(() => client.query(sql))
      .catch(() => undefined);
    this.asked.push(answer);
    return answer;
  }

  /** Returns when it waits, has it or has failed. */
  async askAndSee(client: pg.Client, sql: string): Promise<void> {
    let isAnswered = false;
    this.ask(client, sql).then(() => {
      isAnswered = true;
    });
    await until(`${sql} to wait`, async () => isAnswered || (await this.countWaiting([pidOf(client)])) > 0);
  }

  /** Workers that wait: what they wait for is asked by their leader. */
  async askInParallel(client: pg.Client): Promise<void> {
    await client.query('rollback');
    await client.query(
      'set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0',
    );
    await client.query('set parallel_leader_participation = off');
    this.leader = pidOf(client);
    this.ask(client, 'select count(peek(i)) from big');
  }

  async prepare(client: pg.Client, gid: string): Promise<void> {
    await client.query(`prepare transaction '${gid}'`).catch(() => client.query('rollback'));
  }

  async waiting(count: number): Promise<void> {
    await until(
      `${count} to wait in ${this.name}`,
      async () => (await this.countWaiting(this.pids)) === count,
      120_000,
    );
  }

  async ready(count: number): Promise<LockStorm> {
    await this.waiting(count);
    return this;
  }

  async end(): Promise<void> {
    await this.place.run('select pg_terminate_backend(pid) from pg_stat_activity where pid = any ($1)', [this.pids]);
    await Promise.allSettled(this.asked);
    await Promise.allSettled(this.clients.map((client) => client.end()));
    const { rows } = await this.place.run('select gid from pg_prepared_xacts where database = current_database()');
    for (const { gid } of rows) await this.place.run(`rollback prepared '${gid}'`);
    await until('its sessions to be gone', async () => {
      const left = await this.place.run('select from pg_stat_activity where pid = any ($1)', [this.pids]);
      return left.rowCount === 0;
    });
  }

  private async countWaiting(pids: readonly number[]): Promise<number> {
    const { rows } = await this.place.run(
      'select count(*)::int as count from pg_locks where not granted and pid = any ($1)',
      [pids],
    );
    return rows[0].count;
  }
}

function pidOf(client: object): number {
  return (client as { processID: number }).processID;
}

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
