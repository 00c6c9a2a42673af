import type { Queryable } from './database.ts';

export interface Pause {
  by: string;
  reason: string | null;
  at: Date;
}

/** Who paused all actions, or null. */
export async function readPause(db: Queryable): Promise<Pause | null> {
  const { rows } = await db.query<{ set_by: string; reason: string | null; set_at: Date }>(
    "select set_by, reason, set_at from switches where name = 'paused' and value = 'on'",
  );
  const row = rows[0];
  return row ? { by: row.set_by, reason: row.reason, at: row.set_at } : null;
}

/** Returns false if it stood so already. */
export async function setPause(db: Queryable, on: boolean, by: string, reason: string | null): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into switches (name, value, reason, set_by) values ('paused', $1, $2, $3)
     on conflict (name) do update set value = $1, reason = $2, set_by = $3, set_at = clock_timestamp()
       where switches.value <> $1`,
    [on ? 'on' : 'off', reason, by],
  );
  return rowCount === 1;
}
