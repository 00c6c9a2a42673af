import type { Queryable } from './database.ts';

export async function rememberTarget(db: Queryable, name: string, systemIdentifier: string): Promise<void> {
  await db.query(
    `insert into targets (name, system_identifier, seen_at) values ($1, $2, clock_timestamp())
     on conflict (name) do update set system_identifier = $2, seen_at = clock_timestamp()`,
    [name, systemIdentifier],
  );
}

/** Other targets, among those still configured, that are the same cluster under another name. */
export async function findTwins(
  db: Queryable,
  name: string,
  systemIdentifier: string,
  configured: readonly string[],
): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    'select name from targets where system_identifier = $2 and name <> $1 and name = any($3) order by name',
    [name, systemIdentifier, configured],
  );
  return rows.map((row) => row.name);
}
