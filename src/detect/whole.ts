import { PgorderlyError } from '../errors.ts';
import type { Coverage, Unjudged } from '../model.ts';
import type { Probe } from '../targets/reader.ts';
import type { AnyTargetJob, NodeAnswer } from './job.ts';
import { type CheckNode, type JudgeWhole, roleOf, type Seen, sawNothing } from './seen.ts';
import { readStatement } from './statements.ts';

/** Asks each node at once, on its warm connection, and judges what they said together. */
export async function checkWhole(job: AnyTargetJob, nodes: readonly CheckNode[], judge: JudgeWhole): Promise<Seen> {
  const seen = sawNothing();
  const asked = await Promise.all(nodes.map((node) => askNode(job, node)));
  for (const { answer, probe } of asked) {
    if (probe) seen.probes.set(answer.node, probe);
    if (answer.error !== null) seen.errors.push(`${answer.node}: ${answer.error}`);
  }
  const answers = asked.map(({ answer }) => answer);
  const judged = judge(answers, clockOf([...seen.probes.values()]));
  return { ...seen, ...judged, covered: coverageOf(answers, judged.unjudged) };
}

interface Asked {
  answer: NodeAnswer<unknown>;
  probe: Probe | null;
}

async function askNode(job: AnyTargetJob, { name, reader }: CheckNode): Promise<Asked> {
  const asked: Asked = { answer: { node: name, role: null, facts: null, error: null }, probe: null };
  try {
    const probe = await reader.probe();
    asked.probe = probe;
    const role = roleOf(probe);
    asked.answer.role = role;
    const ask = (statement?: string, params?: readonly unknown[]) =>
      reader.ask(readStatement(job.name, statement), params);
    asked.answer.facts = job.gather ? await job.gather(ask, role) : await ask();
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    asked.answer.error = error.message;
  }
  return asked;
}

function clockOf(probes: readonly Probe[]): Date {
  return (probes.find(({ inRecovery }) => !inRecovery) ?? probes[0])?.serverNow ?? new Date();
}

/** Where nobody answered, nothing was looked at, whatever the judge makes of it. */
function coverageOf(answers: readonly NodeAnswer<unknown>[], unjudged: readonly Unjudged[]): Coverage[] {
  const databases = { except: [] };
  if (answers.every(({ role }) => role === null)) return [];
  if (unjudged.length === 0) return [{ node: null, databases }];
  if (unjudged.some(({ node }) => node === undefined)) return [];
  const blind = new Set(unjudged.map(({ node }) => node));
  return answers.filter(({ node }) => !blind.has(node)).map(({ node }) => ({ node, databases }));
}
