import { PgorderlyError } from '../errors.ts';
import type { Probe, Reader } from '../targets/reader.ts';
import type { Visit } from '../targets/slow-lane.ts';
import type { NodeAnswer } from './job.ts';
import { type CheckNode, roleOf } from './seen.ts';

/** A node, and what it said of itself; or why it said nothing. */
export interface ProbedNode {
  node: CheckNode;
  probe: Probe | null;
  error: string | null;
}

interface Looking {
  visitor: string;
  databases: readonly string[];
  look: (reader: Reader) => Promise<unknown>;
}

/**
 * The same look into these databases on further nodes, each over its own slow lane and in its own time: no lane is held
 * while another one is waited for. Never rejects for what a server does; gives what each node answered of a database.
 */
export async function lookElsewhere(
  others: readonly ProbedNode[],
  looking: Looking,
): Promise<(database: string) => NodeAnswer<unknown>[]> {
  const visits = await Promise.all(others.map((other) => visitOther(other, looking)));
  return (database) =>
    others.map((other, at) => {
      const visit = visits[at]?.find((one) => one.database === database);
      const role = other.probe ? roleOf(other.probe) : null;
      return { node: other.node.name, role, ...answerOf(other, visit) };
    });
}

async function visitOther({ node, probe }: ProbedNode, looking: Looking): Promise<Visit<unknown>[]> {
  const { visitor, databases, look } = looking;
  if (probe === null) return [];
  if (node.lane) return node.lane.visit(visitor, databases, look);
  // From a terminal, where one database was named.
  const { database } = probe;
  if (!databases.includes(database)) return [];
  try {
    return [{ database, outcome: 'seen', value: await look(node.reader) }];
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    return [{ database, outcome: 'failed', found: error.message, hint: error.hint ?? '' }];
  }
}

function answerOf({ error }: ProbedNode, visit: Visit<unknown> | undefined): { facts: unknown; error: string | null } {
  if (visit?.outcome === 'seen') return { facts: visit.value, error: null };
  if (visit?.outcome === 'failed') return { facts: null, error: visit.found };
  return { facts: null, error: error ?? 'not reached in the time of this check' };
}
