import pg from 'pg';
import { PgorderlyError } from '../../errors.ts';
import { relationOf } from '../plan.ts';
import { describeHolder, findHolders } from './lock-holders.ts';
import { type Guard, type GuardInput, no, type Verdict } from './verdict.ts';

/** Of a lost connection, or a server that ends it: then there is nothing to judge, and nothing to act with. */
const lost = /^(?:08|57P)/;

/** A guard whose question the server refused cannot judge, and so it refuses. Throws what is no answer of a server. */
export async function whyBlind(guard: Guard, input: GuardInput, error: unknown): Promise<Verdict> {
  const question = guard.name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const blind = `cannot judge "${question}"`;
  // What we watch with, not what we act with: that is lost as pg says it.
  if (error instanceof PgorderlyError) return no(`${blind}: ${error.message}; ${error.hint ?? 'try again'}`);
  if (!(error instanceof pg.DatabaseError) || error.code === undefined || lost.test(error.code)) throw error;
  if (error.code === '55P03') return no(`${blind}: ${await whoLocks(input)}; try again when it has ended`);
  if (error.code === '57014') return no(`${blind}: the server gave no answer in time (57014); try again`);
  return no(`${blind}: the server refused the question (SQLSTATE ${error.code})`);
}

async function whoLocks({ session, plan }: GuardInput): Promise<string> {
  const relation = relationOf(plan);
  const unknown = 'what has to be read is locked by another session (55P03)';
  if (!relation) return unknown;
  // The catalog that names sessions may be what is locked.
  const holders = await findHolders(session, [relation.oid, relation.table]).catch(() => []);
  const holder = holders.find(({ mode }) => mode === 'AccessExclusiveLock');
  return holder ? `${describeHolder(holder)}, so that nobody can look` : unknown;
}
