import { inWords } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';
import { type AgeFacts, type AgeHolder, type Counter, type Course, stopsAt } from './wraparound.facts.ts';

/** The holder is null where none is known. */
export function summarize(
  counter: Counter,
  course: Course,
  { holders, seesAll }: { holders: readonly AgeHolder[]; seesAll: boolean },
) {
  const { oldest, age, forcedAt, rate, etaSeconds, isFalling } = course;
  // Who is younger than that by far keeps nothing of it from being frozen.
  const holder = holders.find(({ ageXids }) => counter.kind === 'mxid' || ageXids >= age / 2);
  const text = [
    `Its oldest is ${figure(age)} ${counter.what} old, ${percentOf(age)} % of the way to where the server stops taking writes; autovacuum freezes from ${figure(forcedAt)} on.`,
    etaSeconds === null
      ? 'How fast they are used up is not known yet.'
      : `At the rate of the last 6 h (${figure(rate ?? 0)} a second) that is in ${inWords(etaSeconds)}, if nothing is frozen.`,
    isFalling && 'It has been falling for 6 h.',
    holder
      ? `The oldest that keeps ids from being frozen: ${describeHolder(holder)}, ${figure(holder.ageXids)} transactions old. End that first: no vacuum gets past it.`
      : nobody(seesAll),
    !oldest.isAutovacuumOn && 'autovacuum is off: only the forced vacuum runs.',
    !oldest.takesConnections && `Database ${oldest.name} takes no connections and counts all the same.`,
    'Never end an autovacuum "to prevent wraparound". By hand: vacuum (freeze, index_cleanup off) on the oldest tables first.',
  ];
  return { holder: holder ? describeHolder(holder) : null, text: text.filter(Boolean).join('\n') };
}

function nobody(seesAll: boolean): string {
  if (!seesAll) return 'Which session keeps them from being frozen is hidden from the monitoring role.';
  return 'No session, slot, standby or prepared transaction keeps them from being frozen: vacuum is too slow, or is cancelled again and again.';
}

function describeHolder({ kind, name, who }: AgeHolder): string {
  const what = { session: 'pid', standby: 'the standby', slot: 'replication slot', prepared: 'prepared transaction' };
  return `${what[kind]} ${name}${who ? ` (${who})` : ''}`;
}

const mostTables = 10;

/** Databases, then the tables of those that were asked, the oldest first. */
export function evidenceOf({ age, ageOfTable }: Counter, { databases, tables }: AgeFacts): string {
  const line = (value: number, text: string) => `${figure(value).padStart(13)}  ${text}`;
  const oldest = [...databases].sort((a, b) => age(b) - age(a)).slice(0, 5);
  return [
    ...oldest.map((database) => line(age(database), `database ${database.name}`)),
    ...[...tables]
      .sort((a, b) => ageOfTable(b) - ageOfTable(a))
      .slice(0, mostTables)
      .map((table) => {
        const what = `${table.isToast ? 'TOAST of ' : ''}${table.name}`;
        return line(ageOfTable(table), `${what} in ${table.database} (${inBytes(table.sizeBytes)})`);
      }),
  ].join('\n');
}

export function percentOf(age: number): number {
  return Math.round((1000 * age) / stopsAt) / 10;
}

function figure(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });
}
