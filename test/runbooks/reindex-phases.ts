import type pg from 'pg';
import type { Database } from '../support/servers.ts';
import { until } from '../support/wait.ts';

/** The phases of REINDEX CONCURRENTLY, as pg_stat_progress_create_index begins to name them. */
export const phases = [
  'waiting for writers before build',
  'building index',
  'waiting for writers before validation',
  'index validation',
  'waiting for old snapshots',
  'waiting for readers before marking dead',
  'waiting for readers before dropping',
] as const;
export type Phase = (typeof phases)[number];

/** A rebuild that stands still in one phase, held there by locks of the test, until it is let go. */
export interface Hold {
  /** Waits until the rebuild is there. */
  reached(): Promise<void>;
  release(): Promise<void>;
}

/** An index whose expression takes a lock for each row, so that even its build can be held. */
export const ledger = `
  create table ledger (id integer primary key, amount integer);
  alter table ledger owner to app;
  create function held(integer) returns integer language plpgsql immutable
    as $$ begin perform pg_advisory_xact_lock_shared(7000 + $1); return $1; end $$;
  insert into ledger select n, n from generate_series(1, 20) n;
  create index ledger_amount on ledger (held(amount));`;

/** Prepares everything before the rebuild begins. */
export async function holdIn(phase: Phase, database: Database): Promise<Hold> {
  const open: pg.Client[] = [];
  const session = async (...statements: string[]) => {
    const client = await database.client('app', 'holder');
    open.push(client);
    for (const statement of statements) await client.query(statement);
    return client;
  };
  const hold = await arrange[phase](session);
  const untilIn = (name: string) => until(`the rebuild to be ${name}`, () => isIn(database, name));
  return {
    reached: async () => {
      for (const step of hold) {
        await untilIn(step.phase);
        await step.then?.();
      }
      await untilIn(phase);
    },
    release: async () => {
      for (const client of open.splice(0)) await client.end();
    },
  };
}

type Session = (...statements: string[]) => Promise<pg.Client>;
/** What is done on the way, once the rebuild is in that phase. */
type OnTheWay = { phase: Phase; then?(): Promise<unknown> };

const asWriter = ['begin', 'lock table ledger in row exclusive mode'];
const asReader = ['begin', 'select from ledger limit 1'];
const holdRow = (amount: number) => `select pg_advisory_lock(${7_000 + amount})`;

const arrange: Readonly<Record<Phase, (session: Session) => Promise<OnTheWay[]>>> = {
  'waiting for writers before build': async (session) => {
    await session(...asWriter);
    return [];
  },
  'building index': async (session) => {
    await session(holdRow(1));
    return [];
  },
  'waiting for writers before validation': async (session) => {
    const builder = await session(holdRow(1));
    const then = async () => {
      await session(...asWriter);
      await builder.query('select pg_advisory_unlock_all()');
    };
    return [{ phase: 'building index', then }];
  },
  'index validation': async (session) => {
    const builder = await session(holdRow(1));
    // Written while the new index is not kept up yet: validation has to add it, and asks for its lock.
    const then = async () => {
      await session('insert into ledger values (21, 21)', holdRow(21));
      await builder.query('select pg_advisory_unlock_all()');
    };
    return [{ phase: 'building index', then }];
  },
  'waiting for old snapshots': async (session) => {
    await session('begin isolation level repeatable read', 'select 1');
    return [];
  },
  'waiting for readers before marking dead': async (session) => {
    await session(...asReader);
    return [];
  },
  'waiting for readers before dropping': async (session) => {
    const first = await session(...asReader);
    const then = async () => {
      await session(...asReader);
      await first.query('commit');
    };
    return [{ phase: 'waiting for readers before marking dead', then }];
  },
};

/** In its last two phases the new index serves already: what is left over is the old one. */
export function isDoneIn(phase: Phase): boolean {
  return phase.startsWith('waiting for readers');
}

export function leftBy(phase: Phase): string {
  return isDoneIn(phase) ? 'ledger_amount_ccold' : 'ledger_amount_ccnew';
}

/** Which indexes the table has, and whether they are valid. */
export async function readIndexes(database: Database): Promise<Record<string, boolean>> {
  const { rows } = await database.run(
    `select c.relname as name, i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
     where i.indrelid = 'ledger'::regclass order by 1`,
  );
  return Object.fromEntries(rows.map(({ name, valid }) => [name, valid]));
}

async function isIn(database: Database, phase: string): Promise<boolean> {
  const { rows } = await database.run(
    `select from pg_stat_progress_create_index p where p.datname = current_database() and p.phase like $1 || '%'
       and exists (select from pg_locks l where l.pid = p.pid and not l.granted)`,
    [phase],
  );
  return rows.length > 0;
}
