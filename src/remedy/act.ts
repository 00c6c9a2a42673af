import { codeOf } from '../errors.ts';
import { type Plan, statementsOf } from './plan.ts';
import type { ActingSession, Given } from './session.ts';

/** What became of an act, as the server said it: that proves nothing, in either direction. */
export interface Acted {
  given: Given[];
  error: unknown;
}

/**
 * Sends the statements of a plan's act, one after the other. Throws where the connection was lost without a word: then
 * nobody knows whether the server is still at it.
 */
export async function carryOut(session: ActingSession, plan: Plan): Promise<Acted> {
  const given: Given[] = [];
  try {
    for (const { sql } of statementsOf(plan, 'act')) given.push(await session.query(sql));
    return { given, error: null };
  } catch (error) {
    if (!isSqlState(codeOf(error))) throw error;
    return { given, error };
  }
}

export function describeGiven(given: readonly Given[]): string {
  const said = given.flatMap(({ rows, notices }) => [
    ...Object.entries(rows[0] ?? {}).map(([name, value]) => `${name} = ${value}`),
    ...notices,
  ]);
  return said.join('; ') || 'done';
}

/** Why a statement of ours ended with an error, and what that means. DETAIL and CONTEXT never leave the server. */
export function explainError(error: unknown): string {
  const code = codeOf(error) ?? '';
  const known = bySqlState[code] ?? bySqlState[code.slice(0, 2)];
  const message = error instanceof Error ? error.message : String(error);
  return known ? `${known} (${code})` : `the server refused: ${message} (${code})`;
}

const bySqlState: Readonly<Record<string, string>> = {
  '57014': 'the statement was cancelled',
  '57P01': 'its session was ended by an administrator, or the server was shut down',
  '57P02': 'the server crashed',
  '40P01': 'it deadlocked with another statement that wanted a lock on the table, and was the one to give way',
  '40': 'it collided with another transaction',
  '55P03': 'a lock was not to be had in time',
  '53100': 'the disk is full',
  '53': 'the server ran out of resources',
  '42501': 'the action role may not do this',
  '23505': 'there are duplicate values',
  '55006': 'the object is in use',
  '25006': 'the node is a standby now',
};

function isSqlState(code: string | null): boolean {
  return code !== null && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') && !code.startsWith('08');
}
