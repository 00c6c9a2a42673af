import type { Finding, Offer } from '../model.ts';
import { appendAudit } from '../state/audit.ts';
import type { Queryable } from '../state/database.ts';
import { insertRun, moveRun, type NewRun, readRunsOfAlert, type StoredRun } from '../state/runs.ts';
import type { Probe } from '../targets/reader.ts';
import type { RemedyContext, RemedyTarget } from './context.ts';
import { buildPlan, type Plan, sealPlan, subjectOf, tableOf } from './plan.ts';
import { proposalLifeSeconds } from './policy.ts';

export interface Proposal {
  offer: Offer;
  plan: Plan;
  text: string;
  hash: string;
}

export interface ProposeInput {
  context: RemedyContext;
  alertId: number;
  finding: Finding;
  probe: Probe;
}

/**
 * Keeps an alert's open proposals equal to what its finding offers now. Each plan is proposed once by itself; after a
 * deny, an expiry or an end it returns only when somebody asks again. Returns whether anything changed.
 */
export async function syncProposals(db: Queryable, input: ProposeInput): Promise<boolean> {
  const wanted = planOffers(input);
  const runs = await readRunsOfAlert(db, input.alertId);
  const withdrawn = await withdrawProposals(
    db,
    runs.filter((run) => !wanted.some((one) => one.hash === run.planHash)),
  );
  const fresh = wanted.filter((one) => !runs.some((run) => run.planHash === one.hash && run.state !== 'withdrawn'));
  let isChanged = withdrawn > 0;
  for (const proposal of fresh) isChanged = (await insertProposal(db, input, proposal)) || isChanged;
  return isChanged;
}

/** Ends the open proposals among these runs: their reason has gone. */
export async function withdrawProposals(db: Queryable, runs: readonly StoredRun[]): Promise<number> {
  const open = runs.filter((run) => run.state === 'proposed');
  for (const run of open) {
    await moveRun(db, run.id, 'withdrawn', 'the job no longer offers it');
    const { target, alertId, runbook } = run;
    await appendAudit(db, {
      kind: 'run.withdrawn',
      actor: 'pgorderly',
      target,
      alert: alertId,
      run: run.id,
      detail: { runbook },
    });
  }
  return open.length;
}

function planOffers(input: ProposeInput): Proposal[] {
  const target = input.context.targets.get(input.finding.target);
  if (!target) return [];
  return input.finding.runbooks.flatMap((offer) => planOffer(input, target, offer) ?? []);
}

/** The plan of the best that a finding offers, made now; null where nothing it offers may be run there. */
export async function planBest(context: RemedyContext, alertId: number, finding: Finding): Promise<Proposal | null> {
  const node = context.targets.get(finding.target)?.nodes.find(({ name }) => name === finding.node);
  if (!node) return null;
  const probe = await node.reader.probe();
  return planOffers({ context, alertId, finding, probe })[0] ?? null;
}

/** Null where the target is observe-only for the runbook's class, or its policy is off. */
function planOffer(input: ProposeInput, target: RemedyTarget, offer: Offer): Proposal | null {
  const runbook = input.context.runbooks.get(offer.name);
  const node = target.nodes.find((one) => one.name === input.finding.node);
  if (!runbook || !node?.actionUrls[runbook.class]) return null;
  const policy = target.policyFor(runbook.risk);
  if (!policy) return null;
  const plan = buildPlan({
    runbook,
    params: offer.params,
    serverVersion: input.probe.version,
    target: target.name,
    environment: target.environment,
    node: node.name,
    // A signal reaches every database; its login need not enter the one where the trouble is.
    database: runbook.class === 'signal' ? null : input.finding.database,
    identity: {
      systemIdentifier: input.probe.systemIdentifier,
      timeline: input.probe.timeline,
      address: node.reader.address,
    },
    policy,
  });
  return { offer, plan, ...sealPlan(plan) };
}

/** A plan as it is stored to be decided on. */
export function newRun(
  plan: Plan,
  sealed: { text: string; hash: string },
  asked: Pick<NewRun, 'does' | 'alertId' | 'askedBy' | 'follows' | 'trace'>,
): NewRun {
  return {
    ...asked,
    target: plan.target,
    runbook: plan.runbook,
    risk: plan.risk,
    class: plan.class,
    subject: subjectOf(plan),
    relation: tableOf(plan),
    plan: sealed.text,
    planHash: sealed.hash,
    expiresInSeconds: proposalLifeSeconds(plan.class),
  };
}

async function insertProposal(db: Queryable, input: ProposeInput, proposal: Proposal): Promise<boolean> {
  const { plan, offer, text, hash } = proposal;
  const id = await insertRun(
    db,
    newRun(
      plan,
      { text, hash },
      { does: offer.does, alertId: input.alertId, askedBy: null, follows: null, trace: null },
    ),
  );
  if (id === null) return false;
  await appendAudit(db, {
    kind: 'run.proposed',
    actor: 'pgorderly',
    target: plan.target,
    alert: input.alertId,
    run: id,
    detail: { runbook: plan.runbook, plan: hash, fingerprint: input.finding.fingerprint },
  });
  return true;
}
