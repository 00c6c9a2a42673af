import { formatSeconds } from '../before-after.ts';
import { relationOf } from '../plan.ts';
import { describeHolder, describeSession, findHolders, type Holder } from './lock-holders.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** All that maintain relations with a progress view on each of 12 to 18; ANALYZE shows by its lock. */
const worksSql = `
  -- Who else builds an index on this table, vacuums it or rewrites it just now?
  select w.pid, null as gid, a.application_name as application, a.usename::text as role,
    a.backend_type as "backendType", a.state, w.what, w.phase,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
  from (
      select pid, relid, datid, lower(command) as what, phase from pg_catalog.pg_stat_progress_create_index
      union all select pid, relid, datid, 'vacuum', phase from pg_catalog.pg_stat_progress_vacuum
      union all select pid, relid, datid, lower(command), phase from pg_catalog.pg_stat_progress_cluster
    ) w
    join pg_catalog.pg_stat_activity a on a.pid = w.pid
  where w.relid = $1::oid
    and w.datid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and w.pid <> pg_catalog.pg_backend_pid()
  order by a.xact_start
  limit 1`;

/** It gives way to nobody, nor should it be cancelled: what it did is lost, and another one starts at once. */
export async function noWraparoundVacuum({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relation = relationOf(plan);
  if (!relation) return null;
  const holders = await findHolders(session, [relation.oid, relation.table]);
  const vacuum = holders.find((one) => one.isAgainstWraparound);
  if (!vacuum) return yes('no wraparound vacuum');
  const since = vacuum.seconds === null ? '' : `, for ${formatSeconds(vacuum.seconds)}`;
  return no(
    `autovacuum (pid ${vacuum.pid}) is at the table to prevent wraparound${since}, and gives way to nobody: let it end`,
  );
}

/** The same is under way already, from whichever tool: both would take its locks in turn, or meet in a deadlock. */
export async function noOtherWork({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relation = relationOf(plan);
  if (!relation) return null;
  const { rows } = await session.query(worksSql, [relation.table]);
  const work = rows[0] as unknown as (Holder & { what: string; phase: string }) | undefined;
  // An autovacuum is told of by its lock: it would give way, or it does not.
  if (!work || work.backendType === 'autovacuum worker') return yes('nobody else maintains the table');
  return no(`${describeSession(work)} is at the table already: ${work.what}, ${work.phase}; wait until it has ended`);
}

/**
 * Whoever has such a lock is waited for. Whoever queues for one lets no reader pass once it waits for us, and where it
 * has a snapshot a rebuild ends in a deadlock with it, at the very end.
 */
export async function noQueuedDdl({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relation = relationOf(plan);
  if (!relation) return null;
  const holders = await findHolders(session, [relation.oid, relation.table]);
  return holders[0] === undefined ? yes('no DDL queued') : no(whyInTheWay(holders));
}

/** What stands in the way of maintenance of a table, in the words of the verdict; never called with nobody. */
export function whyInTheWay(holders: readonly Holder[]): string {
  const [first, ...others] = holders as [Holder, ...Holder[]];
  const more = others.filter(({ pid }) => pid !== first.pid).length;
  const rest = more === 0 ? '' : `, and ${more} more are in the way`;
  return first.backendType === 'autovacuum worker'
    ? `autovacuum (pid ${first.pid}) is at the table, and would have to give up${rest}: let it end`
    : `${describeHolder(first)}${rest}: wait until it has ended`;
}
