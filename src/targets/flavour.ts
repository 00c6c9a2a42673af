import type { Flavour } from '../model.ts';

/**
 * An expression for whose managed PostgreSQL a server is, by the roles, settings and functions that each brings along.
 * No relation is read and nothing fails where a thing is missing: settings that only some roles may see are asked for
 * by those alone. Aurora may hide its functions from pg_proc, and its settings from other logins: hence several signs.
 */
export const flavourSql = `
case
  when to_regproc('aurora_version') is not null
    or (pg_has_role('pg_read_all_settings', 'usage')
        and (current_setting('aurora_version', true) is not null
             or current_setting('rds.extensions', true) ~ 'aurora_stat_utils|apg_plan_mgmt')) then 'aurora'
  when to_regrole('rdsadmin') is not null
    or (pg_has_role('pg_read_all_settings', 'usage') and current_setting('rds.extensions', true) is not null) then 'rds'
  when to_regrole('alloydbadmin') is not null then 'alloydb'
  when to_regrole('cloudsqladmin') is not null then 'cloudsql'
  when to_regrole('azure_pg_admin') is not null then 'azure'
end`;

/** In which a managed cloud keeps its own: elsewhere somebody may have one of that name. */
export const adminDatabases: Readonly<Record<Flavour, readonly string[]>> = {
  rds: ['rdsadmin'],
  aurora: ['rdsadmin'],
  cloudsql: ['cloudsqladmin'],
  alloydb: ['alloydbadmin', 'alloydbmetadata'],
  azure: ['azure_maintenance', 'azure_sys'],
};
