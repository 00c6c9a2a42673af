import pg from 'pg';
import type { Server } from '../src/demo/server.ts';

const batch = 500;
/** Every so manieth table is larger than 128 kB. */
export const largeEvery = 20;

/** A database with so many tables of three indexes each. */
export async function makeTables(server: Server, database: string, count: number): Promise<void> {
  await run(server, 'postgres', [`create database ${database}`]);
  const batches = Array.from({ length: Math.ceil(count / batch) }, (_, number) => number * batch);
  await run(server, database, [...batches.map((from) => makeBatch(from, Math.min(count, from + batch))), 'analyze']);
}

/** One transaction each: its locks have to fit. */
function makeBatch(from: number, to: number): string {
  return `do $do$ begin for i in ${from}..${to - 1} loop
    execute format('create table t%s (id int primary key, kind int, name text, at timestamptz)', i);
    execute format($q$insert into t%s select g, g %% 7, 'name ' || g, now()
      from generate_series(1, %s) g$q$, i, case when i % ${largeEvery} = 0 then 3000 + i % 40000 else 20 end);
    execute format('create index on t%s (kind)', i);
    execute format('create index on t%s (name, at)', i);
  end loop; end $do$`;
}

async function run(server: Server, database: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: server.url(database), application_name: 'bench' });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
