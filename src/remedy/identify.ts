import { PgorderlyError } from '../errors.ts';
import type { Reader } from '../targets/reader.ts';
import type { RelationIdentity } from './runbook/params.ts';

const backendSql = `
  -- Which session, transaction and statement is this pid now?
  select (extract(epoch from backend_start) * 1000000)::bigint::text as backend_start,
    (extract(epoch from coalesce(xact_start, case when state ~ 'aborted' then state_change end))
      * 1000000)::bigint::text as xact_start,
    (extract(epoch from query_start) * 1000000)::bigint::text as query_start,
    usename::text as role, application_name as application, state
  from pg_catalog.pg_stat_activity where pid = $1 limit 1`;

/** What a session is called and at, and by name the variables that identify it; undefined where nobody has the pid. */
export async function findBackend(reader: Reader, pid: number): Promise<Record<string, string | null> | undefined> {
  const [session] = await reader.ask(backendSql, [pid]);
  return session as Record<string, string | null> | undefined;
}

const relationSql = `
  -- Which relation has this name now? Both parts as they are stored: without quotes, in their own case, and not cut off.
  select n.nspname::text as schema, c.relname::text as name, c.oid::text as oid, c.relfilenode::text as file,
    coalesce(i.indrelid, c.oid)::text as table, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as shown,
    coalesce((extract(epoch from pg_stat_get_last_vacuum_time(c.oid)) * 1000000)::bigint, 0)::text as vacuumed_at
  from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
  where n.nspname = $1::text and c.relname = $2::text limit 1`;

export interface FoundRelation {
  identity: RelationIdentity;
  /** Its name as the server writes it. */
  shown: string;
  /** What a runbook may ask for besides, by the name of the parameter. */
  besides: Record<(typeof readOfRelation)[number], string>;
}

/** Parameters that are read with a relation, where a person leaves them out. */
export const readOfRelation = ['vacuumed_at'] as const;

/** The relation of a name as SQL writes it. Throws param-invalid for what is no name. */
export async function findRelation(reader: Reader, written: string): Promise<FoundRelation | null> {
  const [parsed, name] = await parseName(reader, written);
  const [row] = (await reader.ask(relationSql, [parsed, name])) as Record<string, string>[];
  if (!row) return null;
  const { shown = '', vacuumed_at = '0', schema = '', name: found = '', oid = '', file = '', table = '' } = row;
  return { identity: { schema, name: found, oid, file, table }, shown, besides: { vacuumed_at } };
}

/** Both parts of a name as SQL writes it, by the server's own rules of quoting and case. */
async function parseName(reader: Reader, written: string): Promise<string[]> {
  const rows = await reader.ask('select parse_ident($1) as parts', [written]).catch((error) => {
    if (error instanceof PgorderlyError && error.code === 'query-failed') return [];
    throw error;
  });
  const parts = (rows[0]?.['parts'] ?? []) as string[];
  if (parts.length === 2) return parts;
  throw new PgorderlyError(
    'param-invalid',
    `"${written.slice(0, 130)}" is not the name of a relation with its schema`,
    { hint: 'Write it as SQL does, such as shop.orders_idx or shop."Orders Idx".' },
  );
}
