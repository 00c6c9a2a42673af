import { defineJob, type JudgeContext, type Sample } from '../src/detect/job.ts';
import type { Judged, Offer, Unjudged } from '../src/model.ts';
import {
  gatherIndexes,
  type IndexCandidate,
  type IndexFacts,
  type IndexLook,
  maxIndexes,
} from './index-bloat.gather.ts';
import type { Doubt } from './shared/doubt.ts';
import { indexParams } from './shared/relations.ts';
import { inBytes } from './shared/sizes.ts';
import { groupUnknown } from './shared/unjudged.ts';

const clear = { factor: 0.5, samples: 1 };

const thresholds = {
  minBytes: {
    default: 1024 ** 3,
    unit: 'bytes',
    about: 'A smaller index is not looked at; its size is that of the last vacuum or analyze.',
  },
  minRatio: {
    default: 0.4,
    unit: 'share',
    about: 'Found from here on: what a rebuild at the same fillfactor would give back, of the size (PostgresAI: 40 %).',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

/** Bytes to a row, of each index: what it took at its best is what it is held against later. */
const series = 'bytesPerRow';
/** Twice what it took to a row at its best (pg_index_watch: 2). */
const baselineFactor = 2;

export const indexBloat = defineJob({
  name: 'index-bloat',
  title: 'Indexes that take far more space than their keys',
  delivery: 'report',
  scope: 'database',
  schedule: '0 40 3 * * *',
  fire: { afterSeconds: 0 },
  clear,
  needs: 'table-statistics',
  thresholds,
  measures: {
    sizeBytes: { label: 'size of the index', unit: 'bytes' },
    reclaimableBytes: { label: 'space to be given back', unit: 'bytes' },
  },
  gather(ask, { minBytes, minRatio }) {
    return gatherIndexes(ask, { minBytes: clear.factor * minBytes, suspectRatio: clear.factor * minRatio });
  },
  sample({ indexes }): Sample[] {
    const objects = indexes.flatMap(({ candidate }) => {
      const figure = bytesPerRow(candidate);
      return figure === null ? [] : [[candidate.qualified, figure] as const];
    });
    return objects.length > 0 ? [{ series, objects: Object.fromEntries(objects) }] : [];
  },
  history: { days: 366 },
  judge(facts: IndexFacts, context: Context) {
    const { minBytes, minRatio } = context.thresholds;
    const indexes = facts.indexes.filter((look) => sizeOf(look) >= minBytes);
    const verdicts = indexes.map((look) => ({ look, verdict: weigh(look, context) }));
    const findings = verdicts.flatMap(({ look, verdict }) => {
      if ('doubt' in verdict) return [];
      const isFound = verdict.method === 'baseline' || verdict.reclaimableBytes >= minRatio * sizeOf(look);
      return isFound && verdict.reclaimableBytes >= 0 ? [judgeIndex(look, verdict)] : [];
    });
    const unknown = verdicts.flatMap(({ look, verdict }) => {
      if (!('doubt' in verdict) || verdict.doubt === null) return [];
      const { qualified, table } = look.candidate;
      return [{ qualified, table, sizeBytes: sizeOf(look), doubt: verdict.doubt }];
    });
    const { role, version } = facts;
    const unjudged = [
      ...groupUnknown(unknown, { total: indexes.length, kind: 'index', role, version }),
      ...unjudgedWithoutBaseline(
        verdicts.flatMap(({ look, verdict }) => ('doubt' in verdict && !verdict.doubt ? [look] : [])),
      ),
      ...(facts.indexes.length < maxIndexes ? [] : [unjudgedRest]),
    ];
    return { findings, unjudged };
  },
});

interface Bloat {
  method: 'catalog' | 'pgstatindex' | 'baseline';
  confidence: 'measured' | 'estimated';
  reclaimableBytes: number;
}

/** Null for an index that nothing but its own past tells about, where there is none yet. */
type Verdict = Bloat | { doubt: Doubt | null };

/** By what its keys should take; an index that has doubled against its own best is bloated whatever that says. */
function weigh(look: IndexLook, context: Context): Verdict {
  const { candidate, estimate } = look;
  const past = context.history(series, candidate.qualified).map(({ value }) => value);
  const best = past.length > 0 ? Math.min(...past) : null;
  const now = bytesPerRow(candidate);
  const growth = best !== null && now !== null && best > 0 ? now / best : null;
  const grown: Bloat | null =
    growth !== null && growth >= baselineFactor
      ? { method: 'baseline', confidence: 'estimated', reclaimableBytes: Math.round(sizeOf(look) * (1 - 1 / growth)) }
      : null;
  if (estimate === null && now === null) return { doubt: 'no-statistics' };
  if (estimate === null) return grown ?? (growth === null ? { doubt: null } : notGrown);
  if (estimate.confidence === 'unknown') return grown ?? { doubt: estimate.doubt };
  const { confidence, method, pages, rebuiltPages } = estimate;
  const known: Bloat = { method, confidence, reclaimableBytes: (pages - rebuiltPages) * candidate.blockSize };
  return confidence === 'estimated' && grown && grown.reclaimableBytes > known.reclaimableBytes ? grown : known;
}

const notGrown: Bloat = { method: 'catalog', confidence: 'estimated', reclaimableBytes: -1 };

function judgeIndex(look: IndexLook, { method, confidence, reclaimableBytes }: Bloat): Judged {
  const { schema, name, oid, table, qualified, fillfactor } = look.candidate;
  const sizeBytes = sizeOf(look);
  const bloatRatio = Math.round((1000 * reclaimableBytes) / sizeBytes) / 1000;
  const why = `A rebuild would give back about ${inBytes(reclaimableBytes)} of ${inBytes(sizeBytes)} (${Math.round(100 * bloatRatio)} %), ${howKnown[method]}.`;
  return {
    database: null,
    fingerprint: qualified,
    severity: 'warning',
    title: `index ${qualified} takes far more space than its keys`,
    summary: `${why}\nVACUUM cannot shrink it: pages are used again only once they are empty. ${howToRebuild(look.candidate)}`,
    subject: { kind: 'index', schema, name, oid, table },
    facts: { why, table, sizeBytes, reclaimableBytes, bloatRatio, method, confidence, fillfactor },
    runbooks: offersFor(look.candidate, reclaimableBytes),
    impact: null,
  };
}

function howToRebuild({ qualified, table, isExclusion }: IndexCandidate): string {
  return isExclusion
    ? `PostgreSQL does not rebuild the index of an exclusion constraint concurrently; this locks out who writes to ${table}: reindex index ${qualified};`
    : `To rebuild it while ${table} is read and written: reindex index concurrently ${qualified};`;
}

function offersFor(index: IndexCandidate, reclaimableBytes: number): Offer[] {
  if (index.isExclusion) return [];
  const does = `builds ${index.qualified} anew beside the old one, which frees about ${inBytes(reclaimableBytes)}; nothing is lost, and ${index.table} is read and written meanwhile.`;
  return [{ name: 'reindex-index-concurrently', params: indexParams(index), does }];
}

const howKnown: Readonly<Record<Bloat['method'], string>> = {
  pgstatindex: 'measured by pgstatindex',
  catalog: 'estimated from the statistics of its columns',
  baseline: 'estimated from what it took to a row at its best',
};

function sizeOf({ candidate, estimate }: IndexLook): number {
  return (estimate?.pages ?? candidate.pages) * candidate.blockSize;
}

function bytesPerRow({ pages, rows, blockSize }: IndexCandidate): number | null {
  return rows === null || rows < 1 ? null : (pages * blockSize) / rows;
}

function unjudgedWithoutBaseline(looks: readonly IndexLook[]): Unjudged[] {
  const [first] = looks;
  if (!first) return [];
  const methods = [...new Set(looks.map(({ candidate }) => candidate.method))].sort().join(', ');
  return [
    {
      reason: `${looks.length} ${looks.length === 1 ? 'index' : 'indexes'} of ${methods} (${first.candidate.qualified}, ${inBytes(sizeOf(first))}): what they should take only their own past tells, and there is none yet`,
      remedy: 'From the next check on they are compared with what they take now.',
    },
  ];
}

const unjudgedRest: Unjudged = {
  reason: `only the ${maxIndexes} largest indexes were looked at`,
  remedy: "Raise the job's minBytes.",
};
