import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { codeOf, PgorderlyError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { resolveUrl } from '../targets/url.ts';

export type StatePool = pg.Pool;
/** A pool or a client inside a transaction: all that the tables' functions need. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

const schema = 'pgorderly';
const migrationsTable = 'migrations';
const migrationsFolder = fileURLToPath(import.meta.resolve('#package/src/state/migrations'));

/** The bot's own database: the only truth about alerts, runs, approvals and the audit. */
export class StateDatabase {
  readonly pool: pg.Pool;
  /** Kept connected, for what a person waits for: a click must be stored within 2.5 s. */
  readonly warmPool: pg.Pool;

  constructor(url: string, log: Logger) {
    this.pool = openPool(url, { max: 10, application_name: 'pgorderly/state', query_timeout: 30_000 });
    this.warmPool = openPool(url, {
      max: 4,
      application_name: 'pgorderly/inbox',
      idleTimeoutMillis: 0,
      query_timeout: 10_000,
    });
    const onLoss = (error: Error) => log.warn({ code: codeOf(error) }, 'state connection lost');
    // Of each client, not of the pool: the pool listens to the idle ones only, and a loss within a transaction that
    // nobody listens to would end the process.
    for (const pool of [this.pool, this.warmPool])
      pool.on('error', onLoss).on('connect', (client) => client.on('error', onLoss));
  }

  /** Migrates to the newest version, waiting for whoever is at it. Throws state-unreachable or state-newer. */
  async start(): Promise<void> {
    try {
      await migrate(this.pool);
      await this.warmUp();
    } catch (error) {
      if (error instanceof PgorderlyError) throw error;
      throw new PgorderlyError('state-unreachable', `the state database did not answer: ${messageOf(error)}`, {
        hint: 'Check state.url; for a new one: docker compose up -d state',
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.end(), this.warmPool.end()]);
  }

  private async warmUp(): Promise<void> {
    const clients = await Promise.all(Array.from({ length: 4 }, () => this.warmPool.connect()));
    for (const client of clients) client.release();
  }
}

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export async function transaction<T>(pool: pg.Pool, work: (db: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

function openPool(url: string, options: pg.PoolConfig): pg.Pool {
  return new pg.Pool({
    ...resolveUrl(url),
    // A frozen process must not keep the others from the audit's one head row for longer than this.
    options: `-c search_path=${schema},public -c idle_in_transaction_session_timeout=10000`,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    ...options,
  });
}

async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    // Two replicas that start at once on a new database: "if not exists" alone lets both create it, and one fails.
    await client.query(
      `begin; select pg_advisory_xact_lock(hashtext('${schema}')); create schema if not exists ${schema}; commit`,
    );
    await runner({
      dbClient: client,
      dir: migrationsFolder,
      direction: 'up',
      schema,
      migrationsSchema: schema,
      migrationsTable,
      advisoryLockMode: 'wait',
      log: () => {},
    });
    await refuseNewer(client);
  } finally {
    client.release();
  }
}

/** node-pg-migrate accepts a database migrated by a newer version silently. */
async function refuseNewer(db: Queryable): Promise<void> {
  const known = new Set(readdirSync(migrationsFolder).map((file) => basename(file, '.sql')));
  const { rows } = await db.query<{ name: string }>(`select name from ${schema}.${migrationsTable} order by id`);
  const unknown = rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new PgorderlyError(
    'state-newer',
    `the state database holds the migration ${unknown.join(', ')}, which this version does not know`,
    { hint: 'Start the newer pgorderly, or restore a backup from before its upgrade.' },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || (codeOf(error) ?? 'no answer') : String(error);
}
