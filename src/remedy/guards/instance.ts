import { relationOf } from '../plan.ts';
import { type GuardInput, no, type Verdict } from './verdict.ts';

/**
 * A clone has the identifier, the timeline and the oids of what it was made of: only that it was started at another
 * moment tells the login that acts from the one that looks.
 */
export async function sameInstance({ session, plan, node }: GuardInput): Promise<Verdict | null> {
  if (!relationOf(plan)) return null;
  const sql = 'select (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text as started';
  const { rows } = await session.query(sql);
  const [watched] = await node.reader.ask(sql);
  return rows[0]?.['started'] === watched?.['started']
    ? null
    : no(
        `the action login reaches another server than the one that ${node.name} is watched on, a clone of it or its successor: let both URLs name the same server`,
      );
}
