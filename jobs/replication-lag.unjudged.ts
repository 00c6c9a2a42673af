import type { Unjudged } from '../src/model.ts';
import type { Answers, headOf, Standby } from './replication-lag.standbys.ts';
import { unjudgedForBlindRole } from './shared/sessions.ts';

/** What the answers leave open, node by node: it resolves nothing. */
export function unjudgedStandbys(
  answers: Answers,
  { head, standbys }: { head: ReturnType<typeof headOf>; standbys: readonly Standby[] },
): Unjudged[] {
  return answers.flatMap(({ node, role, facts, error }) => {
    if (!role || !facts) {
      const isSeen = standbys.some(
        (one) => one.name === node && (one.upstream !== null || isEveryoneElseHere(answers)),
      );
      return isSeen && head ? [] : [unanswered(node, error)];
    }
    if (!role.seesAll) {
      const blind = unjudgedForBlindRole(role.login, 'who streams from here, and how far, is not judged');
      return [{ node, ...blind }];
    }
    if (!role.isStandby) return head ? [] : [{ node, ...severalPrimaries }];
    if (!head) return [{ node, ...noPrimary }];
    return role.systemIdentifier === head.systemIdentifier ? [] : [{ node, ...anotherCluster(head.node) }];
  });
}

/** Then nobody can have it listed but who said that they have not. */
function isEveryoneElseHere(answers: Answers): boolean {
  return answers.filter(({ facts }) => facts === null).length === 1;
}

function unanswered(node: string, error: string | null): Unjudged {
  const reason = `${error ?? 'it did not answer'}, so who streams from it or to it is not known`;
  return { node, reason, remedy: 'It is judged again when it answers.' };
}

const severalPrimaries = {
  reason: 'several nodes are out of recovery, so there is no one end of WAL to compare with',
  remedy: 'See node-roles: stop the one that is not the primary, or make each a target of its own.',
};

const noPrimary = {
  reason: 'no primary answers, so how much this standby has not received is not known',
  remedy: "Add the primary to the target's nodes, or see why it does not answer.",
};

function anotherCluster(primary: string): Omit<Unjudged, 'node'> {
  return {
    reason: `it has another system identifier than the primary ${primary}, so their WAL cannot be compared`,
    remedy: 'See node-roles: each cluster is a target of its own.',
  };
}
