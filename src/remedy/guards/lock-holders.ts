import { formatSeconds } from '../before-after.ts';
import type { ActingSession } from '../session.ts';

/** Who has a lock, or queues for one. */
export interface Holder {
  /** Null for a prepared transaction, which has a `gid`. */
  pid: number | null;
  gid: string | null;
  application: string | null;
  role: string | null;
  backendType: string | null;
  state: string | null;
  /** Of its transaction. */
  seconds: number | null;
  isAgainstWraparound: boolean;
  /** As pg_locks has it: ShareUpdateExclusiveLock. */
  mode: string;
  isGranted: boolean;
}

/** What conflicts with share update exclusive, the lock of all maintenance. */
const strongModes = [
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

const holdersSql = `
  -- Who else has such a lock on one of these relations, or queues for one? Of a prepared transaction there is no pid.
  select l.pid, p.gid, a.application_name as application, a.usename::text as role, a.backend_type as "backendType",
    a.state, extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds,
    coalesce(a.backend_type = 'autovacuum worker' and a.query ~ 'to prevent wraparound', false) as "isAgainstWraparound",
    l.mode, l.granted as "isGranted"
  from pg_catalog.pg_locks l
    left join pg_catalog.pg_stat_activity a on a.pid = l.pid
    left join pg_catalog.pg_locks x on l.pid is null and x.pid is null and x.locktype = 'transactionid' and x.granted
      and x.virtualtransaction = l.virtualtransaction
    left join pg_catalog.pg_prepared_xacts p on p.transaction = x.transactionid
  where l.locktype = 'relation'
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and l.relation = any ($1::oid[])
    and l.mode = any ($2)
    and l.pid is distinct from pg_catalog.pg_backend_pid()
  order by l.granted desc, a.xact_start nulls last
  limit 20`;

/** Those in the way of maintenance on these relations, by oid: who has a lock first, then who queues. */
export async function findHolders(session: ActingSession, relations: readonly string[]): Promise<Holder[]> {
  const { rows } = await session.query(holdersSql, [relations, strongModes]);
  return rows as unknown as Holder[];
}

/** "pid 812 (reporting, role app, idle in transaction, 4 min 2 s)" */
export function describeSession(one: Omit<Holder, 'mode' | 'isGranted' | 'isAgainstWraparound'>): string {
  if (one.pid === null) return `the prepared transaction ${one.gid ?? '(its name is not shown)'}`;
  const isClient = one.backendType === 'client backend';
  const about = [
    isClient ? one.application || 'no application name' : one.backendType,
    one.role && `role ${one.role}`,
    one.state,
    one.seconds !== null && formatSeconds(one.seconds),
  ];
  return `pid ${one.pid} (${about.filter(Boolean).join(', ')})`;
}

export function describeHolder(holder: Holder): string {
  const mode = holder.mode.replace(/Lock$/, '').replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
  return `${describeSession(holder)} ${holder.isGranted ? 'holds' : 'waits for'} ${mode.toLowerCase()} on it`;
}
