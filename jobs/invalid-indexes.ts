import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Offer, Unjudged } from '../src/model.ts';
import { indexParams } from './shared/relations.ts';
import { inBytes } from './shared/sizes.ts';

/** One row of invalid-indexes.sql. */
export interface InvalidIndex {
  oid: number;
  schema: string;
  name: string;
  file: string;
  /** Of its own table, as text: that of TOAST has one too. */
  tableOid: string;
  /** As SQL writes it, with its schema; so are `table` and `twin`. */
  qualified: string;
  table: string;
  sizeBytes: number;
  /** Named as REINDEX CONCURRENTLY names its new or its old one. A name alone proves nothing: anybody may choose it. */
  isNamedNew: boolean;
  isNamedOld: boolean;
  /** Written to by every insert. */
  isReady: boolean;
  /** False once a concurrent drop has begun its end. */
  isLive: boolean;
  isUnique: boolean;
  isReplicaIdentity: boolean;
  isExclusion: boolean;
  servesConstraint: boolean;
  /** Of a partition, attached to the parent's. */
  isPartition: boolean;
  /** A build, rebuild or drop is under way. */
  isBusy: boolean;
  /** A valid index that is the same in all but its name. */
  twin: string | null;
}

type Context = JudgeContext<Record<never, never>>;

const maxRows = 1_000;

export const invalidIndexes = defineJob({
  name: 'invalid-indexes',
  title: 'Indexes that no query can use',
  delivery: 'page',
  scope: 'database',
  schedule: '0 */10 * * * *',
  fire: { afterSeconds: 3_600 },
  clear: { factor: 1, samples: 1 },
  needs: 'any-login',
  thresholds: {},
  measures: {},
  judge(indexes: readonly InvalidIndex[], { node }: Context) {
    // Locks and progress are those of the primary's sessions, which a standby does not show.
    if (node.isStandby && indexes.length > 0) return { findings: [], unjudged: [unjudgedOnStandby(indexes.length)] };
    return {
      findings: indexes.filter(({ isBusy }) => !isBusy).map(judgeIndex),
      lingering: indexes.filter(({ isBusy }) => isBusy).map(judgeIndex),
      unjudged: indexes.length < maxRows ? [] : [unjudgedRest],
    };
  },
});

function unjudgedOnStandby(count: number): Unjudged {
  return {
    reason: `${count} invalid: a standby does not show whether they are being built or were left behind`,
    remedy: "Add the primary to the target's nodes.",
  };
}

const unjudgedRest: Unjudged = {
  reason: `only the first ${maxRows} invalid indexes were looked at`,
  remedy: 'Drop or rebuild these; the others are told after them.',
};

interface Verdict {
  state: 'failed-rebuild' | 'replaced' | 'has-twin' | 'needed' | 'unfinished';
  advice: 'drop' | 'rebuild' | 'decide';
  /** Reads on from "index … is invalid: ". */
  what: string;
  todo: string;
}

function judgeIndex(index: InvalidIndex): Judged {
  const { schema, name, oid, table, qualified, sizeBytes, twin, isUnique, isReady } = index;
  const { state, advice, what, todo } = classify(index);
  return {
    database: null,
    fingerprint: qualified,
    severity: 'warning',
    title: `index ${qualified} is invalid: ${what}`,
    summary: `${costOf(index)}\n${todo}`,
    subject: { kind: 'index', schema, name, oid, table },
    facts: { state, advice, table, sizeBytes, twin, isEnforced: isUnique && isReady, isReady, isLive: index.isLive },
    runbooks: offersFor(index, advice),
    impact: null,
  };
}

/** None where it is for a person to decide, nor where the server would refuse to rebuild it beside its use. */
function offersFor(index: InvalidIndex, advice: Verdict['advice']): Offer[] {
  const { qualified, table, twin, sizeBytes, isExclusion } = index;
  if (advice === 'drop') {
    const does = `frees ${inBytes(sizeBytes)}, which no query uses; nothing is lost: ${twin} is the same and valid.`;
    return [{ name: 'drop-invalid-index', params: { ...indexParams(index), least_twins: '1' }, does }];
  }
  if (advice === 'decide' || isExclusion) return [];
  const does = `builds ${qualified} anew, so that queries can use it again; nothing is lost, and ${table} is read and written meanwhile.`;
  return [{ name: 'reindex-index-concurrently', params: indexParams(index), does }];
}

/** By what the catalog proves; the name only tells which of two stories a twin belongs to. */
function classify(index: InvalidIndex): Verdict {
  const { qualified, twin, isNamedNew, isNamedOld, isExclusion } = index;
  const drop = `drop index concurrently ${qualified};`;
  const rebuild = isExclusion
    ? `reindex index ${qualified}; -- locks writers out: one of an exclusion constraint is not rebuilt concurrently`
    : `reindex index concurrently ${qualified};`;
  const need = needOf(index);
  if (need)
    return { state: 'needed', advice: 'rebuild', what: need, todo: `Rebuild it, and never drop it: ${rebuild}` };
  if (twin && isNamedOld) {
    const todo = `The rebuild has succeeded: ${twin} is in use. Drop what it replaced: ${drop}`;
    return {
      state: 'replaced',
      advice: 'drop',
      what: 'a rebuild has replaced it and was stopped before its end',
      todo,
    };
  }
  if (twin && isNamedNew) {
    const todo = `${twin} is still in use, as it was before. Drop what is left, then rebuild anew if need be: ${drop}`;
    return { state: 'failed-rebuild', advice: 'drop', what: 'a rebuild was stopped half-way and left it', todo };
  }
  if (twin)
    return { state: 'has-twin', advice: 'drop', what: `${twin} is the same and valid`, todo: `Drop it: ${drop}` };
  const todo = `If it is wanted, rebuild it: ${rebuild} If not, drop it: ${drop}`;
  return { state: 'unfinished', advice: 'decide', what: 'a concurrent build or drop of it did not finish', todo };
}

function needOf({ servesConstraint, isReplicaIdentity, isPartition }: InvalidIndex): string | null {
  if (servesConstraint) return 'a constraint stands on it';
  if (isReplicaIdentity) return 'it is the replica identity of its table';
  return isPartition ? 'it belongs to the index of its partitioned table, which stays invalid with it' : null;
}

function costOf({ table, sizeBytes, isReady, isLive, isUnique }: InvalidIndex): string {
  const size = `${inBytes(sizeBytes)} on ${table}.`;
  if (!isLive) return `${size} No query uses it and no write keeps it up: a drop was stopped just before its end.`;
  if (!isReady) return `${size} No query uses it, and no write keeps it up.`;
  const enforced = isUnique ? ' It still refuses duplicate values, so dropping it would let them in.' : '';
  return `${size} No query uses it, and every write to the table still pays for it.${enforced}`;
}
