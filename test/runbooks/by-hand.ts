import type pg from 'pg';
import { bind } from '../../src/remedy/runbook/bind.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import type { Step } from '../../src/remedy/runbook/runbook.ts';
import type { Database } from '../support/servers.ts';

type Params = Record<string, string>;
type Row = Record<string, unknown>;

/** A runbook in the hands of a person who works without the bot: its statements as they are, with the rights of a role. */
export interface ByHand {
  /** What the precondition says against it; null where it holds, "no row" where the relation is another one. */
  whyNot(params: Params): Promise<string | null>;
  /** The rows of one step. */
  ask(step: Step['step'], params: Params): Promise<Row[]>;
  /** All statements of the act; the severity and text of what the server said besides. */
  act(params: Params): Promise<string[]>;
  /** The first column of verify. */
  isVerified(params: Params): Promise<boolean>;
}

export async function takeRunbook(name: string, database: Database, user = 'keeper'): Promise<ByHand> {
  const runbook = (await loadRunbooks(runbooksFolder)).get(name);
  if (!runbook) throw new Error(`there is no runbook ${name}`);
  const client = await database.client(user);
  await client.query('set search_path = pg_catalog');
  for (const [setting, value] of Object.entries(runbook.settings)) await client.query(`set ${setting} = '${value}'`);
  const notices: string[] = [];
  client.on('notice', ({ severity, message }) => notices.push(`${severity}: ${message}`));
  const statements = (step: Step['step'], params: Params) =>
    bind(runbook, params, database.server.major * 10_000).filter((one) => one.step === step);
  const ask = async (step: Step['step'], params: Params) => {
    const [one] = statements(step, params);
    return one ? rowsOf(await client.query(one.sql)) : [];
  };
  return {
    ask,
    whyNot: async (params) => {
      const [row] = await ask('precondition', params);
      return row ? (row['why_not'] as string | null) : 'no row';
    },
    act: async (params) => {
      notices.length = 0;
      for (const { sql } of statements('act', params)) await client.query(sql);
      return [...notices];
    },
    isVerified: async (params) => Object.values((await ask('verify', params))[0] ?? {})[0] === true,
  };
}

/** The variables of an index, as a person looks them up. */
export async function indexVariables(database: Database, name: string): Promise<Params> {
  const { rows } = await database.run(
    `select n.nspname as index_schema, c.relname as index_name, c.oid::text as index_oid,
       c.relfilenode::text as index_file, i.indrelid::oid::text as index_table
     from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
     where c.oid = $1::regclass`,
    [name],
  );
  return rows[0];
}

/** The variables of a table, and when it was last vacuumed by hand. */
export async function tableVariables(database: Database, name: string): Promise<Params> {
  const { rows } = await database.run(
    `select n.nspname as table_schema, c.relname as table_name, c.oid::text as table_oid,
       c.relfilenode::text as table_file, c.oid::text as table_table,
       coalesce((extract(epoch from pg_stat_get_last_vacuum_time(c.oid)) * 1000000)::bigint, 0)::text as vacuumed_at
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1::regclass`,
    [name],
  );
  return rows[0];
}

function rowsOf(result: pg.QueryResult): Row[] {
  return result.rows as Row[];
}
