import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Offer, Unjudged } from '../src/model.ts';
import { tableParams } from './shared/relations.ts';
import { count, inWords } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';
import { groupUnknown } from './shared/unjudged.ts';
import { foldTables, type WholeTable } from './table-bloat.fold.ts';
import { type BloatFacts, gatherBloat, type Horizon, maxCandidates } from './table-bloat.gather.ts';

const clear = { factor: 0.5, samples: 1 };

const thresholds = {
  minBytes: {
    default: 1024 ** 3,
    unit: 'bytes',
    about: 'A smaller table is not looked at; what lies outside its rows counts, and partitions count together.',
  },
  minRatio: {
    default: 0.4,
    unit: 'share',
    about: 'Found from here on: what a rebuild at the same fillfactor would give back, of the size (PostgresAI: 40 %).',
  },
  samplePages: {
    default: 0,
    unit: 'pages',
    about:
      'May so many pages of a suspect be read, for lengths only, where the role may select from it? 50 are exact to about 1 %; 0 reads none.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

export const tableBloat = defineJob({
  name: 'table-bloat',
  title: 'Tables that take far more space than their rows',
  delivery: 'report',
  scope: 'database',
  schedule: '0 30 3 * * *',
  fire: { afterSeconds: 0 },
  clear,
  needs: 'table-statistics',
  thresholds,
  measures: {
    sizeBytes: { label: 'size of the table', unit: 'bytes' },
    reclaimableBytes: { label: 'space to be given back', unit: 'bytes' },
  },
  gather(ask, { minBytes, minRatio, samplePages }) {
    return gatherBloat(ask, {
      minBytes: clear.factor * minBytes,
      suspectRatio: clear.factor * minRatio,
      samplePages,
    });
  },
  judge(facts: BloatFacts, { thresholds: { minBytes, minRatio } }: Context) {
    const tables = foldTables(facts.tables).filter(({ sizeBytes }) => sizeBytes >= minBytes);
    const findings = tables.flatMap((table) => {
      const { bloat, sizeBytes } = table;
      if (bloat.confidence === 'unknown' || sizeBytes === 0) return [];
      return bloat.reclaimableBytes / sizeBytes >= minRatio ? [judgeTable(table, bloat, facts.horizon)] : [];
    });
    return { findings, unjudged: unjudgedIn(tables, facts) };
  },
});

function unjudgedIn(tables: readonly WholeTable[], { role, version, tables: looks }: BloatFacts): Unjudged[] {
  const unknown = tables.flatMap(({ bloat, qualified, sizeBytes }) =>
    bloat.confidence === 'unknown' ? [{ qualified, table: qualified, sizeBytes, doubt: bloat.doubt }] : [],
  );
  const lines = groupUnknown(unknown, { total: tables.length, kind: 'table', role, version });
  return looks.length < maxCandidates ? lines : [...lines, unjudgedRest];
}

const unjudgedRest: Unjudged = {
  reason: `only the ${maxCandidates} largest tables and partitions were looked at`,
  remedy: "Raise the job's minBytes.",
};

type KnownBloat = Exclude<WholeTable['bloat'], { confidence: 'unknown' }>;

function judgeTable(table: WholeTable, bloat: KnownBloat, horizon: Horizon | null): Judged {
  const { oid, schema, name, qualified, sizeBytes, deadRows, partitions } = table;
  const { reclaimableBytes, method, confidence } = bloat;
  const bloatRatio = Math.round((1000 * reclaimableBytes) / sizeBytes) / 1000;
  const why = `A rebuild would give back about ${inBytes(reclaimableBytes)} of ${inBytes(sizeBytes)} (${Math.round(100 * bloatRatio)} %), ${howKnown[method]}.`;
  const holder = deadRows > 0 ? describeHorizon(horizon) : null;
  return {
    database: null,
    fingerprint: qualified,
    severity: 'warning',
    title: `table ${qualified} takes far more space than its rows`,
    summary: [why, whatVacuumDoes(deadRows), holder, rebuildAdvice].filter(Boolean).join('\n'),
    subject: { kind: 'table', schema, name, oid, table: qualified },
    facts: { why, sizeBytes, reclaimableBytes, bloatRatio, method, confidence, deadRows, partitions, heldBy: holder },
    runbooks: holder === null ? offersFor(table) : [],
    impact: null,
  };
}

/** Partitions are vacuumed one by one, by what vacuum-debt finds of each. */
function offersFor(table: WholeTable): Offer[] {
  const { qualified, deadRows, itself } = table;
  if (itself === null || deadRows === 0) return [];
  const { file, vacuumedAt } = itself;
  const does = `makes the space of ${count(Math.round(deadRows), 'dead row')} of ${qualified} usable again for new rows; nothing is lost, and the file stays as large.`;
  return [{ name: 'vacuum-table', params: { ...tableParams({ ...table, file }), vacuumed_at: vacuumedAt }, does }];
}

const howKnown: Readonly<Record<KnownBloat['method'], string>> = {
  sample: 'measured on a sample of its pages',
  pgstattuple: 'measured by pgstattuple_approx',
  'free-space-map': 'estimated from its free space map',
  catalog: 'estimated from its statistics',
};

const rebuildAdvice =
  'To give it back without locking readers out, rebuild it with pg_repack or pg_squeeze; VACUUM FULL and CLUSTER lock out reads and writes until they end.';

function whatVacuumDoes(deadRows: number): string {
  const does =
    deadRows > 0
      ? `VACUUM makes the space of ${count(Math.round(deadRows), 'dead row')} usable again for new rows`
      : 'There is nothing for VACUUM to do: new rows fill the free space';
  return `${does}; the file stays as large, except for empty pages at its end.`;
}

/** What is younger than this ends by itself before anybody has read of it. */
const oldSeconds = 3_600;

function describeHorizon(horizon: Horizon | null): string | null {
  if (horizon === null || (horizon.seconds !== null && horizon.seconds < oldSeconds)) return null;
  const age = horizon.seconds === null ? count(horizon.xids, 'transaction') : inWords(horizon.seconds);
  return `Rows that died since cannot be removed: ${horizon.kind} ${horizon.who} has held the oldest xmin for ${age}.`;
}
