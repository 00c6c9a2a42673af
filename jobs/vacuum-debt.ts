import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Offer, Unjudged } from '../src/model.ts';
import { firstOwnOid, tableParams } from './shared/relations.ts';
import { count, inWords } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';

/** One row of vacuum-debt.sql: a table past a threshold of autovacuum, or its TOAST table. */
export interface Debt {
  oid: number;
  schema: string;
  name: string;
  file: string;
  /** By hand, in microseconds as text; 0 is never. */
  vacuumedAt: string;
  /** As SQL writes it; of TOAST, the table whose values are in it. */
  table: string;
  isToast: boolean;
  deadRows: number;
  deadLimit: number;
  /** Since the last vacuum; null where there are few, or before 13. */
  insertedRows: number | null;
  /** Null where inserts call for no vacuum. */
  insertLimit: number | null;
  liveRows: number;
  sizeBytes: number;
  isEnabled: boolean;
  /** autovacuum and track_counts. */
  isOn: boolean;
  vacuumedSecondsAgo: number | null;
  isBeingVacuumed: boolean;
  workers: number;
  maxWorkers: number;
  /** Who holds the oldest xmin that counts in this database. */
  holder: string | null;
  holderXids: number | null;
  /** Null where it is not known, as of slots. */
  holderSeconds: number | null;
}

