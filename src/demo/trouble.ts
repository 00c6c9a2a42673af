import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface Trouble {
  /** What happens, for a person who watches. */
  title: string;
  /** What they may try. */
  hint: string;
  /** Makes it; resolves when it is over, because it was cured, gave up after a while, or was aborted. */
  run(shop: Shop, signal: AbortSignal): Promise<void>;
}

/** Opens sessions of the demo's applications. */
export interface Shop {
  session(application: string, user: string): Promise<pg.Client>;
}

/** After this long nobody wanted to help: the trouble ends by itself, and the alert resolves. */
const patienceMs = 5 * 60_000;

/** Tables and logins of the demo's shop; what the README tells to grant on a real server. */
export const shopSql = `
  create role pgorderly_monitor login in role pg_monitor;
  create role pgorderly_signal login in role pg_signal_backend, pg_read_all_stats;
  create role app login;
  create role migrations login;
  create role reporting login;
  create table orders (id integer primary key, status text not null, total numeric not null);
  insert into orders select n, 'new', n * 3.5 from generate_series(1, 10000) as n;
  alter table orders owner to migrations;
  grant select, insert, update, delete on orders to app;
  grant select on orders to reporting;`;

const lockQueue: Trouble = {
  title: 'billing-api forgets a transaction that holds a row; writers queue, a migration makes readers queue too',
  hint: 'cancel the queued ALTER TABLE, or end the idle session',
  run: async (shop, signal) => {
    const root = await shop.session('billing-api', 'app');
    await root.query('begin');
    await root.query("update orders set status = 'billed' where id = 42");
    const writers = await openAll(shop, 4, 'web');
    const ends = writers.map((client) => client.query("update orders set status = 'paid' where id = 42"));
    const migration = await shop.session('migrate-17', 'migrations');
    await waitUntilWaiting(shop, writers.length);
    ends.push(migration.query('alter table orders add column note text'));
    await waitUntilWaiting(shop, writers.length + 1);
    const readers = await openAll(shop, 6, 'web');
    ends.push(...readers.map((client) => client.query('select status from orders where id = 7')));
    await over(ends, signal);
    await closeAll([root, ...writers, migration, ...readers]);
    await dropNote(shop);
  },
};

/** As many as come within seconds on a busy table. */
const readers = 50;

const dumpAndMigration: Trouble = {
  title: `pg_dump reads for hours, a migration queues behind it, and ${readers} readers behind the migration`,
  hint: 'cancel the queued ALTER TABLE: the readers go on, and so does pg_dump',
  run: async (shop, signal) => {
    const dump = await shop.session('pg_dump', 'reporting');
    await dump.query('begin isolation level repeatable read, read only');
    await dump.query('lock table orders in access share mode');
    const dumping = await begin(dump, 'select count(pg_sleep(1)) from orders where total > 10');
    const migration = await shop.session('migrate-18', 'migrations');
    const ends = [migration.query('alter table orders add column note text')];
    await waitUntilWaiting(shop, 1);
    const clients = await openAll(shop, readers, 'web');
    ends.push(...clients.map((client) => client.query('select status from orders where id = 7')));
    await over(ends, signal);
    await closeAll([migration, ...clients]);
    await dumping.stop(await shop.session('pg_dump', 'reporting'));
    await dropNote(shop);
  },
};

const longStatement: Trouble = {
  title: 'reporting runs one statement for minutes',
  hint: 'cancel the statement',
  run: async (shop, signal) => {
    const report = await shop.session('monthly-report', 'reporting');
    const reporting = await begin(report, 'select count(pg_sleep(1)) from orders where total > 10');
    await over([reporting.ended], signal);
    await reporting.stop(await shop.session('monthly-report', 'reporting'));
  },
};

/** One after the other, again and again. */
export const troubles: readonly Trouble[] = [lockQueue, longStatement, dumpAndMigration];

async function openAll(shop: Shop, count: number, application: string): Promise<pg.Client[]> {
  return Promise.all(Array.from({ length: count }, () => shop.session(application, 'app')));
}

/** A server process goes on with its statement, and keeps its locks, also when its client has left. */
async function begin(client: pg.Client, statement: string) {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const ended = client.query(statement).catch(() => {
    // Cancelled by an approved fix, or ended by `stop`: that it is over is all that matters.
  });
  const stop = async (colleague: pg.Client) => {
    await colleague.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await closeAll([client, colleague]);
  };
  return { ended, stop };
}

async function closeAll(clients: readonly pg.Client[]): Promise<void> {
  await Promise.allSettled(clients.map((client) => client.end()));
}

/** Until each statement came through or was ended; the longest anybody waits is the demo's patience. */
async function over(ends: readonly Promise<unknown>[], signal: AbortSignal): Promise<void> {
  const patience = sleep(patienceMs, undefined, { signal, ref: false }).catch(() => undefined);
  await Promise.race([Promise.allSettled(ends), patience]);
  // What is left is ended by closing its connection.
  for (const end of ends) end.catch(() => undefined);
}

async function waitUntilWaiting(shop: Shop, count: number): Promise<void> {
  const observer = await shop.session('demo', 'app');
  try {
    for (let tries = 0; tries < 200; tries++) {
      const { rows } = await observer.query<{ count: number }>(
        'select count(distinct pid)::int as count from pg_locks where not granted',
      );
      if ((rows[0]?.count ?? 0) >= count) return;
      await sleep(25);
    }
  } finally {
    await observer.end();
  }
}

async function dropNote(shop: Shop): Promise<void> {
  const migration = await shop.session('migrate-17', 'migrations');
  await migration.query('alter table orders drop column if exists note').finally(() => migration.end());
}

/** The demo's way to connect; what happens to its sessions is the demo's very subject, so their loss is no error. */
export function openShop(url: (user: string) => string): Shop {
  return {
    session: async (application, user) => {
      const client = new pg.Client({ connectionString: url(user), application_name: application });
      client.on('error', () => {
        // Ended by an approved action: its statement rejects with the same.
      });
      await client.connect();
      return client;
    },
  };
}
