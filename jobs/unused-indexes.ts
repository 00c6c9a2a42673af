import { defineJob, type JudgeContext, type NodeAnswer } from '../src/detect/job.ts';
import type { Judged, Offer } from '../src/model.ts';
import { indexParams } from './shared/relations.ts';
import { inBytes } from './shared/sizes.ts';
import { type Known, keyOf, maxIndexes, type NodeFacts } from './unused-indexes.facts.ts';
import { gatherUse } from './unused-indexes.gather.ts';
import { planDrops } from './unused-indexes.plan.ts';
import { describeUnused, type Unused } from './unused-indexes.text.ts';
import { unjudgedRest, unjudgedUse } from './unused-indexes.unjudged.ts';
import { sampleOf, windowDays, windowOf, windowOfCounters } from './unused-indexes.window.ts';
import { sampleWrites, writesPerDay, writesPerDayCounted } from './unused-indexes.writes.ts';

const clear = { factor: 0.5, samples: 1 };

const thresholds = {
  minBytes: {
    default: 100 * 1024 ** 2,
    unit: 'bytes',
    about: 'A smaller index is not worth a drop (pgwatch: 100 MB); its size is that of the last vacuum or analyze.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;
type Elsewhere = readonly NodeAnswer<NodeFacts>[];

/** Smaller ones are not sampled, unless they are to be found. */
const sampledBytes = 10 * 1024 ** 2;

export const unusedIndexes = defineJob({
  name: 'unused-indexes',
  title: `Indexes that no node has scanned in ${windowDays} days`,
  delivery: 'report',
  scope: 'database',
  isAskedEverywhere: true,
  schedule: '0 50 3 * * *',
  fire: { afterSeconds: 0 },
  clear,
  thresholds,
  measures: { sizeBytes: { label: 'size of the index', unit: 'bytes' } },
  gather: (ask, { minBytes }) => gatherUse(ask, Math.min(sampledBytes, clear.factor * minBytes)),
  sample(facts, { node }: Context, elsewhere: Elsewhere = []) {
    const known = knownOf(facts, node, elsewhere);
    return [...known.flatMap(sampleOf), ...known.slice(0, 1).flatMap(sampleWrites)];
  },
  // With what came before the first day of the window.
  history: { days: windowDays + 4 },
  judge(facts: NodeFacts, context: Context, elsewhere: Elsewhere = []) {
    const { node, history, thresholds: limits, isOneShot = false } = context;
    const known = knownOf(facts, node, elsewhere);
    const windows = known.map((one) => (isOneShot ? windowOfCounters(one) : windowOf(one, history)));
    const large = facts.indexes.filter(({ sizeBytes }) => sizeBytes >= limits.minBytes);
    const idle = planDrops(large.filter((index) => windows.every((window) => window.scansOf(index).scans === 0)));
    const isCut = facts.indexes.length >= maxIndexes && large.length === facts.indexes.length;
    const rest = isCut ? [unjudgedRest] : [];
    const unjudged = idle.length === 0 ? [] : unjudgedUse({ known, windows, elsewhere, ...node });
    // A node or a week of which nothing is known may be the one that uses it.
    if (unjudged.length > 0) return { findings: [], unjudged: [...unjudged, ...rest] };
    const unused = idle.filter((index) => windows.every((window) => window.scansOf(index).isOld));
    const days = isOneShot ? Math.floor(Math.min(...windows.map(({ seenDays }) => seenDays))) : windowDays;
    const writes = (table: string) =>
      isOneShot ? writesPerDayCounted(table, known[0] as Known) : writesPerDay(table, known, history);
    return {
      findings: unused.map((index) => judgeIndex({ index, known, windows, days, writesPerDay: writes(index.table) })),
      unjudged: rest,
    };
  },
});

/** All that answered, the node that speaks for the cluster first. */
function knownOf(facts: NodeFacts, { name, isStandby }: Context['node'], elsewhere: Elsewhere): Known[] {
  const others = elsewhere.flatMap(({ node, role, facts: said }) =>
    said && role ? [{ node, isStandby: role.isStandby, facts: said }] : [],
  );
  return [{ node: name, isStandby, facts }, ...others];
}

function judgeIndex(unused: Unused): Judged {
  const { index, windows, days } = unused;
  const { schema, name, oid, table, qualified, sizeBytes, method } = index;
  const { why, ...texts } = describeUnused(unused);
  return {
    ...texts,
    database: null,
    fingerprint: qualified,
    severity: 'warning',
    subject: { kind: 'index', schema, name, oid, table },
    facts: {
      why,
      table,
      method,
      sizeBytes,
      windowDays: days,
      windowSource: windows[0]?.source,
      nodes: windows.map(({ node }) => node),
      writesPerDay: unused.writesPerDay === null ? null : Math.round(unused.writesPerDay),
      lastScan: lastScanOf(unused),
    },
    runbooks: [offer(index)],
    impact: null,
  };
}

function offer(index: Unused['index']): Offer {
  const does = `frees ${inBytes(index.sizeBytes)}, and each write to ${index.table} has one index less to keep up; a query that needs it after all gets slow until it is built again.`;
  return { name: 'drop-index-concurrently', params: { ...indexParams(index), kept: '0' }, does };
}

/** From 16 on; before that, and for one that was never scanned, null. */
function lastScanOf({ index, known }: Unused): string | null {
  const seconds = known.flatMap(({ facts }) =>
    facts.indexes.flatMap((one) => (keyOf(one) === keyOf(index) ? (one.lastScanSeconds ?? []) : [])),
  );
  return seconds.length === 0 ? null : new Date(Math.max(...seconds) * 1_000).toISOString();
}
