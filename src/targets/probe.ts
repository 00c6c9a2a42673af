import type { Row } from './read-only.ts';

/** What a server says of itself: who it is, what it is just now, and what our login may see there. */
export interface Probe {
  /** server_version_num: 180004. */
  version: number;
  inRecovery: boolean;
  systemIdentifier: string;
  /** Of the WAL that is written, or on a standby the newest that it has seen. */
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
 * timeline is the old one for a while after a promotion: hence the name of the WAL file that is written.
 */
export const probeSql = `
select current_setting('server_version_num')::int as version,
       pg_is_in_recovery() as in_recovery,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       case when pg_is_in_recovery()
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
       current_setting('max_connections')::int as max_connections`;

/** Reads pg_database, which may be locked: a question of its own. */
export const databasesSql = `
select datname::text as name, has_database_privilege(oid, 'connect') as may_connect
  from pg_database
 where datallowconn and not datistemplate and datconnlimit <> -2
   and datname not in ('rdsadmin', 'cloudsqladmin', 'azure_maintenance', 'azure_sys', 'alloydbadmin')
 order by datname
 limit 10000`;

export function toProbe(row: Row): Probe {
  return {
    version: row['version'] as number,
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
