import { defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged } from '../src/model.ts';
import { describeEnding } from './shared/prepared.ts';
import { count, countWaiting, inWords } from './shared/sessions.ts';

/** One row of prepared-transactions.sql. */
export interface PreparedTransaction {
  gid: string;
  owner: string;
  database: string;
  preparedSeconds: number;
  /** Transactions that were assigned since its own. */
  ageXids: number;
  /** Null where the role sees no other sessions. */
  holdsOldestXmin: boolean | null;
  /** Tables and indexes that it has locked, and how. */
  relations: number;
  modes: readonly string[];
  /** Sessions that wait for it directly. */
  blocks: number;
}

const thresholds = {
  minSeconds: {
    default: 600,
    unit: 'seconds',
    about:
      'Prepared and not ended for this long is a warning: between its two phases lie milliseconds. Critical if it harms.',
  },
  criticalSeconds: {
    default: 3_600,
    unit: 'seconds',
    about: 'Critical from here on, whatever it does: whoever was to end it has forgotten it.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

export const preparedTransactions = defineJob({
  name: 'prepared-transactions',
  title: 'Prepared transactions that nobody ended',
  toldBy: ['lock-chains'],
  delivery: 'page',
  scope: 'node',
  schedule: '40 * * * * *',
  fire: { afterSeconds: 0 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {
    preparedSeconds: { label: 'prepared for', unit: 'seconds' },
    blocks: { label: 'sessions that wait for it', unit: 'sessions' },
  },
  // A standby shows none: those are its primary's.
  judge(all: readonly PreparedTransaction[], { thresholds: limits, node }: Context) {
    const old = all.filter(
      ({ preparedSeconds }) => preparedSeconds >= Math.min(limits.minSeconds, limits.criticalSeconds),
    );
    // Whoever else is older may be hidden.
    const known = node.seesAll ? old : old.map((one) => ({ ...one, holdsOldestXmin: null }));
    return { findings: known.map((one) => judgePrepared(one, limits.criticalSeconds)), unjudged: [] };
  },
});

function judgePrepared(one: PreparedTransaction, criticalSeconds: number): Judged {
  const { gid, database, preparedSeconds, blocks, holdsOldestXmin } = one;
  const isHarmful = blocks > 0 || holdsOldestXmin === true;
  return {
    database,
    fingerprint: gid,
    severity: isHarmful || preparedSeconds >= criticalSeconds ? 'critical' : 'warning',
    title: `prepared transaction ${gid} was neither committed nor rolled back`,
    summary: summarize(one),
    subject: { kind: 'prepared-transaction', gid },
    facts: { ...one, modes: one.modes.map(shorten) },
    runbooks: [],
    impact: isHarmful ? { what: harmOf(one), etaSeconds: null } : null,
  };
}

function summarize(one: PreparedTransaction): string {
  const { gid, owner, database, preparedSeconds, relations, modes, holdsOldestXmin } = one;
  const held =
    relations > 0 ? `It holds locks on ${count(relations, 'relation')} (${modes.map(shorten).join(', ')}).` : '';
  return [
    `Prepared by role ${owner} in database ${database} ${inWords(preparedSeconds)} ago. It outlives its session, and a restart. ${held}`.trim(),
    harmOf(one) || (holdsOldestXmin === false && 'Nobody waits for it, and it does not hold vacuum back.'),
    holdsOldestXmin === null && 'Whether it holds vacuum back is hidden from the monitoring role.',
    describeEnding(gid, database),
  ]
    .filter(Boolean)
    .join('\n');
}

function harmOf({ blocks, holdsOldestXmin, ageXids }: PreparedTransaction): string {
  const harms = [
    blocks > 0 && `${countWaiting(blocks)} for it.`,
    holdsOldestXmin &&
      `It holds the oldest xmin: vacuum cannot remove what ${count(ageXids, 'transaction')} since then left behind.`,
  ];
  return harms.filter(Boolean).join(' ');
}

/** "RowExclusive". */
function shorten(mode: string): string {
  return mode.replace(/Lock$/, '');
}
