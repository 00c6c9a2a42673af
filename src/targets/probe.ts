import type { Flavour } from '../model.ts';
import { adminDatabases, flavourSql } from './flavour.ts';
import type { Row } from './read-only.ts';

/** What a server says of itself: who it is, what it is just now, and what our login may see there. */
export interface Probe {
  /** server_version_num: 180004. */
  version: number;
  /** Null: PostgreSQL's own, or nobody's that is known. */
  flavour: Flavour | null;
  inRecovery: boolean;
  systemIdentifier: string;
  /** Of the WAL that is written, or on a standby the newest that it has seen; 0 on Aurora, which has none. */
  timeline: number;
  role: string;
  /** Whether other roles' sessions are shown in full; if not, an empty answer says nothing. */
  seesAll: boolean;
  database: string;
  /** The server process that answered; behind a pooler it may be another one each time. */
  pid: number;
  serverNow: Date;
  maxConnections: number;
}

/**
 * No relation is read, so that nothing waits for a locked catalog; works on standbys and for any role. The checkpoint's
 * timeline is the old one for a while after a promotion: hence the name of the WAL file that is written. Aurora refuses
 * all functions about WAL.
 */
export const probeSql = `
select current_setting('server_version_num')::int as version,
       here.flavour,
       pg_is_in_recovery() as in_recovery,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       case when here.flavour = 'aurora' then 0
            when pg_is_in_recovery()
            then greatest((select timeline_id from pg_control_checkpoint()),
                          (select min_recovery_end_timeline from pg_control_recovery()),
                          (select received_tli from pg_stat_get_wal_receiver()))
            else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
       end as timeline,
       current_user::text as role,
       pg_has_role('pg_read_all_stats', 'usage') as sees_all,
       current_database()::text as database,
       pg_backend_pid() as pid,
       clock_timestamp() as server_now,
       current_setting('max_connections')::int as max_connections
  from (select ${flavourSql} as flavour) here`;

/** Reads pg_database, which may be locked: a question of its own. Its parameter is names to leave out. */
export const databasesSql = `
select datname::text as name, has_database_privilege(oid, 'connect') as may_connect
  from pg_database
 where datallowconn and not datistemplate and datconnlimit <> -2
   and datname <> all ($1::text[])
 order by datname
 limit 10000`;

export function databasesToLeaveOut(flavour: Flavour | null): readonly string[] {
  return flavour === null ? [] : adminDatabases[flavour];
}

export function toProbe(row: Row): Probe {
  return {
    version: row['version'] as number,
    flavour: row['flavour'] as Flavour | null,
    inRecovery: row['in_recovery'] as boolean,
    systemIdentifier: row['system_identifier'] as string,
    timeline: row['timeline'] as number,
    role: row['role'] as string,
    seesAll: row['sees_all'] as boolean,
    database: row['database'] as string,
    pid: row['pid'] as number,
    serverNow: row['server_now'] as Date,
    maxConnections: row['max_connections'] as number,
  };
}
