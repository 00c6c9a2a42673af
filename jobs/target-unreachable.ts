import { defineTargetJob, type TargetContext, type TargetJudged } from '../src/detect/job.ts';
import type { Unjudged } from '../src/model.ts';
import {
  type Answers,
  type FailureMemory,
  failuresInARow,
  findOutage,
  type Outage,
  rememberFailures,
} from './target-unreachable.outage.ts';

const thresholds = {} as const;

type Context = TargetContext<typeof thresholds, FailureMemory>;

export const targetUnreachable = defineTargetJob({
  name: 'target-unreachable',
  title: 'Nodes that do not answer',
  delivery: 'page',
  scope: 'target',
  // More than half of all targets at once are one trouble, and its own.
  seesAllTargets: true,
  schedule: '*/30 * * * * *',
  // Three failures in a row are a minute already.
  fire: { afterSeconds: 0 },
  clear: { factor: 1, samples: 1 },
  needs: 'any-login',
  thresholds,
  measures: {},
  gather: async () => null,
  remember: rememberFailures,
  judge(answers: Answers, context: Context) {
    const failed = answers.filter(({ role }) => role === null);
    const inARow = (node: string) => context.memory?.failures[node] ?? 1;
    const isDown = ({ node }: Answers[number]) => inARow(node) >= failuresInARow;
    const outage = findOutage(answers, context);
    if (outage && failed.every(isDown)) return judgeOutage(outage, failed);
    return {
      findings: failed.filter(isDown).map((one) => judgeNode(one, { failed, answers, context })),
      unjudged: failed.filter((one) => !isDown(one)).map(unjudgedYet),
    };
  },
});

function judgeNode(
  { node, error }: Answers[number],
  { failed, answers, context }: { failed: Answers; answers: Answers; context: Context },
): TargetJudged {
  return {
    node,
    database: null,
    fingerprint: node,
    severity: context.isProduction ? 'critical' : 'warning',
    title: `node ${node} does not answer`,
    summary: `${error ?? 'No reason is known.'}\nWhat was found there before is neither worse nor resolved: nobody can look.`,
    subject: { kind: 'node', name: node },
    facts: { error, unanswered: failed.length, nodes: answers.length },
    runbooks: [],
    impact: null,
  };
}

function unjudgedYet({ node, error }: Answers[number]): Unjudged {
  return {
    node,
    reason: `${error ?? 'it did not answer'}; an alert fires after ${failuresInARow} failures in a row`,
    remedy: 'See whether the server runs and lets this login in.',
  };
}

const mostNamed = 10;

/** One target tells it for all: the others say that they are told there. */
function judgeOutage(
  { own, silent, total }: Outage,
  failed: Answers,
): { findings: TargetJudged[]; unjudged: Unjudged[] } {
  const [speaker = own] = silent;
  const remedy = "See pgorderly's own host: its network, its DNS, what lies between it and the servers.";
  const [first] = failed;
  if (own !== speaker || !first) {
    const reason = `more than half of all targets do not answer, which is told once, on ${speaker}`;
    return { findings: [], unjudged: failed.map(({ node }) => ({ node, reason, remedy })) };
  }
  const named = silent.slice(0, mostNamed).join(', ');
  const more = silent.length > mostNamed ? ` and ${silent.length - mostNamed} more` : '';
  const finding: TargetJudged = {
    node: first.node,
    database: null,
    fingerprint: 'most targets',
    severity: 'critical',
    title: "more than half of all targets do not answer: see pgorderly's own network",
    summary: [
      `${silent.length} of ${total} targets: ${named}${more}.`,
      `Here: ${first.error ?? 'no reason is known.'}`,
      `${remedy} While this lasts none of them is told by itself, and what was found on them is neither worse nor resolved.`,
    ].join('\n'),
    subject: { kind: 'server', name: 'pgorderly' },
    facts: { silent: silent.slice(0, mostNamed), unanswered: silent.length, targets: total, error: first.error },
    runbooks: [],
    impact: { what: 'nothing is watched there', etaSeconds: null },
  };
  return { findings: [finding], unjudged: [] };
}
