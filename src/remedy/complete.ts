import { PgorderlyError } from '../errors.ts';
import type { Reader } from '../targets/reader.ts';
import { findBackend, findRelation } from './identify.ts';
import { type Param, type Params, relationVariables, variablesOf } from './runbook/params.ts';
import type { Runbook } from './runbook/runbook.ts';
import { checkTyped, takes, withDefaults } from './typed.ts';

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
 * param-invalid for what is missing, unknown, wrong or not there, or what the server's loss throws.
 */
export async function complete(reader: Reader, { runbook, typed, database }: Typed): Promise<Completed> {
  const { params } = runbook;
  const problems = checkTyped(params, typed);
  if (problems.length > 0)
    throw new PgorderlyError('param-invalid', `${runbook.name}: ${problems.join('; ')}`, { hint: hintOf(runbook) });
  const given = withDefaults(params, typed);
  const relation = Object.keys(params).find((name) => params[name]?.type === 'relation');
  if (relation !== undefined) return await completeRelation(reader, { params, given, database, param: relation });
  const backend = Object.values(params).find((param) => param.type === 'backend');
  if (backend) return { database, ...(await completeBackend(reader, backend, given)) };
  return { database, params: given, about: null };
}

function hintOf({ params }: Runbook): string {
  return Object.values(params).some(({ type }) => type === 'backend')
    ? 'Write the process id as pg_stat_activity shows it, such as pid=4711.'
    : takes(params);
}

async function completeBackend(reader: Reader, param: Param, given: Record<string, string>) {
  const pid = given['pid'] ?? '';
  const missing = [...variablesOf({ session: param }).keys()].filter((name) => !Object.hasOwn(given, name));
  const session = await findBackend(reader, Number(pid));
  if (!session && missing.length > 0)
    throw new PgorderlyError('param-invalid', `no session has pid ${pid} on ${reader.name}`);
  const { application, role, state, ...times } = session ?? {};
  const absent = missing.find((name) => times[name] === null);
  if (absent)
    throw new PgorderlyError('param-invalid', `pid ${pid} has no ${absent}: it is ${state ?? 'idle'}`, {
      hint: 'Only an open transaction or a running statement can be ended.',
    });
  const read = missing.map((name) => [name, times[name]]);
  const about = `pid ${pid} (${application || 'no application name'}, role ${role}, ${state ?? 'gone'})`;
  return { params: { ...given, ...Object.fromEntries(read) }, about };
}

async function completeRelation(
  reader: Reader,
  {
    params,
    given,
    database,
    param,
  }: { params: Params; given: Record<string, string>; database: string | null; param: string },
): Promise<Completed> {
  const where = database ?? (await reader.probe()).database;
  const { [param]: written, ...rest } = given;
  if (written === undefined) return { database: where, params: given, about: null };
  const inside = database === null ? null : reader.inDatabase(database);
  try {
    const found = await findRelation(inside ?? reader, written);
    if (!found)
      throw new PgorderlyError('param-invalid', `${where} has no ${written.slice(0, 130)}`, {
        hint: `Write database=<name> for another database, and ${param}=<schema>.<name>.`,
      });
    const wanted = Object.entries(found.besides).filter(([name]) => Object.hasOwn(params, name));
    return {
      database: where,
      params: { ...Object.fromEntries(wanted), ...rest, ...relationVariables(param, found.identity) },
      about: `${found.shown} in ${where}`,
    };
  } finally {
    await inside?.close();
  }
}
