import { PgorderlyError } from '../errors.ts';
import type { Reader } from '../targets/reader.ts';
import { type RelationIdentity, relationVariables } from './params.ts';
import type { Runbook } from './runbook.ts';

interface Typed {
  runbook: Runbook;
  typed: Record<string, string>;
  database: string | null;
}

export interface Completed {
  database: string | null;
  params: Record<string, string>;
  /** What the plan is about, as the server shows it. */
  about: string | null;
}

/**
 * A person types a pid, or a relation's name; what tells it from its successor is read from the server. Throws
 * param-invalid where there is none of that name, or what the server's loss throws.
 */
export async function complete(reader: Reader, { runbook, typed, database }: Typed): Promise<Completed> {
  const relation = Object.entries(runbook.params).find(([, { type }]) => type === 'relation')?.[0];
  if (relation !== undefined) return await completeRelation(reader, { runbook, typed, database, param: relation });
  if (!Object.hasOwn(runbook.params, 'pid')) return { database, params: typed, about: null };
  return { database, ...(await completeBackend(reader, runbook, typed)) };
}

const backendSql = `
  -- Which session, transaction and statement is this pid now?
  select (extract(epoch from backend_start) * 1000000)::bigint::text as backend_start,
    (extract(epoch from coalesce(xact_start, case when state ~ 'aborted' then state_change end))
      * 1000000)::bigint::text as xact_start,
    (extract(epoch from query_start) * 1000000)::bigint::text as query_start,
    -- Who names a pid means it, whether or not others wait.
    '0' as least_waiters,
    usename, application_name, state
  from pg_catalog.pg_stat_activity where pid = $1 limit 1`;

async function completeBackend(reader: Reader, runbook: Runbook, typed: Record<string, string>) {
  if (!/^\d{1,9}$/.test(typed['pid'] ?? '')) throw wrongPid(runbook, typed['pid']);
  const [session] = await reader.ask(backendSql, [Number(typed['pid'])]);
  const missing = Object.keys(runbook.params).filter((name) => typed[name] === undefined);
  if (!session && missing.length > 0)
    throw new PgorderlyError('param-invalid', `no session has pid ${typed['pid']} on ${reader.name}`);
  const read = missing.flatMap((name) =>
    typeof session?.[name] === 'string' ? [[name, session[name] as string]] : [],
  );
  const absent = missing.find((name) => session?.[name] === null);
  if (absent)
    throw new PgorderlyError(
      'param-invalid',
      `pid ${typed['pid']} has no ${absent}: it is ${session?.['state'] ?? 'idle'}`,
      { hint: 'Only an open transaction or a running statement can be ended.' },
    );
  const { usename, application_name: application, state } = session ?? {};
  const about = `pid ${typed['pid']} (${application || 'no application name'}, role ${usename}, ${state ?? 'gone'})`;
  return { params: { ...typed, ...Object.fromEntries(read) }, about };
}

/** Only of the pid: the times that a person may leave out are not what is wrong. */
function wrongPid(runbook: Runbook, typed: string | undefined): PgorderlyError {
  const found = typed === undefined ? 'its pid is missing' : `pid is "${typed.slice(0, 60)}", expected an integer`;
  return new PgorderlyError('param-invalid', `${runbook.name}: ${found}`, {
    hint: 'Write the process id as pg_stat_activity shows it, such as pid=4711.',
  });
}

const relationSql = `
  -- Which relation has this name now? Both parts as they are stored: without quotes, in their own case.
  select n.nspname::text as schema, c.relname::text as name, c.oid::text as oid, c.relfilenode::text as file,
    coalesce(i.indrelid, c.oid)::text as table
  from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
  where n.nspname = $1 and c.relname = $2 limit 1`;

async function completeRelation(
  reader: Reader,
  { runbook, typed, database, param }: Typed & { param: string },
): Promise<Completed> {
  const { [param]: written, ...rest } = typed;
  if (written === undefined && Object.hasOwn(typed, `${param}_oid`)) return { database, params: typed, about: null };
  const inside = database === null ? null : reader.inDatabase(database);
  try {
    const [schema, name] = await parseName(inside ?? reader, written ?? '');
    const where = database ?? (await reader.probe()).database;
    const [relation] = await (inside ?? reader).ask(relationSql, [schema, name]);
    if (!relation)
      throw new PgorderlyError('param-invalid', `${runbook.name}: ${where} has no ${written}`, {
        hint: `Write database=<name> for another database, and ${param}=<schema>.<name>.`,
      });
    const params = { ...rest, ...relationVariables(param, relation as unknown as RelationIdentity) };
    return { database: where, params, about: `${written} in ${where}` };
  } finally {
    await inside?.close();
  }
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
    {
      hint: 'Write it as SQL does, such as shop.orders_idx or shop."Orders Idx".',
    },
  );
}
