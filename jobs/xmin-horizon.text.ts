import { describeEnding } from './shared/prepared.ts';
import { count, describeClient, inWords } from './shared/sessions.ts';
import type { Holder } from './xmin-horizon.holders.ts';

/** Without ages: an alert whose title changed at each check would be drawn again at each check. */
export function nameOf(holder: Holder): string {
  const { standby } = holder;
  return standby === null ? nameThere(holder) : `${nameThere(holder)} on the standby ${standby}`;
}

function nameThere({ kind, name, pid }: Holder): string {
  switch (kind) {
    case 'session':
      return `pid ${pid}`;
    case 'standby':
      return `a session on the standby ${name}`;
    case 'prepared':
      return `prepared transaction ${name}`;
    default:
      return `replication slot ${name}`;
  }
}

/** "pid 4711 (billing-api, role app, database shop), idle in transaction". */
export function describeHolder(holder: Holder): string {
  const { kind, state, owner, preparedIn, usedBy, pid } = holder;
  switch (kind) {
    case 'session':
      return `${nameOf(holder)} (${describeClient({ ...holder, pid: pid ?? 0 })})${state ? `, ${state}` : ''}`;
    case 'standby':
      return `${nameOf(holder)}${holder.client ? ` (${holder.client})` : ''}, told by its hot_standby_feedback`;
    case 'prepared':
      return `${nameOf(holder)} (role ${owner}, database ${preparedIn})`;
    default:
      return `${nameOf(holder)}, ${pid === null ? 'which nobody uses' : `used by ${usedBy || `pid ${pid}`}`}`;
  }
}

export function summarize(holder: Holder, percent: number, notOffered: string | null): string {
  const { ageXids, ageSeconds, deadRows, freezeMaxAge } = holder;
  const seconds = ageSeconds === null ? 'for how long is not known yet' : `for ${inWords(ageSeconds)}`;
  return [
    `${describeHolder(holder)}: holds the oldest xmin, ${seconds} and ${count(ageXids, 'transaction')}.`,
    deadRows === null
      ? 'How many rows were updated or deleted since is not known; vacuum can remove none of them.'
      : `Since then ${count(deadRows, 'row')} were updated or deleted in all databases; vacuum can remove none of those ${reachOf(holder)}.`,
    `That is ${percent < 1 ? 'less than 1' : Math.round(percent)} % of the way to autovacuum_freeze_max_age (${freezeMaxAge.toLocaleString('en-US')}).`,
    todo(holder),
    notOffered && `No runbook is offered: ${notOffered}.`,
  ]
    .filter(Boolean)
    .join('\n');
}

/** Where it matters: a session and a prepared transaction hold back their own database and what all share. */
function reachOf({ kind, database, preparedIn, standby }: Holder): string {
  if (standby !== null) return 'in any database';
  if (kind === 'catalog slot') return 'in the catalogs';
  if (kind === 'prepared') return `in database ${preparedIn}`;
  return kind === 'session' && database !== null ? `in database ${database}` : 'in any database';
}

function todo(holder: Holder): string {
  const { kind, name, preparedIn, standby, untraced } = holder;
  switch (kind) {
    case 'session':
      return standby === null ? '' : 'By its hot_standby_feedback the standby makes the primary keep them.';
    case 'standby':
      return `On the standby ${name}, long-transactions finds the session; end it there. ${whyUntraced(untraced)}`;
    case 'prepared':
      return describeEnding(name ?? '', preparedIn);
    default:
      return `If it has a consumer, see what holds that up; if not, pg_drop_replication_slot ends it, and its consumer cannot go on.${untraced === null ? '' : ` A standby uses it. ${whyUntraced(untraced)}`}`;
  }
}

function whyUntraced(untraced: Holder['untraced']): string {
  return untraced === 'gone'
    ? 'Now none of its sessions holds it any more: what a standby tells is up to wal_receiver_status_interval old.'
    : 'Which session that is, is not known: none of the nodes that are watched, and answer, is that standby.';
}

/** Ending the first leaves the second to hold it. */
export function evidenceOf(holders: readonly Holder[]): string {
  const shown = holders.slice(0, 5);
  return shown.map((one) => `${one.ageXids.toLocaleString('en-US').padStart(13)}  ${describeHolder(one)}`).join('\n');
}
