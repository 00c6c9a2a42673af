import type { Flavour } from '../model.ts';

/** A setting, or null where it is not there or only some roles may see it: asking for it would be an error then. */
const setting = (name: string) =>
  `case when pg_has_role('pg_read_all_settings', 'usage') then current_setting('${name}', true) end`;

/**
 * An expression for whose managed PostgreSQL a server is, by the roles, settings and functions that each brings along.
 * No relation is read, and nothing fails where a thing is missing. Aurora may hide its functions from pg_proc, and its
 * settings from other logins: hence several signs.
 */
export const flavourSql = `
case
  when to_regproc('aurora_version') is not null
    or ${setting('aurora_version')} is not null
    or ${setting('rds.extensions')} ~ 'aurora_stat_utils|apg_plan_mgmt' then 'aurora'
  when to_regrole('rdsadmin') is not null or ${setting('rds.extensions')} is not null then 'rds'
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
