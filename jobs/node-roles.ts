import type { TargetJudged } from '../src/detect/job.ts';
import { defineTargetJob, type NodeAnswer, type NodeRole, type TargetContext } from '../src/detect/job.ts';
import type { Unjudged } from '../src/model.ts';
import { isAuroraReader } from './shared/aurora.ts';

const thresholds = {
  timelineSeconds: {
    default: 300,
    unit: 'seconds',
    about: 'A standby may take so long to follow a promotion to the new timeline.',
  },
} as const;

interface Member extends NodeRole {
  node: string;
}

interface RoleMemory {
  at: number;
  /** Since when each standby is on an older timeline than the primary; 0 where that was so at the first look. */
  behindSince: Record<string, number>;
}

type Answers = readonly NodeAnswer<null>[];
type Context = TargetContext<typeof thresholds, RoleMemory>;

export const nodeRoles = defineTargetJob({
  name: 'node-roles',
  title: 'Nodes that disagree about which one is the primary',
  delivery: 'page',
  scope: 'target',
  schedule: '*/30 * * * * *',
  fire: { afterSeconds: 30 },
  clear: { factor: 1, samples: 2 },
  needs: 'any-login',
  thresholds,
  measures: {},
  // What each server says of itself comes with every answer.
  gather: async () => null,
  remember(answers: Answers, before: RoleMemory | null, now: Date): RoleMemory {
    const at = Math.round(now.getTime() / 1000);
    const members = membersOf(answers);
    const behind = behindOn(members).map(({ node }) => [node, before?.behindSince[node] ?? (before ? at : 0)] as const);
    return { at, behindSince: Object.fromEntries(behind) };
  },
  judge(answers: Answers, { thresholds: limits, memory }: Context) {
    const members = membersOf(answers);
    const lateSeconds = (node: string) => (memory ? memory.at - (memory.behindSince[node] ?? memory.at) : 0);
    const late = behindOn(members).filter(({ node }) => lateSeconds(node) >= limits.timelineSeconds);
    const findings = [
      ...judgeIdentities(members),
      ...judgePrimaries(members, answers.length),
      ...judgeTimelines(members, late),
    ];
    return { findings, unjudged: [...unanswered(answers), ...unjudgedPrimary(members, answers)] };
  },
});

function membersOf(answers: Answers): Member[] {
  return answers.flatMap(({ node, role }) => (role ? [{ node, ...role }] : []));
}

function judgeIdentities(members: readonly Member[]): TargetJudged[] {
  const [first] = members;
  if (!first || new Set(members.map(({ systemIdentifier }) => systemIdentifier)).size < 2) return [];
  const title = 'the nodes of this target belong to different clusters';
  const list = members.map(({ node, systemIdentifier }) => `${node} ${systemIdentifier}`).join(', ');
  return [finding('system-identifiers', first.node, { title, what: `System identifiers: ${list}.`, members })];
}

function judgePrimaries(members: readonly Member[], configured: number): TargetJudged[] {
  const primaries = members.filter(({ isStandby }) => !isStandby);
  const [first, second] = primaries;
  if (first && second) {
    const title = `${primaries.map(({ node }) => node).join(' and ')} are both out of recovery`;
    const what =
      'Each takes writes that the other does not get. Stop the one that is not the primary; until then every runbook is refused here.';
    return [finding('two-primaries', first.node, { title, what, members })];
  }
  const [standby] = members;
  // Aurora makes any of its instances the writer, one that isn't configured too.
  if (members.every(isAuroraReader)) return [];
  // A primary that does not answer is told by target-unreachable, and one that isn't configured can't be.
  if (first || !standby || members.length < configured || configured < 2) return [];
  const what = 'Nothing can be written until one of them is promoted, or the primary is back.';
  return [finding('no-primary', standby.node, { title: 'no node is the primary: all are in recovery', what, members })];
}

/** A newer timeline than the primary's is another history; an older one is a standby that has not followed. */
function judgeTimelines(members: readonly Member[], late: readonly Member[]): TargetJudged[] {
  const primary = primaryOf(members);
  if (!primary) return [];
  const others = members.filter(({ systemIdentifier }) => systemIdentifier === primary.systemIdentifier);
  const strays = [...others.filter(({ timeline }) => timeline > primary.timeline), ...late];
  return strays.map(({ node, timeline }) => {
    const title = `standby ${node} is on timeline ${timeline}, the primary ${primary.node} on ${primary.timeline}`;
    const what =
      timeline > primary.timeline
        ? 'It follows another history than the primary: one of the two has to be rebuilt from the other.'
        : 'It has not followed the last promotion: see its log; pg_rewind or a new base backup mends it.';
    return finding(`timeline ${node}`, node, { title, what, members });
  });
}

function primaryOf(members: readonly Member[]): Member | null {
  const primaries = members.filter(({ isStandby }) => !isStandby);
  return primaries.length === 1 ? (primaries[0] ?? null) : null;
}

function behindOn(members: readonly Member[]): Member[] {
  const primary = primaryOf(members);
  if (!primary) return [];
  return members.filter(
    ({ systemIdentifier, timeline }) => systemIdentifier === primary.systemIdentifier && timeline < primary.timeline,
  );
}

function finding(
  fingerprint: string,
  node: string,
  { title, what, members }: { title: string; what: string; members: readonly Member[] },
): TargetJudged {
  const lines = members.map(
    (one) => `${one.node}  ${one.isStandby ? 'standby' : 'primary'}  timeline ${one.timeline}  ${one.systemIdentifier}`,
  );
  return {
    node,
    database: null,
    fingerprint,
    severity: 'critical',
    title,
    summary: what,
    evidence: lines.join('\n'),
    subject: { kind: 'node', name: node },
    facts: { roles: members.map(({ node: name, isStandby, timeline }) => ({ node: name, isStandby, timeline })) },
    runbooks: [],
    impact: null,
  };
}

function unanswered(answers: Answers): Unjudged[] {
  return answers.flatMap(({ node, role, error }) => {
    if (role) return [];
    const reason = `${error ?? 'it did not answer'}, so its role is not known`;
    // Without a node: whether there is one primary is a matter of all.
    return [{ reason: `${node}: ${reason}`, remedy: 'It is judged again when it answers.' }];
  });
}

function unjudgedPrimary(members: readonly Member[], answers: Answers): Unjudged[] {
  const [only] = members;
  if (only && members.length === answers.length && members.every(isAuroraReader))
    return [
      {
        reason: `${members.map(({ node }) => node).join(', ')}: only Aurora readers are configured, so whether there is one writer is not judged`,
        remedy: "Add the cluster's writer endpoint to the target's nodes.",
      },
    ];
  if (answers.length > 1 || !only?.isStandby) return [];
  return [
    {
      reason: `${only.node} is a standby, and no other node is configured: whether there is one primary is not judged`,
      remedy: "Add the primary to the target's nodes.",
    },
  ];
}
