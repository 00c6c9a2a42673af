import type pg from 'pg';
import type { Database } from './servers.ts';
import { until } from './wait.ts';

/** What keeps a concurrent statement from its end: a snapshot until late in a build, a reader until late in a drop. */
const holds = {
  snapshot: ['begin isolation level repeatable read', 'select 1'],
  reader: ['begin', 'select from orders limit 1'],
} as const;

export interface Standstill {
  /** Cancels the statement where it stands, and lets go of what held it up. */
  stop(): Promise<void>;
}

/** A concurrent statement on `orders` that waits and is shown to; it stays under way until it is stopped. */
export async function standStill(database: Database, statement: string, by: keyof typeof holds): Promise<Standstill> {
  const holder = await database.client();
  for (const one of holds[by]) await holder.query(one);
  const worker = await database.client();
  const { rows } = await worker.query('select pg_backend_pid() as pid');
  const ended = worker.query(statement).then(
    () => null,
    (error: pg.DatabaseError) => error.code,
  );
  await until('the statement to wait', async () => {
    const found = await database.run(
      "select from pg_locks where pid = $1 and not granted and locktype = 'virtualxid'",
      [rows[0].pid],
    );
    return found.rowCount === 1;
  });
  return {
    stop: async () => {
      await database.run('select pg_cancel_backend($1)', [rows[0].pid]);
      const code = await ended;
      await Promise.all([holder.end(), worker.end()]);
      if (code !== '57014') throw new Error(`the statement was not cancelled but ended with ${code}`);
    },
  };
}
