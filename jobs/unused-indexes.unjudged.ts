import type { NodeAnswer } from '../src/detect/job.ts';
import type { Flavour, Unjudged } from '../src/model.ts';
import { unjudgedForBlindRole } from './shared/sessions.ts';
import { type Known, maxIndexes, type NodeFacts } from './unused-indexes.facts.ts';
import { findUnwatched } from './unused-indexes.standbys.ts';
import { type Window, windowDays } from './unused-indexes.window.ts';

interface Seen {
  /** The node that speaks for the cluster first. */
  known: readonly Known[];
  windows: readonly Window[];
  elsewhere: readonly NodeAnswer<NodeFacts>[];
  /** Of the one that speaks. */
  role: string;
  seesAll: boolean;
  flavour?: Flavour | null;
}

/** Why it cannot be said of an index that nobody uses it, though nobody was seen to. Pure. */
export function unjudgedUse({ known, windows, elsewhere, role, seesAll, flavour }: Seen): Unjudged[] {
  const hasSenders = known.some(({ facts }) => facts.server.senders.length > 0);
  const isOfAnother = ({ facts }: Known) => facts.server.systemIdentifier !== known[0]?.facts.server.systemIdentifier;
  const unwatched = seesAll ? findUnwatched(known) : [];
  return [
    ...(known[0]?.isStandby ? [onlyStandby] : []),
    ...elsewhere.filter(({ facts }) => facts === null).map(unanswered),
    ...known.filter(isOfAnother).map(({ node }) => anotherCluster(node)),
    ...(hasSenders && !seesAll ? [unjudgedForBlindRole(role, 'which standbys there are is not known')] : []),
    ...(flavour === 'aurora' && hidesReaders(known[0]) ? [unknownReaders] : []),
    ...unwatched.map(unwatchedStandby),
    ...known.filter(({ facts }) => !facts.server.isCounting).map(({ node }) => notCounting(node)),
    ...unseen(windows.filter(({ isFull }) => !isFull)),
  ];
}

export const unjudgedRest: Unjudged = {
  reason: `only the ${maxIndexes} largest indexes were looked at`,
  remedy: "Raise the job's minBytes.",
};

/** Also where Aurora was known by something else than its functions: then they were not asked. */
function hidesReaders(speaker: Known | undefined): boolean {
  return speaker === undefined || !speaker.facts.server.isAurora || speaker.facts.server.hidesReaders;
}

const unknownReaders: Unjudged = {
  reason: 'Aurora does not tell this login what readers there are, and each counts for itself',
  remedy: 'Let it call aurora_replica_status().',
};

const onlyStandby: Unjudged = {
  reason: 'only a standby is watched, and each node counts for itself how often it scans an index',
  remedy: "Add the primary and all standbys to the target's nodes.",
};

function unanswered({ node, error }: NodeAnswer<NodeFacts>): Unjudged {
  return {
    reason: `${node} did not say how often it scans an index: ${error ?? 'no answer'}`,
    remedy: 'It is judged again when all nodes answer.',
  };
}

function anotherCluster(node: string): Unjudged {
  return {
    reason: `${node} is of another cluster, by its system identifier: what it counts says nothing of these indexes`,
    remedy: 'See node-roles: each cluster is a target of its own.',
  };
}

function unwatchedStandby(name: string): Unjudged {
  return {
    reason: `queries on the standby ${name}, are not known: it is not among the nodes`,
    remedy: "Add it to the target's nodes in the configuration.",
  };
}

function notCounting(node: string): Unjudged {
  return {
    reason: `${node} counts no scans: track_counts is off`,
    remedy: 'alter system set track_counts = on; select pg_reload_conf();',
  };
}

/** One line for each reason, with all nodes that it is true of. */
function unseen(windows: readonly Window[]): Unjudged[] {
  const isYoung = ({ reachDays, source }: Window) => source === 'server' || reachDays < windowDays - 1;
  const [young, torn] = [windows.filter(isYoung), windows.filter((window) => !isYoung(window))];
  const days = (window: Window) => `${window.node}: ${Math.floor(Math.min(window.seenDays, window.reachDays))}`;
  return [
    ...(young.length === 0
      ? []
      : [
          {
            reason: `too little is known of the last ${windowDays} days; days known of ${young.map(days).join(', of ')}`,
            remedy:
              young[0]?.source === 'server'
                ? 'The service keeps samples and judges by them; from a terminal, ask again later.'
                : `It is judged once ${windowDays} days are known.`,
          },
        ]),
    ...(torn.length === 0
      ? []
      : [
          {
            reason: `resets of the statistics, or looks that were missed, leave too much of the last ${windowDays} days unseen, or the end of the month; days known of ${torn.map(days).join(', of ')}`,
            remedy: 'Reset statistics less often, or right after this look; it is judged once enough is known.',
          },
        ]),
  ];
}
