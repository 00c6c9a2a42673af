import { defineTargetJob, type NodeAnswer, type TargetContext } from '../src/detect/job.ts';

const thresholds = {} as const;

interface FailureMemory {
  /** Checks in a row in which a node did not answer. */
  failures: Record<string, number>;
}

type Answers = readonly NodeAnswer<null>[];
type Context = TargetContext<typeof thresholds, FailureMemory>;

const failuresInARow = 3;

export const targetUnreachable = defineTargetJob({
  name: 'target-unreachable',
  title: 'Nodes that do not answer',
  delivery: 'page',
  scope: 'target',
  schedule: '*/30 * * * * *',
  // Three failures in a row are a minute already.
  fire: { afterSeconds: 0 },
  clear: { factor: 1, samples: 1 },
  needs: 'any-login',
  thresholds,
  measures: {},
  gather: async () => null,
  remember(answers: Answers, before: FailureMemory | null): FailureMemory {
    const failed = answers.filter(({ role }) => role === null);
    return { failures: Object.fromEntries(failed.map(({ node }) => [node, (before?.failures[node] ?? 0) + 1])) };
  },
  judge(answers: Answers, { isProduction, memory }: Context) {
    const failed = answers.filter(({ role }) => role === null);
    const inARow = (node: string) => memory?.failures[node] ?? 1;
    const isDown = ({ node }: Answers[number]) => inARow(node) >= failuresInARow;
    return {
      findings: failed.filter(isDown).map(({ node, error }) => ({
        node,
        database: null,
        fingerprint: node,
        severity: isProduction ? ('critical' as const) : ('warning' as const),
        title: `node ${node} does not answer`,
        summary: `${error ?? 'No reason is known.'}\nWhat was found there before is neither worse nor resolved: nobody can look.`,
        subject: { kind: 'node' as const, name: node },
        facts: { error, unanswered: failed.length, nodes: answers.length },
        runbooks: [],
        impact: null,
      })),
      unjudged: failed
        .filter((one) => !isDown(one))
        .map(({ node, error }) => ({
          node,
          reason: `${error ?? 'it did not answer'}; an alert fires after ${failuresInARow} failures in a row`,
          remedy: 'See whether the server runs and lets this login in.',
        })),
    };
  },
});
