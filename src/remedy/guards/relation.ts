import { relationOf } from '../plan.ts';
import type { RelationIdentity } from '../runbook/params.ts';
import { actsOf } from './act-kind.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** Oids below are the server's own: catalogs, their TOAST tables, the information schema. */
const firstOwnOid = 16_384;

interface Found {
  oid: string;
  name: string;
  file: string;
  table: string;
  tableName: string;
  isNamedAlike: boolean;
  isIndex: boolean;
}

const foundSql = `
  -- What has this oid now, and what has this name?
  select c.oid::text as oid, pg_catalog.format('%I.%I', n.nspname, c.relname) as name, c.relfilenode::text as file,
    t.oid::text as "table", pg_catalog.format('%I.%I', tn.nspname, t.relname) as "tableName",
    n.nspname = $2 and c.relname = $3 as "isNamedAlike", i.indexrelid is not null as "isIndex"
  from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class t on t.oid = coalesce(i.indrelid, c.oid)
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where c.oid = $1::oid or (n.nspname = $2 and c.relname = $3)
  limit 2`;

/** A relation is known by its database, its name, its oid and its file: one that differs in any of them is another. */
export async function sameRelation({ session, plan }: GuardInput): Promise<Verdict | null> {
  const planned = relationOf(plan);
  if (!planned) return null;
  const { rows: place } = await session.query(
    `select current_database()::text as database, format('%I.%I', $1::text, $2::text) as name`,
    [planned.schema, planned.name],
  );
  const { database, name } = place[0] as { database: string; name: string };
  if (database !== plan.database)
    return no(`the action login is in database ${database}, and ${name} was planned in ${plan.database ?? 'none'}`);
  const { rows } = await session.query(foundSql, [planned.oid, planned.schema, planned.name]);
  const why = whyAnother(planned, name, rows as unknown as Found[]);
  return why === null ? yes(`still the same ${name}`) : no(`${why}; look again, and plan anew`);
}

function whyAnother(planned: RelationIdentity, name: string, found: readonly Found[]): string | null {
  const [same, namesake] = [found.find(({ oid }) => oid === planned.oid), found.find((one) => one.isNamedAlike)];
  if (!same && !namesake) return `${name} is gone since the plan`;
  if (!same) return whySuccessor(planned, name, namesake as Found);
  if (!same.isNamedAlike)
    return `${name} was renamed to ${same.name} since the plan${namesake ? ', and another has its name' : ''}`;
  if (same.table !== planned.table)
    return `${name} belongs to another table, ${same.tableName} (oid ${same.table}, planned ${planned.table})`;
  if (same.file === planned.file) return null;
  const how = same.isIndex ? 'was rebuilt' : 'was rewritten or emptied';
  return `${name} ${how} since the plan (file ${same.file}, planned ${planned.file})`;
}

function whySuccessor(planned: RelationIdentity, name: string, now: Found): string {
  const oids = `(oid ${now.oid}, planned ${planned.oid})`;
  if (now.isIndex && now.table !== planned.table)
    return `${name} was dropped and made anew under its name since the plan, and belongs to another table, ${now.tableName} ${oids}`;
  const how = now.isIndex ? 'dropped and made anew under its name, or rebuilt concurrently,' : 'dropped and made anew';
  return `${name} was ${how} since the plan ${oids}`;
}

interface Nature {
  name: string;
  tableName: string;
  tableOid: string;
  isIndex: boolean;
  isPartitioned: boolean;
  isTemporary: boolean;
  isExclusion: boolean;
}

const natureSql = `
  -- What kind of relation is this?
  select pg_catalog.format('%I.%I', n.nspname, c.relname) as name, t.oid::text as "tableOid",
    pg_catalog.format('%I.%I', tn.nspname, t.relname) as "tableName", i.indexrelid is not null as "isIndex",
    c.relkind in ('p', 'I') as "isPartitioned", c.relpersistence = 't' as "isTemporary",
    coalesce(i.indisexclusion, false) as "isExclusion"
  from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class t on t.oid = coalesce(i.indrelid, c.oid)
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where c.oid = $1::oid`;

/** What the server would refuse, skip with a warning or do in another way than the runbook says. */
export async function workable({ session, plan }: GuardInput): Promise<Verdict | null> {
  const planned = relationOf(plan);
  if (!planned) return null;
  const { rows } = await session.query(natureSql, [planned.oid]);
  const nature = rows[0] as unknown as Nature | undefined;
  if (!nature) return no(`${planned.schema}.${planned.name} is gone; look again, and plan anew`);
  const why = whyUnworkable(nature, actsOf(plan).includes('reindex'));
  return why === null ? null : no(why);
}

function whyUnworkable(nature: Nature, isRebuilt: boolean): string | null {
  const { name, tableName, isIndex } = nature;
  if (Number(nature.tableOid) < firstOwnOid)
    return `${name} is one of the server's own catalogs: runbooks are for tables and indexes that people made`;
  if (nature.isTemporary)
    return `${name} is temporary: it is seen, and looked after, by the session alone that made it`;
  // 12 and 13 rebuild none and say OK; later ones take each partition, whose locks and sessions no guard has looked at.
  if (nature.isPartitioned)
    return `${name} is partitioned: ${isIndex ? 'take the indexes of its partitions' : 'take its partitions'} one by one`;
  if (nature.isExclusion && isRebuilt)
    return `${name} serves an exclusion constraint of ${tableName}, and PostgreSQL cannot rebuild such an index concurrently`;
  return null;
}
