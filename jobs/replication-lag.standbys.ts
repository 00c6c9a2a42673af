import type { NodeAnswer } from '../src/detect/job.ts';

/** WAL positions are bytes since the beginning of all WAL. */
export interface Sender {
  application: string | null;
  /** Address; null for a unix socket. */
  client: string | null;
  state: string | null;
  slot: string | null;
  isLogical: boolean;
  sent: number | null;
  flushed: number | null;
  /** Null for one that only receives, as pg_receivewal. */
  replayed: number | null;
  replayLagSeconds: number | null;
}

/** The one row of replication-lag.position.sql. */
export interface Position {
  /** Of a primary. */
  written: number | null;
  received: number | null;
  replayed: number | null;
  isPaused: boolean;
  delaySeconds: number;
  /** Since the last transaction that was replayed was committed; grows on an idle primary too. */
  replayAgeSeconds: number | null;
  hasArchive: boolean;
  hasReceiver: boolean;
  /** Null for a login that may not see it. */
  receiverStatus: string | null;
  silentSeconds: number | null;
  slot: string | null;
  application: string | null;
}

export interface NodeFacts {
  position: Position;
  senders: Sender[];
}

export type Answers = readonly NodeAnswer<NodeFacts>[];

/** A standby, by what it says itself, by what the node it streams from says of it, or both. */
export interface Standby {
  /** The configured node, or how its upstream lists it. */
  name: string;
  isConfigured: boolean;
  /** Which node's answer it is known by. */
  node: string;
  /** The node that it streams from, where one of the target's lists it. */
  upstream: string | null;
  sent: number | null;
  received: number | null;
  replayed: number | null;
  replayLagSeconds: number | null;
  /** What only itself knows; null for one that did not answer. */
  position: Position | null;
}

/** How a standby was listed by its upstream when it was looked at last. */
export type Listing = Pick<Position, 'slot' | 'application'>;

interface Listed extends Sender {
  upstream: string;
}

/** The primary's end of WAL: the measure for all. Null unless exactly one primary answered. */
export function headOf(answers: Answers): { node: string; written: number; systemIdentifier: string } | null {
  const heads = answers.flatMap(({ node, role, facts }) => {
    const written = facts?.position.written ?? null;
    return role && !role.isStandby && written !== null
      ? [{ node, written, systemIdentifier: role.systemIdentifier }]
      : [];
  });
  return heads.length === 1 ? (heads[0] ?? null) : null;
}

/**
 * All standbys that can be known of. Nobody says which node is behind which entry of a sender's list: a slot's name
 * tells, else the application name; of several with the same one it doesn't matter which, they are only not counted twice.
 */
export function findStandbys(answers: Answers, known: Readonly<Record<string, Listing>>): Standby[] {
  const listed = answers.flatMap(({ node, facts }) =>
    (facts?.senders ?? []).filter(isPhysical).map((sender): Listed => ({ ...sender, upstream: node })),
  );
  const taken = new Set<Listed>();
  const take = (node: string, by: Listing): { one: Listed | null; isCertain: boolean } => {
    const ofSlot = listed.filter(({ slot }) => slot !== null && slot === by.slot);
    const ofName = listed.filter(({ application }) => application !== null && application === by.application);
    const fitting = (ofSlot.length > 0 ? ofSlot : ofName).filter(({ upstream }) => upstream !== node);
    const one = fitting.find((each) => !taken.has(each)) ?? null;
    if (one) taken.add(one);
    return { one, isCertain: fitting.length === 1 };
  };
  const configured = [...answers]
    // Those that say for themselves what they are called come first.
    .sort((a, b) => Number(a.facts === null) - Number(b.facts === null))
    .flatMap((answer) => describeNode(answer, known[answer.node], take) ?? []);
  return [...configured, ...listed.filter((one) => !taken.has(one)).map(describeStranger)];
}

function isPhysical({ isLogical, sent }: Sender): boolean {
  // Without pg_monitor the figures are hidden.
  return !isLogical && sent !== null;
}

type Take = (node: string, by: Listing) => { one: Listed | null; isCertain: boolean };

function describeNode({ node, role, facts }: Answers[number], known: Listing | undefined, take: Take): Standby | null {
  const base = { name: node, isConfigured: true, node };
  if (role && facts) {
    if (!role.isStandby) return null;
    const { position } = facts;
    const { one, isCertain } = take(node, position);
    const { received, replayed } = position;
    const sure = isCertain ? one : null;
    const ofUpstream = { sent: sure?.sent ?? null, replayLagSeconds: sure?.replayLagSeconds ?? null };
    return { ...base, upstream: one?.upstream ?? null, ...ofUpstream, received, replayed, position };
  }
  if (!known) return null;
  const { one } = take(node, known);
  return { ...base, ...seenFrom(one) };
}

function describeStranger(sender: Listed): Standby {
  const { application, client, slot, upstream } = sender;
  const called = application || slot || 'without a name';
  const name = client === null ? called : `${called} at ${client}`;
  return { name, isConfigured: false, node: upstream, ...seenFrom(sender) };
}

function seenFrom(one: Listed | null): Omit<Standby, 'name' | 'isConfigured' | 'node'> {
  return {
    upstream: one?.upstream ?? null,
    sent: one?.sent ?? null,
    received: one?.flushed ?? null,
    replayed: one?.replayed ?? null,
    replayLagSeconds: one?.replayLagSeconds ?? null,
    position: null,
  };
}
