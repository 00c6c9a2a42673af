import { readSentWithinADay, readSucceeded } from '../../state/run-history.ts';
import { formatSeconds } from '../before-after.ts';
import { openPlan, relationOf, statementsOf, subjectOf, tableOf } from '../plan.ts';
import { actsOf } from './act-kind.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** An index that swells again so soon has another trouble, which another rebuild hides and does not mend. */
const coolDownDays = 7;

/** By name and table: a rebuilt index has another oid. An invalid one is rebuilt whenever it is. */
export async function notJustRebuilt({ context, session, plan }: GuardInput): Promise<Verdict | null> {
  const relation = relationOf(plan);
  if (!relation || !actsOf(plan).includes('reindex')) return null;
  const { rows } = await session.query('select indisvalid as valid from pg_index where indexrelid = $1::oid', [
    relation.oid,
  ]);
  if (rows[0]?.['valid'] === false) return null;
  const { target, runbook } = plan;
  const earlier = await readSucceeded(context.pool, { target, runbook, relation: tableOf(plan), days: coolDownDays });
  const last = earlier.find((one) => {
    const its = relationOf(openPlan(one.plan, one.planHash));
    return its?.schema === relation.schema && its.name === relation.name;
  });
  if (!last) return yes(`not rebuilt in the last ${coolDownDays} days`);
  const ago = formatSeconds(last.daysAgo * 86_400);
  return no(
    `R-${last.id} rebuilt it ${ago} ago, expected is once in ${coolDownDays} days: look for what makes it grow so fast`,
  );
}

/**
 * DEFAULTS: at most one drop a day on a target. What can be taken back was of use to somebody, who must have the time to
 * notice; a left-over, of which nothing is kept, was of use to nobody.
 */
export async function oneDropADay({ context, plan }: GuardInput): Promise<Verdict | null> {
  if (!actsOf(plan).includes('drop-index') || statementsOf(plan, 'undo').length === 0) return null;
  // The same index once more is no other drop: it ends one that was stopped half-way.
  const { target, runbook } = plan;
  const last = await readSentWithinADay(context.pool, { target, runbook, butAbout: subjectOf(plan) });
  return last === null
    ? yes('no other drop within a day')
    : no(
        `R-${last.id} dropped one on ${plan.target} ${formatSeconds(last.secondsAgo)} ago, expected is one a day: wait, and see whether that one is missed`,
      );
}
