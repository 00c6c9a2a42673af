import { type Plan, relationOf } from '../plan.ts';
import { actsOf, buildsIndex } from './act-kind.ts';
import { describeSession } from './lock-holders.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** A transaction that has lasted so long will hardly end soon, and the act waits for its end. */
const oldSeconds = 15 * 60;

/**
 * A build waits for each snapshot in its database that is older than its own, and for all who have a lock on the table; a
 * concurrent drop for the latter only. Vacuums and autovacuum workers it passes by, and whoever has neither.
 */
const waitedForSql = `
  -- For which transactions would it wait, the oldest first?
  select a.pid, null as gid, a.application_name as application, a.usename::text as role,
    a.backend_type as "backendType", a.state,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
  from pg_catalog.pg_stat_activity a
  where a.datname = pg_catalog.current_database()
    and a.xact_start is not null
    and a.pid <> pg_catalog.pg_backend_pid()
    and a.backend_type not in ('autovacuum worker', 'parallel worker')
    and (
      ($2 and a.backend_xmin is not null
        and a.pid not in (select p.pid from pg_catalog.pg_stat_progress_vacuum p))
      or a.pid in (
        select l.pid from pg_catalog.pg_locks l
        where l.locktype = 'relation' and l.relation = any ($1::oid[]) and l.pid is not null
          and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
      )
    )
  order by a.xact_start
  limit 1000`;

export async function noOldTransactions({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relations = waitsOn(plan);
  if (!relations) return null;
  const { rows } = await session.query(waitedForSql, [relations, buildsIndex(plan)]);
  return judgeWaits(rows as unknown as Waited[]);
}

type Waited = Parameters<typeof describeSession>[0] & { seconds: number };

/** Pure; the oldest comes first. */
export function judgeWaits(waited: readonly Waited[]): Verdict {
  const [oldest] = waited;
  if (!oldest) return yes('waits for no transaction now');
  const count = waited.length === 1 ? '1 transaction' : `${waited.length} transactions, the oldest is`;
  const waits = `for ${count} ${describeSession(oldest)}`;
  return oldest.seconds > oldSeconds
    ? no(`it would wait ${waits}: one that is older than 15 min may last; end it, or wait until it has ended`)
    : yes(`waits ${waits}`);
}

const preparedSql = `
  -- Which prepared transactions of this database have locks on the table?
  select p.gid, p.owner::text as role, extract(epoch from clock_timestamp() - p.prepared)::float8 as seconds
  from pg_catalog.pg_prepared_xacts p
    join pg_catalog.pg_locks x on x.locktype = 'transactionid' and x.transactionid = p.transaction and x.pid is null
    join pg_catalog.pg_locks l on l.virtualtransaction = x.virtualtransaction and l.pid is null
  where p.database = pg_catalog.current_database() and l.locktype = 'relation' and l.relation = any ($1::oid[])
  order by p.prepared
  limit 1`;

/** One that has no lock on the table has no snapshot either, and nobody waits for it. */
export async function noPreparedTransaction({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relations = waitsOn(plan);
  if (!relations) return null;
  const { rows } = await session.query(preparedSql, [relations]);
  const [found] = rows as { gid: string; role: string; seconds: number }[];
  if (!found) return yes('no prepared transaction on the table');
  const { gid, role } = found;
  return no(
    `the prepared transaction ${gid} of ${role} has a lock on the table and keeps it until somebody commits it or rolls it back: do that first`,
  );
}

/** The relations whose lockers an act waits for; null where it waits for none but for its own lock. */
function waitsOn(plan: Plan): string[] | null {
  const relation = relationOf(plan);
  if (!relation) return null;
  const waits = buildsIndex(plan) || actsOf(plan).includes('drop-index');
  return waits ? [relation.oid, relation.table] : null;
}
