import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Offer, Unjudged } from '../src/model.ts';
import { type IndexRow, planDrops, type Redundancy } from './duplicate-indexes.plan.ts';
import { indexParams } from './shared/relations.ts';
import { inBytes } from './shared/sizes.ts';

const thresholds = {
  minBytes: {
    default: 10 * 1024 ** 2,
    unit: 'bytes',
    about: 'A smaller index is not worth a drop (PgHero: 10 MB); its size is that of the last vacuum or analyze.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

const maxRows = 5_000;

export const duplicateIndexes = defineJob({
  name: 'duplicate-indexes',
  title: 'Indexes that repeat another one',
  delivery: 'report',
  scope: 'database',
  schedule: '0 20 3 * * *',
  fire: { afterSeconds: 0 },
  clear: { factor: 0.5, samples: 1 },
  needs: 'any-login',
  thresholds,
  measures: { sizeBytes: { label: 'size of the index', unit: 'bytes' } },
  judge(rows: readonly IndexRow[], { thresholds: { minBytes } }: Context) {
    const isCut = rows.length >= maxRows;
    // Of the last table some indexes may be missing, and with them what one of the others is kept for.
    const whole = isCut ? rows.filter(({ tableOid }) => tableOid !== rows.at(-1)?.tableOid) : rows;
    const drops = planDrops(whole).filter(({ drop }) => drop.sizeBytes >= minBytes);
    const isLargeLeft =
      isCut && rows.some((row) => row.tableOid === rows.at(-1)?.tableOid && row.sizeBytes >= minBytes);
    return { findings: drops.map(judgeDrop), unjudged: isLargeLeft ? [unjudgedRest] : [] };
  },
});

const unjudgedRest: Unjudged = {
  reason: `more than ${maxRows} indexes begin like another one: only the tables with the largest were looked at`,
  remedy: 'Drop those that are found; the next ones are told after them.',
};

function judgeDrop({ drop, keep, kind }: Redundancy): Judged {
  const { schema, name, oid, table, qualified, sizeBytes, method } = drop;
  const why = whyDrop({ drop, keep, kind });
  const title =
    kind === 'duplicate'
      ? `index ${qualified} repeats ${keep.qualified}`
      : `index ${qualified} is the beginning of ${keep.qualified}`;
  return {
    database: null,
    fingerprint: qualified,
    severity: 'warning',
    title,
    summary: `${inBytes(sizeBytes)} on ${table}. ${why}\nTo drop it: drop index concurrently ${qualified};`,
    subject: { kind: 'index', schema, name, oid, table },
    facts: { kind, drop: qualified, keep: keep.qualified, why, table, method, sizeBytes, keepBytes: keep.sizeBytes },
    runbooks: [offer({ drop, keep, kind })],
    impact: null,
  };
}

/** Only as long as the other one stays: of a pair never both go. */
function offer({ drop, keep }: Redundancy): Offer {
  const does = `frees ${inBytes(drop.sizeBytes)}, and each write to ${drop.table} has one index less to keep up; ${keep.qualified} stays and does its work. It can be built again.`;
  return { name: 'drop-index-concurrently', params: { ...indexParams(drop), kept: String(keep.oid) }, does };
}

function whyDrop({ drop, keep, kind }: Redundancy): string {
  const { qualified } = keep;
  if (kind === 'prefix')
    return `All that it finds, ${qualified} finds by its first ${drop.keyCount === 1 ? 'column' : `${drop.keyCount} columns`}; that one is wider, so a query that used this one may read more pages.`;
  const reason = whyKeep(keep) ?? whyStronger(drop, keep);
  return `Columns, order, operator classes, collations and predicate are the same; ${qualified} ${reason}.`;
}

function whyStronger(drop: IndexRow, keep: IndexRow): string {
  if (keep.isUnique && !drop.isUnique) return 'keeps its values unique';
  return keep.columns.length > drop.columns.length ? 'includes more columns' : 'is the older one';
}

/** Null where only queries stand on it. */
function whyKeep({ isOfConstraint, servesConstraint, isReplicaIdentity, isClustered, isPartition }: IndexRow) {
  if (isOfConstraint || servesConstraint) return 'stays, since a constraint stands on it';
  if (isReplicaIdentity) return 'stays, since it is the replica identity';
  if (isClustered) return 'stays, since the table is clustered by it';
  return isPartition ? "stays, since it belongs to the partitioned table's" : null;
}
