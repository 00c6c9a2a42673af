import { PgorderlyError } from '../../errors.ts';
import { takes } from '../typed.ts';
import { type Fence, type StepName, stepNames } from './fences.ts';
import { checkValues } from './params.ts';
import { render } from './psql.ts';
import type { Runbook, Step } from './runbook.ts';

/**
 * The steps of a runbook for one server, parameters rendered as psql would: `serverVersion` is server_version_num.
 * Throws param-invalid, naming every parameter that is missing, unknown or of the wrong type.
 */
export function bind(runbook: Runbook, params: Readonly<Record<string, string>>, serverVersion: number): Step[] {
  const problems = checkValues(runbook.params, params);
  if (problems.length > 0) {
    throw new PgorderlyError('param-invalid', `${runbook.name}: ${problems.join('; ')}`, {
      hint: takes(runbook.params),
    });
  }
  const major = Math.floor(serverVersion / 10_000);
  return stepNames.flatMap((step) => {
    return fencesFor(runbook, step, major).map(({ sql, runbook: then }) => ({
      step,
      sql: render(sql, params),
      ...(then === null ? {} : { runbook: then }),
    }));
  });
}

/** Of the fences that are for this major, those that begin highest: of an act there may be several, in their order. */
function fencesFor(runbook: Runbook, step: StepName, major: number): Fence[] {
  const ofStep = runbook.fences.filter((fence) => fence.step === step);
  const fitting = ofStep.filter(({ versions }) => versions.from <= major && major <= versions.to);
  const isNeeded = step === 'precondition' || step === 'act' || step === 'verify';
  if (fitting.length === 0 && isNeeded)
    throw new PgorderlyError('server-unsupported', `${runbook.name} has no ${step} for PostgreSQL ${major}`);
  const highest = Math.max(...fitting.map(({ versions }) => versions.from));
  return fitting.filter(({ versions }) => versions.from === highest);
}
