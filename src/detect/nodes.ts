import { codeOf, PgorderlyError } from '../errors.ts';
import type { Reader } from '../targets/reader.ts';
import type { AnyPlaceJob, AskIn } from './job.ts';
import { type CheckNode, type Judge, type Seen, sawNothing } from './seen.ts';
import { readStatement } from './statements.ts';

/** Asks each node at once, on its warm connection. */
export async function checkNodes(
  job: AnyPlaceJob,
  { nodes, thresholds }: { nodes: readonly CheckNode[]; thresholds: Record<string, number> },
  judge: Judge,
): Promise<Seen> {
  const seen = await Promise.all(nodes.map((node) => checkNode(job, { node, thresholds }, judge)));
  return {
    findings: seen.flatMap((one) => one.findings),
    lingering: seen.flatMap((one) => one.lingering),
    unjudged: seen.flatMap((one) => one.unjudged),
    storms: seen.flatMap((one) => one.storms),
    samples: seen.flatMap((one) => one.samples),
    errors: seen.flatMap((one) => one.errors),
    covered: seen.flatMap((one) => one.covered),
    databases: null,
    probes: new Map(seen.flatMap((one) => [...one.probes])),
  };
}

async function checkNode(
  job: AnyPlaceJob,
  { node, thresholds }: { node: CheckNode; thresholds: Record<string, number> },
  judge: Judge,
): Promise<Seen> {
  const seen = sawNothing();
  try {
    const probe = await node.reader.probe();
    seen.probes.set(node.name, probe);
    const ask = (statement?: string, params?: readonly unknown[]) =>
      node.reader.ask(readStatement(job.name, statement), params);
    const facts = job.gather ? await job.gather(ask, thresholds, askInOthers(job, node)) : await ask();
    Object.assign(seen, judge(facts, { node, probe, database: probe.database }));
    if (seen.unjudged.length === 0) seen.covered.push({ node: node.name, databases: { except: [] } });
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    seen.errors.push(`${node.name}: ${error.message}`);
    const refusal = judge.refusal(codeOf(error.cause), node);
    if (refusal) seen.findings.push(refusal);
  }
  return seen;
}

/** A job of this scope is expected to end soon: where others are at the lane it goes without. */
const laneWaitMs = 2_000;

function askInOthers(job: AnyPlaceJob, { lane }: CheckNode): AskIn {
  return async (statement, databases) => {
    const look = (reader: Reader) => reader.ask(readStatement(job.name, statement));
    const visits = (await lane?.visit(job.name, databases, look, laneWaitMs)) ?? [];
    return visits.flatMap((visit) => (visit.outcome === 'seen' ? visit.value : []));
  };
}
