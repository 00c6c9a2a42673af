import { PgorderlyError } from '../errors.ts';
import type { RemedyContext, RemedyNode, RemedyTarget } from './context.ts';
import { buildPlan, type Plan, sealPlan } from './plan.ts';
import type { Runbook } from './runbook.ts';

export interface AskedByHand {
  runbook: string;
  target: string;
  /** As typed; `node` names one node of the target, times that identify a session may be left out. */
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
  const { node: nodeName, ...typed } = asked.params;
  const node = findNode(target, nodeName);
  if (!node.actionUrls[runbook.class])
    throw new PgorderlyError('usage', `${target.name} is observe-only for runbooks of class ${runbook.class}`, {
      hint: `Its configuration needs nodes[].actions.${runbook.class}.`,
    });
  const policy = target.policyFor(runbook.risk);
  if (!policy) throw new PgorderlyError('usage', `runbooks of risk ${runbook.risk} are off for ${target.name}`);
  const probe = await node.reader.probe();
  const params = await completeParams(node, runbook, typed);
  const plan = buildPlan({
    runbook,
    params,
    serverVersion: probe.version,
    target: target.name,
    environment: target.environment,
    node: node.name,
    identity: {
      systemIdentifier: probe.systemIdentifier,
      timeline: probe.timeline,
      address: node.reader.address,
    },
    policy,
  });
  return { plan, ...sealPlan(plan), does: await describe(node, runbook, params) };
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

const identitySql = `
  -- Which session, transaction and statement is this pid now?
  select (extract(epoch from backend_start) * 1000000)::bigint::text as backend_start,
    (extract(epoch from coalesce(xact_start, case when state ~ 'aborted' then state_change end))
      * 1000000)::bigint::text as xact_start,
    (extract(epoch from query_start) * 1000000)::bigint::text as query_start,
    -- Who names a pid means it, whether or not others wait.
    '0' as least_waiters,
    usename, application_name, state
  from pg_catalog.pg_stat_activity where pid = $1 limit 1`;

/** A person types the pid; the times that tell the session from its successor are read from the server. */
async function completeParams(
  node: RemedyNode,
  runbook: Runbook,
  typed: Record<string, string>,
): Promise<Record<string, string>> {
  const missing = Object.keys(runbook.params).filter((name) => typed[name] === undefined);
  if (missing.length === 0 || !Object.hasOwn(runbook.params, 'pid')) return typed;
  if (!/^\d{1,9}$/.test(typed['pid'] ?? '')) throw wrongPid(runbook, typed['pid']);
  const [session] = await node.reader.ask(identitySql, [Number(typed['pid'])]);
  if (!session) throw new PgorderlyError('param-invalid', `no session has pid ${typed['pid']} on ${node.name}`);
  const read = missing.flatMap((name) => (typeof session[name] === 'string' ? [[name, session[name] as string]] : []));
  const absent = missing.find((name) => Object.hasOwn(session, name) && session[name] === null);
  if (absent)
    throw new PgorderlyError(
      'param-invalid',
      `pid ${typed['pid']} has no ${absent}: it is ${session['state'] ?? 'idle'}`,
      {
        hint: 'Only an open transaction or a running statement can be ended.',
      },
    );
  return { ...typed, ...Object.fromEntries(read) };
}

/** Only of the pid: the times that a person may leave out are not what is wrong. */
function wrongPid(runbook: Runbook, typed: string | undefined): PgorderlyError {
  const found = typed === undefined ? 'its pid is missing' : `pid is "${typed.slice(0, 60)}", expected an integer`;
  return new PgorderlyError('param-invalid', `${runbook.name}: ${found}`, {
    hint: 'Write the process id as pg_stat_activity shows it, such as pid=4711.',
  });
}

async function describe(node: RemedyNode, runbook: Runbook, params: Record<string, string>): Promise<string> {
  if (!params['pid']) return runbook.title;
  const [session] = await node.reader.ask(identitySql, [Number(params['pid'])]);
  const { usename, application_name: application, state } = session ?? {};
  return `${runbook.title}: pid ${params['pid']} (${application || 'no application name'}, role ${usename}, ${state ?? 'gone'}).`;
}

function unknown(code: 'runbook-unknown' | 'usage', message: string, known: Iterable<string>): PgorderlyError {
  return new PgorderlyError(code, message, { hint: `There are: ${[...known].join(', ')}.` });
}
