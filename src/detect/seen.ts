import type { Coverage, Finding, Storm, Unjudged } from '../model.ts';
import type { Probe, Reader } from '../targets/reader.ts';
import type { SlowLane } from '../targets/slow-lane.ts';
import type { PlacedSample } from './history.ts';
import type { NodeAnswer, NodeRole } from './job.ts';

export interface CheckNode {
  name: string;
  reader: Reader;
  /** To look into every database; without it only the reader's own is seen. */
  lane?: SlowLane;
}

/** What a job's judge said of one place. */
export interface Judgement {
  findings: Finding[];
  lingering: Finding[];
  unjudged: Unjudged[];
  storms: (Storm & { node: string })[];
  samples: PlacedSample[];
}

export interface JudgedPlace {
  node: CheckNode;
  probe: Probe;
  database: string;
  /** Of the other nodes, for a job that asks them too. */
  elsewhere?: readonly NodeAnswer<unknown>[];
}

export interface Judge {
  (facts: unknown, at: JudgedPlace): Judgement;
  /** What it means that a node refused the connection, by SQLSTATE. */
  refusal(sqlState: string | null, node: CheckNode): Finding | null;
}

/** What a job's judge said of a target, by the answers of its nodes. */
export type JudgeWhole = (answers: readonly NodeAnswer<unknown>[], now: Date) => Judgement;

/** What a check saw on all places together. */
export interface Seen extends Judgement {
  errors: string[];
  covered: Coverage[];
  probes: Map<string, Probe>;
  /** How many were looked into; null for a job that doesn't look into each. */
  databases: number | null;
}

export function roleOf(probe: Probe): NodeRole {
  const { inRecovery: isStandby, systemIdentifier, timeline, role: login, seesAll, flavour } = probe;
  return { isStandby, systemIdentifier, timeline, login, seesAll, flavour };
}

export function sawNothing(): Seen {
  return {
    findings: [],
    lingering: [],
    unjudged: [],
    storms: [],
    samples: [],
    errors: [],
    covered: [],
    probes: new Map(),
    databases: null,
  };
}
