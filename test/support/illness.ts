import type pg from 'pg';
import type { Database } from './servers.ts';
import { until } from './wait.ts';

export interface Storm {
  root: pg.Client;
  rootPid: number;
  /** Resolves when all that waited came through; rejects with the first that did not. */
  through: Promise<unknown>;
  end(): Promise<void>;
}

/**
 * An application session idle in transaction that holds rows, and writers that wait for it: all for the one row, or
 * spread over `rows`, so that nobody waits for another writer once the root is gone.
 */
export async function makeRowLockStorm(database: Database, writers = 2, rows = 1): Promise<Storm> {
  await database.run('create table if not exists orders (id integer primary key, status text)');
  await database.run("insert into orders select n, 'new' from generate_series(1, 100) n on conflict do nothing");
  await database.run('grant all on orders to app');
  const root = await database.client('app', 'test');
  const greeting = await root.query('select pg_backend_pid() as pid');
  await root.query('begin');
  await root.query("update orders set status = 'held' where id <= $1", [rows]);
  const waiting = await Promise.all(Array.from({ length: writers }, () => database.client('app', 'test')));
  const through = Promise.all(
    waiting.map((client, index) =>
      client.query("update orders set status = 'mine' where id = $1", [1 + (index % rows)]),
    ),
  );
  through.catch(() => {
    // Whoever awaits it is told; a test that ends early is not.
  });
  await until(`${writers} writers to wait`, async () => {
    const { rows: found } = await database.run(
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return found[0].count === writers;
  });
  return {
    root,
    rootPid: greeting.rows[0].pid,
    through,
    end: async () => {
      await root.end();
      await through.catch(() => undefined);
      await Promise.all(waiting.map((client) => client.end()));
    },
  };
}
