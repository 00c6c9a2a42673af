import { codeOf, explain } from '../errors.ts';
import type { RemedyContext } from './context.ts';
import { type Estimate, estimateAct } from './estimate.ts';
import { type Figures, readFigures } from './figures.ts';
import { weighGuards } from './guards/guards.ts';
import { no, type Verdict } from './guards/verdict.ts';
import { findPlace } from './place.ts';
import { type Plan, statementsOf } from './plan.ts';
import type { Runbook, Step } from './runbook/runbook.ts';
import { ActingSession } from './session.ts';

/** What a plan would do, and whether it might, as things are now. */
export interface Preview {
  plan: Plan;
  does: string;
  runbook: Pick<Runbook, 'locks' | 'undo' | 'needs'>;
  acts: readonly Step[];
  figures: Figures;
  estimate: Estimate | null;
  /** Of every guard that applies, in their order: none is left out after one that refuses. */
  verdicts: readonly Verdict[];
}

/** Looks at a plan as the run would, through the action login, and runs nothing. `alertId` is null for a plan by hand. */
export async function previewPlan(
  context: RemedyContext,
  { plan, does, alertId }: { plan: Plan; does: string; alertId: number | null },
): Promise<Preview> {
  const runbook = context.runbooks.get(plan.runbook);
  const { locks = '', undo = '', needs = null } = runbook ?? {};
  const preview = { plan, does, runbook: { locks, undo, needs }, acts: statementsOf(plan, 'act') };
  const nothing = { figures: {}, estimate: null };
  const place = findPlace(context, plan);
  if (typeof place === 'string') return { ...preview, ...nothing, verdicts: [no(place)] };
  let session: ActingSession | null = null;
  try {
    session = await ActingSession.open(place.url, `pgorderly/plan/${plan.runbook}`, plan.database);
    const verdicts = await weighGuards({
      context,
      run: { id: 0, alertId, class: plan.class },
      plan,
      ...place,
      session,
    });
    // Read by the precondition: where that fails, its guard has said why.
    const figures = await readFigures(session, plan).catch((): Figures => nothing.figures);
    const estimate = await estimateAct(context.pool, plan, figures['size_bytes'] ?? null);
    return { ...preview, figures, estimate, verdicts };
  } catch (error) {
    context.log.warn({ runbook: plan.runbook, code: codeOf(error) }, 'plan not looked at');
    return { ...preview, ...nothing, verdicts: [no(`cannot be judged: ${explain(error)}`)] };
  } finally {
    await session?.close();
  }
}
