import { PgorderlyError } from '../errors.ts';
import type { Coverage, Unjudged } from '../model.ts';
import type { Probe, Reader } from '../targets/reader.ts';
import type { Visit } from '../targets/slow-lane.ts';
import { type BlindDatabase, groupBlind } from './blind-databases.ts';
import { lookElsewhere, type ProbedNode } from './elsewhere.ts';
import type { AnyPlaceJob } from './job.ts';
import { type CheckNode, type Judge, type Judgement, type Seen, sawNothing } from './seen.ts';
import { readStatement } from './statements.ts';

/** A catalog with a hundred thousand relations takes longer to read than who waits for whom. */
const statementTimeoutMs = 5_000;

interface Place {
  nodes: readonly CheckNode[];
  isChosen: (database: string) => boolean;
  thresholds: Record<string, number>;
}

/** Looks into each chosen database, once for the whole cluster: on its primary, or on the one node that there is. */
export async function checkDatabases(
  job: AnyPlaceJob,
  { nodes, isChosen, thresholds }: Place,
  judge: Judge,
): Promise<Seen> {
  const seen = sawNothing();
  const answers = await Promise.all(nodes.map((node) => probeNode(node)));
  for (const { node, probe } of answers) if (probe) seen.probes.set(node.name, probe);
  const speaker = chooseSpeaker(answers);
  if ('reason' in speaker) {
    seen.errors.push(...answers.flatMap(({ node, error }) => (error === null ? [] : `${node.name}: ${error}`)));
    if (seen.probes.size > 0) seen.unjudged.push(speaker);
    return seen;
  }
  const others = job.isAskedEverywhere ? answers.filter(({ node }) => node !== speaker.node) : [];
  try {
    await (speaker.node.lane
      ? visitAll({ job, thresholds, judge, isChosen, seen, others }, speaker)
      : visitOwn({ job, thresholds, judge, seen, others }, speaker));
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    seen.errors.push(`${speaker.node.name}: ${error.message}`);
  }
  return seen;
}

interface Speaker {
  node: CheckNode;
  probe: Probe;
}

async function probeNode(node: CheckNode): Promise<ProbedNode> {
  try {
    return { node, probe: await node.reader.probe(), error: null };
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    return { node, probe: null, error: error.message };
  }
}

/** Catalogs are the same on all nodes of a cluster: the primary's are asked, so that nothing is found twice. */
function chooseSpeaker(answers: readonly ProbedNode[]): Speaker | Unjudged {
  const known = answers.flatMap(({ node, probe }) => (probe ? [{ node, probe }] : []));
  const primaries = known.filter(({ probe }) => !probe.inRecovery);
  const [primary] = primaries;
  const [only] = answers.length === 1 ? known : [];
  if (primaries.length > 1)
    return {
      reason: `${primaries.map(({ node }) => node.name).join(' and ')} are both out of recovery: which one is the cluster cannot be told`,
      remedy: 'Stop the one that is not the primary, or make each a target of its own.',
    };
  return (
    primary ??
    only ?? {
      reason: 'no node that answers is the primary',
      remedy: "Its nodes in the configuration must have the primary among them; see target's nodes.",
    }
  );
}

interface Look {
  job: AnyPlaceJob;
  thresholds: Record<string, number>;
  judge: Judge;
  seen: Seen;
  /** The other nodes, where they are to be asked too. */
  others: readonly ProbedNode[];
}

async function visitAll(
  { job, thresholds, judge, isChosen, seen, others }: Look & { isChosen: (database: string) => boolean },
  { node, probe }: Speaker,
): Promise<void> {
  const all = await node.reader.databases(probe.flavour);
  const chosen = all.filter(({ name }) => isChosen(name));
  const open = chosen.filter(({ mayConnect }) => mayConnect).map(({ name }) => name);
  const look = (reader: Reader) => gather({ job, thresholds }, reader);
  const [looks = [], elsewhere] = await Promise.all([
    node.lane?.visit(job.name, open, look),
    lookElsewhere(others, { visitor: job.name, databases: open, look }),
  ]);
  const visits = looks.map((visit): Visit<Judgement> => {
    if (visit.outcome !== 'seen') return visit;
    const { database, value } = visit;
    return { ...visit, value: judge(value, { node, probe, database, elsewhere: elsewhere(database) }) };
  });
  const blind: BlindDatabase[] = [
    ...chosen.filter(({ mayConnect }) => !mayConnect).map(({ name }) => barred(name, probe.role)),
    ...visits.flatMap(blindnessOf),
  ];
  for (const visit of visits) if (visit.outcome === 'seen') add(seen, visit.value);
  seen.unjudged.push(...groupBlind(blind, chosen.length).map((one) => ({ node: node.name, ...one })));
  const except = [...new Set([...blind.map(({ database }) => database), ...unchosen(all, isChosen)])];
  seen.covered.push({ node: null, databases: { except } } satisfies Coverage);
}

/** Over the one warm connection: from a terminal, where one database was named. */
async function visitOwn({ job, thresholds, judge, seen, others }: Look, { node, probe }: Speaker): Promise<void> {
  const { database } = probe;
  const look = (reader: Reader) => gather({ job, thresholds }, reader);
  const [facts, elsewhere] = await Promise.all([
    look(node.reader),
    lookElsewhere(others, { visitor: job.name, databases: [database], look }),
  ]);
  const judged = judge(facts, { node, probe, database, elsewhere: elsewhere(database) });
  add(seen, judged);
  seen.unjudged.push(...judged.unjudged);
  const only = judged.unjudged.length > 0 ? [] : [database];
  if (only.length > 0) seen.covered.push({ node: null, databases: { only } });
}

async function gather({ job, thresholds }: Pick<Look, 'job' | 'thresholds'>, reader: Reader): Promise<unknown> {
  const ask = (statement?: string, params?: readonly unknown[]) =>
    reader.ask(readStatement(job.name, statement), params, { statementTimeoutMs });
  return job.gather ? await job.gather(ask, thresholds, async () => []) : await ask();
}

function add(seen: Seen, { findings, lingering, samples }: Judgement): void {
  seen.databases = (seen.databases ?? 0) + 1;
  seen.samples.push(...samples);
  seen.findings.push(...findings);
  seen.lingering.push(...lingering);
}

function unchosen(all: readonly { name: string }[], isChosen: (database: string) => boolean): string[] {
  return all.map(({ name }) => name).filter((name) => !isChosen(name));
}

function barred(database: string, role: string): BlindDatabase {
  return { database, reason: `the role ${role} may not connect`, grant: { on: 'connect', role } };
}

function blindnessOf(visit: Visit<Judgement>): BlindDatabase[] {
  const { database, outcome } = visit;
  switch (outcome) {
    case 'seen':
      return visit.value.unjudged.map(({ reason, remedy }) => ({ database, reason, remedy }));
    case 'failed':
      return [{ database, reason: visit.found, remedy: visit.hint }];
    case 'unreached':
      return [
        { database, reason: 'not reached in the time of this check', remedy: 'It comes first at the next check.' },
      ];
  }
}
