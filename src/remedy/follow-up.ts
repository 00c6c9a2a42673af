import type { Text } from '../model.ts';
import { appendAudit } from '../state/audit.ts';
import { type CardRef, ensureRunCard } from '../state/cards.ts';
import { transaction } from '../state/database.ts';
import { insertRun, type StoredRun } from '../state/runs.ts';
import { probeSql, toProbe } from '../targets/probe.ts';
import type { RemedyContext } from './context.ts';
import { buildPlan, type Plan, sealPlan, sqlOf, statementsOf } from './plan.ts';
import { newRun } from './propose.ts';
import type { ActingSession } from './session.ts';

interface Ended {
  context: RemedyContext;
  run: StoredRun;
  plan: Plan;
  /** Not the one that acted: that may have died with its act. */
  session: ActingSession;
}

/** Parameters of a runbook, by its variables. */
type Params = Record<string, string>;

/** Offers to clean up what the act left behind, each left-over as a run of its own; what is said of them in the thread. */
export async function offerCleanup(ended: Ended): Promise<Text[]> {
  const [step] = statementsOf(ended.plan, 'cleanup');
  if (!step?.runbook) return [];
  const { rows } = await ended.session.query(step.sql);
  const lines: Text[] = [];
  for (const row of rows.map(toParams)) {
    const what = nameOf(row);
    const does = `Removes ${what}, which R-${ended.run.id} (${ended.plan.runbook}) left behind.`;
    const offered = await offer(ended, { runbook: step.runbook, params: row, does });
    lines.push([`! left behind: ${what}; ${offered}`]);
  }
  return lines;
}

/** Reads, before the act, what would take it back: as JSON for the run's row; null where nothing would. */
export async function readUndo(session: ActingSession, plan: Plan): Promise<string | null> {
  const sql = sqlOf(plan, 'undo');
  const row = sql === null ? undefined : (await session.query(sql)).rows[0];
  return row ? JSON.stringify(toParams(row)) : null;
}

/** Offers to take back what has succeeded. */
export async function offerUndo(ended: Ended): Promise<Text[]> {
  const [step] = statementsOf(ended.plan, 'undo');
  if (!step?.runbook || ended.run.undo === null) return [];
  const params = JSON.parse(ended.run.undo) as Params;
  const does = `Takes back R-${ended.run.id} (${ended.plan.runbook} ${nameOf(params)}).`;
  const offered = await offer(ended, { runbook: step.runbook, params, does });
  return [[`↩ to take it back: ${offered}`]];
}

/** Proposes it, and says under which number; else why not, and how a person does it by hand. */
async function offer(
  { context, run, plan, session }: Ended,
  { runbook: name, params, does }: { runbook: string; params: Params; does: string },
): Promise<string> {
  const target = context.targets.get(plan.target);
  const runbook = context.runbooks.get(name);
  const policy = runbook && target?.policyFor(runbook.risk);
  const node = target?.nodes.find((one) => one.name === plan.node);
  if (!runbook || !target || !node || !policy) return `see runbooks/${name}.md; it cannot be offered here`;
  const { version } = toProbe((await session.query(probeSql)).rows[0] ?? {});
  const followUp = buildPlan({ ...plan, runbook, params, serverVersion: version, policy });
  if (!node.actionUrls[runbook.class])
    return `${plan.target} has no actions.${runbook.class} URL, so by hand: ${statementsOf(followUp, 'act')
      .map(({ sql }) => `${sql};`)
      .join(' ')}`;
  const stored = await transaction(context.pool, async (db) => {
    const sealed = sealPlan(followUp);
    const { trace } = run;
    const asked = { does, alertId: null, askedBy: null, follows: run.id, trace };
    const id = await insertRun(db, newRun(followUp, sealed, asked));
    if (id === null) return null;
    const detail = { runbook: name, plan: sealed.hash, follows: run.id };
    await appendAudit(db, { kind: 'run.proposed', actor: 'pgorderly', target: plan.target, run: id, detail });
    return { id, card: (await ensureRunCard(db, id, target.channel)) satisfies CardRef };
  });
  if (stored === null) return `${name} is proposed for it already`;
  await context.nudges.channel(stored.card.channel);
  return `R-${stored.id} ${name} is proposed`;
}

function toParams(row: Record<string, unknown>): Params {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? '' : String(value)]));
}

function nameOf(params: Params): string {
  const [schema, name] = ['schema', 'name'].map((part) =>
    Object.entries(params).find(([key]) => key.endsWith(`_${part}`)),
  );
  return schema && name ? `${schema[1]}.${name[1]}` : Object.values(params).join(' ');
}
