import { readClock } from '../state/schedule.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';
import { findOpening, formatMoment, isBound } from './window.ts';

/** Asked again at the start: between the click and this, a window may have closed, and a freeze been announced. */
export async function withinWindow({ context, run, target }: GuardInput): Promise<Verdict | null> {
  if (!isBound(run.class)) return null;
  const opening = findOpening(target.calendar, await readClock(context.pool));
  if (opening.isOpen) return opening.why === null ? null : yes(opening.why);
  const next = opening.opensAt ? `; it opens ${formatMoment(opening.opensAt, target.calendar.timezone)}` : '';
  return no(`${target.name} is ${opening.why}${next}`);
}
