import { type Plan, statementsOf } from '../plan.ts';
import { scan } from '../runbook/psql.ts';

/** What a statement does to a relation, as far as rights, locks and known defects differ. */
export type ActKind = 'reindex' | 'create-index' | 'drop-index' | 'vacuum' | 'analyze' | 'alter' | 'other';

/** Of each statement that the plan acts with, in their order. */
export function actsOf(plan: Plan): ActKind[] {
  return statementsOf(plan, 'act').map(({ sql }) => kindOf(sql));
}

/** Builds an index beside the one that serves: waits for old snapshots, and leaves half an index where it is stopped. */
export function buildsIndex(plan: Plan): boolean {
  return actsOf(plan).some((kind) => kind === 'reindex' || kind === 'create-index');
}

const kinds: [RegExp, ActKind][] = [
  [/^reindex /, 'reindex'],
  [/^create (?:unique )?index /, 'create-index'],
  [/^drop index /, 'drop-index'],
  [/^vacuum /, 'vacuum'],
  [/^analyze /, 'analyze'],
  // A comment asks for the same right: to be the owner.
  [/^(?:alter (?:table|index|materialized view|sequence)|comment on) /, 'alter'],
];

export function kindOf(sql: string): ActKind {
  const words = [...scan(sql)]
    .filter(({ text }) => !/^(?:--|\/\*)/.test(text))
    .map(({ text }) => text)
    .join('');
  const start = words.trim().replace(/\s+/g, ' ').slice(0, 80).toLowerCase();
  return kinds.find(([pattern]) => pattern.test(start))?.[1] ?? 'other';
}
