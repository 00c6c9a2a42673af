import pg from 'pg';
import { type Plan, relationOf } from '../plan.ts';
import type { ActingSession } from '../session.ts';
import { whyInTheWay } from './activity.ts';
import { findHolders } from './lock-holders.ts';

/** Lock table takes none but these: to a materialized view and a TOAST table the guards' look at pg_locks has to do. */
const tableSql = `
  -- Which table is it, as the server quotes its name?
  select pg_catalog.format('%I.%I', n.nspname, c.relname) as name
  from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = $1::oid and c.relkind in ('r', 'p')`;

/**
 * Takes the first lock of the act for a moment, without waiting, and gives it back: why it cannot be had, or null. Only
 * here nothing is left behind: once the act itself waits for a lock and gives up, half an index is.
 */
export async function probeFirstLock(session: ActingSession, plan: Plan): Promise<string | null> {
  const relation = relationOf(plan);
  if (!relation) return null;
  const { rows } = await session.query(tableSql, [relation.table]);
  const name = rows[0]?.['name'];
  if (typeof name !== 'string') return null;
  const sqlState = await tryLock(session, name);
  if (sqlState === null) return null;
  // Maintenance is allowed to roles that may not lock by hand: a database's owner, for one.
  if (sqlState === '42501') return null;
  if (sqlState !== '55P03') return `the table ${name} could not be locked to try it (SQLSTATE ${sqlState})`;
  const holders = await findHolders(session, [relation.table]);
  const who = holders[0] === undefined ? 'somebody had it a moment ago: try again' : whyInTheWay(holders);
  return `the lock share update exclusive on ${name} was not free: ${who}`;
}

/** Null, or the SQLSTATE with which the lock was refused. Its name may have to wait for a locked catalog. */
async function tryLock(session: ActingSession, name: string): Promise<string | null> {
  await session.query('begin');
  try {
    await session.query("set local lock_timeout = '100ms'");
    await session.query("set local statement_timeout = '2s'");
    await session.query(`lock table only ${name} in share update exclusive mode nowait`);
    return null;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code !== undefined) return error.code;
    throw error;
  } finally {
    await session.query('rollback');
  }
}
