import pg from 'pg';
import { afterEach } from 'vitest';
import type { Server } from '../../src/demo/server.ts';

/** What a test may leave behind, each with how to clean it. */
const traces = [
  {
    kind: 'session',
    find: `select format('pid %s (%s, %s)', pid, application_name, state) as what,
             format('select pg_terminate_backend(%s)', pid) as cure
           from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
             and application_name not in ('test', 'test-helper')`,
  },
  {
    kind: 'open transaction',
    find: `select format('pid %s (%s)', pid, left(query, 60)) as what, format('select pg_terminate_backend(%s)', pid) as cure
           from pg_stat_activity where state like 'idle in transaction%' and application_name in ('test', 'test-helper')`,
  },
  {
    kind: 'prepared transaction',
    find: `select gid as what, format('rollback prepared %L', gid) as cure from pg_prepared_xacts
           where database = current_database()`,
  },
  {
    kind: 'replication slot',
    find: `select slot_name::text as what, format('select pg_drop_replication_slot(%L)', slot_name) as cure
           from pg_replication_slots where not active`,
  },
  {
    kind: 'publication',
    find: `select pubname::text as what, format('drop publication %I', pubname) as cure from pg_publication`,
  },
] as const;

/** Everything left behind on a server, by name; cleaned away once it is named. */
export async function findLeaks(on: Server, database: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: on.url(database), application_name: 'test-helper' });
  await client.connect();
  const found: string[] = [];
  try {
    for (const { kind, find } of traces) {
      const { rows } = await client.query<{ what: string; cure: string }>(find);
      for (const { what, cure } of rows) {
        found.push(`${kind} ${what}`);
        await client.query(cure);
      }
    }
    return found;
  } finally {
    await client.end();
  }
}

/** Fails each test of the file that leaves a session, prepared transaction, slot or publication on the server. */
export function failOnLeaks(where: () => { server: Server; name: string }): void {
  afterEach(async () => {
    const { server, name } = where();
    // A session that was closed a moment ago may still be listed.
    for (let tries = 0; tries < 50 && (await countSessions(server)) > 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const leaks = await findLeaks(server, name);
    if (leaks.length > 0) throw new Error(`the test left behind: ${leaks.join('; ')}`);
  });
}

async function countSessions(server: Server): Promise<number> {
  const client = new pg.Client({ connectionString: server.url(), application_name: 'test-helper' });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from (${traces[0].find}) as sessions`,
    );
    return rows[0]?.count ?? 0;
  } finally {
    await client.end();
  }
}
