import type { Point, TargetContext, Thresholds } from '../src/detect/job.ts';
import type { Session } from './shared/sessions.ts';
import { type Answers, traceHolder } from './xmin-horizon.standby.ts';

/** One row of xmin-horizon.sql: what is so of the server, and one who holds the horizon, if there is any. */
export interface HorizonRow extends Omit<Session, 'pid'> {
  nextXid: number;
  freezeMaxAge: number;
  /** Row versions that updates and deletes left, of all databases, ever. */
  changedRows: number | null;
  /** A catalog slot holds back what vacuum may remove from catalogs alone. */
  kind: 'session' | 'standby' | 'slot' | 'catalog slot' | 'prepared' | null;
  /** Of the standby, the slot or the prepared transaction. */
  name: string | null;
  ageXids: number | null;
  /** At least so old: the time since it was prepared, or since the slot was used. */
  knownSeconds: number | null;
  owner: string | null;
  preparedIn: string | null;
  usedBy: string | null;
  pid: number | null;
  /** The transaction id itself. */
  held: string | null;
}

export interface Holder extends HorizonRow {
  kind: NonNullable<HorizonRow['kind']>;
  ageXids: number;
  /** Null: not known yet. */
  ageSeconds: number | null;
  /** Row versions that were left since, which vacuum must keep; null: not known. */
  deadRows: number | null;
  /** The node that it is on, if that is a standby of the one that shows it; else null. */
  standby: string | null;
  /** Why it is not known who on a standby holds it: nobody looks there, or nobody there does any more. */
  untraced: 'not-watched' | 'gone' | null;
}

type Context = Pick<TargetContext<Thresholds>, 'history' | 'now'>;

/** Who holds the horizon of a node, the oldest first. */
export function findHolders(node: string, answers: Answers, context: Context): Holder[] {
  const rows = answers.find((answer) => answer.node === node)?.facts?.rows ?? [];
  return rows.flatMap((row) => {
    const trace = traceHolder(row, node, answers);
    if (trace?.reason !== 'found') return dated(row, { standby: null, untraced: trace?.reason ?? null }, context) ?? [];
    // By the ids of the node where it holds vacuum back: a standby counts as far as it has replayed.
    const { nextXid, freezeMaxAge, changedRows, ageXids } = row;
    const there = { ...trace.row, nextXid, freezeMaxAge, changedRows, ageXids };
    return dated(there, { standby: trace.standby, untraced: null }, context) ?? [];
  });
}

function dated(
  row: HorizonRow,
  origin: Pick<Holder, 'standby' | 'untraced'>,
  { history, now }: Context,
): Holder | null {
  const { kind, ageXids, nextXid, transactionSeconds, knownSeconds, changedRows } = row;
  if (kind === null || ageXids === null) return null;
  const ageSeconds = kind === 'session' ? transactionSeconds : knownSeconds;
  const held = bound(ageSeconds, nextXid - ageXids, { past: history('xid'), now, isLess: kind === 'session' });
  return {
    ...row,
    ...origin,
    kind,
    ageXids,
    ageSeconds: held,
    deadRows: growth(history('changed'), { changedRows, held, now }),
  };
}

/**
 * The samples date an xid: it was given out between two of them. A slot or a standby does not say since when it holds
 * its own; a transaction may be older than the snapshot of its statement of the moment.
 */
function bound(
  seconds: number | null,
  xid: number,
  { past, now, isLess }: { past: readonly Point[]; now: Date; isLess: boolean },
): number | null {
  const before = past.findLast(({ value }) => value < xid);
  const after = past.find(({ value }) => value > xid);
  const since = (point: Point | undefined) => (point ? (now.getTime() - point.at.getTime()) / 1000 : null);
  const [most, least] = [since(before), since(after)];
  if (isLess) return seconds !== null && most !== null ? Math.min(seconds, most) : seconds;
  return seconds !== null && least !== null ? Math.max(seconds, least) : (seconds ?? least);
}

/** Since the horizon is held, or since the first sample. Statistics that were reset in between count from there. */
function growth(
  past: readonly Point[],
  { changedRows, held, now }: { changedRows: number | null; held: number | null; now: Date },
): number | null {
  const since = past.find(({ at }) => now.getTime() - at.getTime() <= (held ?? 0) * 1000);
  if (!since || changedRows === null) return null;
  return changedRows < since.value ? changedRows : changedRows - since.value;
}
