import { readClock } from '../../state/schedule.ts';
import { findOpening, formatMoment, isBound } from '../window.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** Asked again at the start: between the click and this, a window may have closed, and a freeze been announced. */
export async function withinWindow({ context, run, target }: GuardInput): Promise<Verdict | null> {
  if (!isBound(run.class)) return null;
  const opening = findOpening(target.calendar, await readClock(context.pool));
  if (opening.isOpen) return opening.why === null ? null : yes(opening.why);
  const opens = opening.opensAt && formatMoment(opening.opensAt, target.calendar.timezone);
  // A plan that is only looked at may be approved all the same.
  if (run.id === 0 && opens) return yes(`${target.name} is ${opening.why}: approved now, it would begin ${opens}`);
  return no(`${target.name} is ${opening.why}${opens ? `; it opens ${opens}` : ''}`);
}
