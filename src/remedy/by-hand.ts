import { PgorderlyError } from '../errors.ts';
import { complete } from './complete.ts';
import type { RemedyContext, RemedyNode, RemedyTarget } from './context.ts';
import { whyObserveOnly } from './observe-only.ts';
import { buildPlan, type Plan, sealPlan } from './plan.ts';

export interface AskedByHand {
  runbook: string;
  target: string;
  /**
   * As typed; `node` names one node of the target and `database` one of its databases. What identifies a session or a
   * relation beyond its pid or its name may be left out: it is read from the server.
   */
  params: Record<string, string>;
}

export interface PlannedByHand {
  plan: Plan;
  text: string;
  hash: string;
  does: string;
}

/** Plans what a person asked for. Throws runbook-unknown, usage, param-invalid or what the server's loss throws. */
export async function planByHand(context: RemedyContext, asked: AskedByHand): Promise<PlannedByHand> {
  const runbook = context.runbooks.get(asked.runbook);
  if (!runbook) throw unknown('runbook-unknown', `there is no runbook ${asked.runbook}`, context.runbooks.keys());
  const target = context.targets.get(asked.target);
  if (!target) throw unknown('usage', `there is no target ${asked.target}`, context.targets.keys());
  const { node: nodeName, database: databaseName, ...typed } = asked.params;
  const node = findNode(target, nodeName);
  if (!node.actionUrls[runbook.class]) {
    const { found, hint } = whyObserveOnly(target.name, runbook.class);
    throw new PgorderlyError('usage', found, { hint });
  }
  const policy = target.policyFor(runbook.risk);
  if (!policy) throw new PgorderlyError('usage', `runbooks of risk ${runbook.risk} are off for ${target.name}`);
  const probe = await node.reader.probe();
  const { database, params, about } = await complete(node.reader, { runbook, typed, database: databaseName ?? null });
  const plan = buildPlan({
    runbook,
    params,
    serverVersion: probe.version,
    target: target.name,
    environment: target.environment,
    node: node.name,
    database,
    identity: {
      systemIdentifier: probe.systemIdentifier,
      timeline: probe.timeline,
      address: node.reader.address,
    },
    policy,
  });
  return { plan, ...sealPlan(plan), does: about === null ? runbook.title : `${runbook.title}: ${about}.` };
}

function findNode(target: RemedyTarget, name: string | undefined): RemedyNode {
  const [first] = target.nodes;
  if (name === undefined && target.nodes.length === 1 && first) return first;
  const found = target.nodes.find((node) => node.name === name);
  if (found) return found;
  const names = target.nodes.map((node) => `node=${node.name}`).join(' or ');
  const what = name === undefined ? `${target.nodes.length} nodes and the node was not said` : `no node "${name}"`;
  throw new PgorderlyError('usage', `${target.name} has ${what}`, { hint: `Write ${names}.` });
}

function unknown(code: 'runbook-unknown' | 'usage', message: string, known: Iterable<string>): PgorderlyError {
  return new PgorderlyError(code, message, { hint: `There are: ${[...known].join(', ')}.` });
}
