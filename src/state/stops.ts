import type { Queryable } from './database.ts';

/** Whose wish it is, and why; the worker of the run looks for it every second or two. */
export async function askToStop(db: Queryable, id: number, by: string, reason: string | null): Promise<void> {
  await db.query('update runs set stop_by = $2, stop_reason = $3 where id = $1', [id, by, reason]);
}

/** Runs under way, oldest first: whoever locks several does it in this order. */
export async function findRunsUnderWay(db: Queryable): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>(
    "select id from runs where state in ('running', 'recovering') order by id",
  );
  return rows.map((row) => Number(row.id));
}