const thresholds = {
  overduePercent: {
    default: 200,
    unit: 'percent',
    about: 'Of the threshold at which autovacuum comes, with the options of the table: from here on it is overdue.',
  },
  minRows: {
    default: 10_000,
    unit: 'rows',
    about: 'Fewer dead or inserted rows are not worth a line, however small the table.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

export const vacuumDebt = defineJob({
  name: 'vacuum-debt',
  title: 'Tables overdue for vacuum',
  delivery: 'report',
  scope: 'database',
  schedule: '0 35 * * * *',
  fire: { afterSeconds: 21_600 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    deadRows: { label: 'dead rows', unit: 'rows' },
    insertedRows: { label: 'rows inserted since the last vacuum', unit: 'rows' },
  },
  judge(debts: readonly Debt[], { thresholds: limits, node }: Context) {
    if (node.isStandby) return { findings: [], unjudged: [unjudgedOnStandby] };
    return { findings: debts.flatMap((debt) => judgeDebt(debt, limits, node) ?? []), unjudged: [] };
  },
});

const unjudgedOnStandby: Unjudged = {
  reason: 'a standby does not count the dead rows of its primary',
  remedy: "Add the primary to the target's nodes.",
};

type Cause = 'off' | 'off-here' | 'running' | 'xmin' | 'starved' | 'unseen' | 'cancelled';

function judgeDebt(debt: Debt, limits: Context['thresholds'], node: Context['node']): Judged | null {
  const rows = overdueOf(debt, limits);
  if (!rows) return null;
  const { schema, name, oid, table, isToast } = debt;
  const cause = causeOf(debt, rows, node.seesAll);
  const { file, vacuumedAt, ...facts } = debt;
  const what = isToast ? `the TOAST table of ${table}` : `table ${table}`;
  return {
    database: null,
    fingerprint: isToast ? `${table} TOAST` : table,
    severity: 'warning',
    title: `${what} is overdue for vacuum: ${titles[cause]}`,
    summary: [describe(debt, rows), say(cause, debt)].join('\n'),
    subject: { kind: 'table', schema, name, oid, table },
    facts: { cause, rows, ...facts },
    runbooks: node.seesAll ? offersFor(debt, rows) : [],
    impact: null,
  };
}

function overdueOf(debt: Debt, { overduePercent, minRows }: Context['thresholds']): 'dead' | 'inserted' | null {
  const { deadRows, deadLimit, insertedRows, insertLimit } = debt;
  const isPast = (rows: number, limit: number) => rows >= minRows && rows > (limit * overduePercent) / 100;
  if (isPast(deadRows, deadLimit)) return 'dead';
  return insertedRows !== null && insertLimit !== null && isPast(insertedRows, insertLimit) ? 'inserted' : null;
}

/** None while a vacuum is at it, nor where one would find nothing that it may remove. */
function offersFor(debt: Debt, rows: 'dead' | 'inserted'): Offer[] {
  const { table, oid, deadRows, vacuumedAt, sizeBytes } = debt;
  if (debt.isBeingVacuumed || wasHeld(debt) || oid < firstOwnOid) return [];
  const gains =
    rows === 'dead'
      ? `makes the space of ${count(deadRows, 'dead row')} usable again for new rows`
      : 'marks pages that hold only old rows, so that index-only scans and the next vacuum skip them';
  const does = `vacuums ${table}, ${inBytes(sizeBytes)}, as slowly as autovacuum would, and ${gains}; nothing is lost.`;
  return [{ name: 'vacuum-table', params: { ...tableParams(debt), vacuumed_at: vacuumedAt }, does }];
}

/** Vacuumed while somebody held the horizon: what died or came since, the next vacuum has to leave as well. */
function wasHeld({ holder, holderSeconds, vacuumedSecondsAgo }: Debt): boolean {
  return holder !== null && vacuumedSecondsAgo !== null && vacuumedSecondsAgo <= (holderSeconds ?? 86_400);
}

/** The first that explains it. */
function causeOf(debt: Debt, rows: 'dead' | 'inserted', seesAll: boolean): Cause {
  const { isBeingVacuumed, isOn, isEnabled, workers, maxWorkers } = debt;
  if (isBeingVacuumed) return 'running';
  if (rows === 'dead' && wasHeld(debt)) return 'xmin';
  if (!isOn) return 'off';
  if (!isEnabled) return 'off-here';
  if (!seesAll) return 'unseen';
  return workers >= maxWorkers ? 'starved' : 'cancelled';
}

const titles: Record<Cause, string> = {
  off: 'autovacuum is off',
  'off-here': 'autovacuum is off for it',
  running: 'it is being vacuumed now',
  xmin: 'an old xmin keeps its rows',
  starved: 'all workers are busy',
  unseen: 'why is not known',
  cancelled: 'autovacuum does not get to its end',
};

function describe(debt: Debt, rows: 'dead' | 'inserted'): string {
  const { deadRows, deadLimit, insertedRows, insertLimit, liveRows, sizeBytes, vacuumedSecondsAgo } = debt;
  const [number, limit] = rows === 'dead' ? [deadRows, deadLimit] : [insertedRows ?? 0, insertLimit ?? 0];
  const what = rows === 'dead' ? count(number, 'dead row') : `${count(number, 'row')} inserted since the last vacuum`;
  const times = limit > 0 ? `, ${Math.round((10 * number) / limit) / 10} times` : '';
  const vacuumed =
    vacuumedSecondsAgo === null
      ? 'It was not vacuumed since its statistics began.'
      : `Vacuumed ${inWords(vacuumedSecondsAgo)} ago.`;
  return `${what} beside about ${count(liveRows, 'live one')}, in ${inBytes(sizeBytes)}; autovacuum comes at ${Math.round(limit).toLocaleString('en-US')}${times}. ${vacuumed}`;
}

function say(cause: Cause, debt: Debt): string {
  const { table, isToast, isEnabled, holder, holderXids, holderSeconds, workers } = debt;
  const vacuum = `vacuum ${table};`;
  switch (cause) {
    case 'off':
      return `autovacuum or track_counts is off for the whole server. Turn it on; for now: ${vacuum}`;
    case 'off-here':
      return `To let autovacuum come again: alter table ${table} reset (${isToast ? 'toast.' : ''}autovacuum_enabled); for now: ${vacuum}`;
    case 'running':
      return 'A vacuum is at it; if it takes for long, its cost limits are too low.';
    case 'xmin': {
      const since = holderSeconds === null ? '' : `, for ${inWords(holderSeconds)}`;
      const off = isEnabled ? '' : ' Besides, autovacuum is off for it.';
      return `That vacuum had to leave them: ${holder} holds the xmin of ${count(holderXids ?? 0, 'transaction')} ago${since}. End that first; a vacuum would remove nothing newer.${off}`;
    }
    case 'starved':
      return `All ${workers} workers are busy with other tables: raise autovacuum_vacuum_cost_limit, then autovacuum_max_workers. For now: ${vacuum}`;
    case 'unseen':
      return `What the workers do is hidden from the monitoring role: grant pg_monitor to it. For now: ${vacuum}`;
    case 'cancelled':
      return `Autovacuum is on and has workers to spare: see the server's log for "canceling autovacuum task", and who takes locks on it. For now: ${vacuum}`;
  }
}
