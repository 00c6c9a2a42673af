import { once } from 'node:events';
import pg from 'pg';
import { Severed, sever } from './connect.ts';
import { normaliseQuery } from './normalise.ts';

export type Row = Record<string, unknown>;

export interface Bounds {
  /** The client gives up two seconds later, for a server that doesn't keep to it. */
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  /** One row more is an error: cut-off facts would be judged as if they were all. */
  maxRows: number;
}

export interface Reading {
  sql: string;
  params: readonly unknown[];
  bounds: Bounds;
}

/**
 * One statement in a transaction of its own, and the server process that ran it. Everything is set for this transaction
 * only, so that PgBouncer in transaction mode neither refuses it nor hands it on to other clients. Throws what pg
 * throws; the transaction is then still open.
 */
export async function readOnly(client: pg.Client, reading: Reading): Promise<{ pid: number; rows: Row[] }> {
  const begun = await client.query(beginning(reading.bounds));
  // A text of several statements gives a list of results, which pg's types don't know.
  const results = begun as unknown as pg.QueryResult<{ pid: number }>[];
  const pid = results.at(-1)?.rows[0]?.pid ?? 0;
  const rows = await select(client, reading);
  await client.query('commit');
  return { pid, rows: withoutLiterals(rows) };
}

/**
 * All of it exists on 12 to 18 and overrides what the role or the database has as a default: a standby refuses
 * serializable, pg reads times in ISO only, and temporary tables come before pg_catalog unless they are named.
 */
function beginning({ statementTimeoutMs, lockTimeoutMs }: Bounds): string {
  return [
    'begin isolation level read committed, read only',
    `set local statement_timeout = ${Math.ceil(Number(statementTimeoutMs))}`,
    `set local lock_timeout = ${Math.ceil(Number(lockTimeoutMs))}`,
    "set local idle_in_transaction_session_timeout = '5s'",
    'set local search_path = pg_catalog, pg_temp',
    'set local jit = off',
    'set local max_parallel_workers_per_gather = 0',
    "set local datestyle = 'ISO'",
    "set local intervalstyle = 'postgres'",
    "set local bytea_output = 'hex'",
    'set local extra_float_digits = 1',
    'set local standard_conforming_strings = on',
    'set local client_min_messages = warning',
    'select pg_catalog.pg_backend_pid() as pid',
  ].join(';');
}

/** The extended protocol takes one statement only: no `commit; …` can leave the read-only transaction. */
async function select(client: pg.Client, { sql, params, bounds }: Reading): Promise<Row[]> {
  const rows: Row[] = [];
  const config = { text: sql, values: [...params], queryMode: 'extended' };
  const query = new pg.Query<Row>(config);
  query.on('row', (row) => {
    rows.push(row);
    if (rows.length > bounds.maxRows) sever(client, 'too-many-rows');
  });
  client.query(query);
  await once(query, 'end');
  // A short answer is read to its end before the connection goes.
  if (rows.length > bounds.maxRows) throw new Severed('too-many-rows');
  return rows;
}

/** In a storm hundreds run the same text: each is read once. */
function withoutLiterals(rows: Row[]): Row[] {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => /(?:^|_)query$/.test(column));
  const known = new Map<string, string>();
  for (const row of rows) {
    for (const column of columns) {
      const text = row[column];
      if (typeof text !== 'string') continue;
      const normalised = known.get(text) ?? normaliseQuery(text);
      known.set(text, normalised);
      row[column] = normalised;
    }
  }
  return rows;
}
