import { errorFields } from '../log.ts';
import type { Text } from '../model.ts';
import { normaliseQuery } from '../targets/normalise.ts';
import { type Plan, sqlOf } from './plan.ts';
import type { ActingSession } from './session.ts';

/** What an act is about to destroy, by name, as it is told and audited; a column `query` comes without literals. */
export type Evidence = Readonly<Record<string, string>>;

/**
 * Reads the runbook's evidence in the session that acts; null where it has none. It does not hold up an approved fix:
 * where it can't be read, that and its SQLSTATE are the evidence. Throws where the session is lost: nothing is sent then.
 */
export async function readEvidence(session: ActingSession, plan: Plan): Promise<Evidence | null> {
  const sql = sqlOf(plan, 'evidence');
  if (sql === null) return null;
  try {
    const { rows } = await session.query(sql);
    const values = Object.entries(rows[0] ?? {}).filter(([, value]) => value !== null && value !== '');
    return Object.fromEntries(
      values.map(([name, value]) => [
        name.replaceAll('_', ' '),
        name === 'query' ? normaliseQuery(String(value)) : String(value),
      ]),
    );
  } catch (error) {
    await session.query('select');
    return { 'could not be read': String(errorFields(error).code ?? 'error') };
  }
}

export function describeEvidence(evidence: Evidence): Text {
  const { query, ...named } = evidence;
  const said = Object.entries(named).map(([name, value]) => `${name} ${value}`);
  return [`! before the act: ${said.join(' · ')}`, ...(query ? [' · last statement ', { code: query }] : [])];
}
