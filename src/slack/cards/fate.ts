import type { Plan } from '../../remedy/plan.ts';
import { listPeople } from '../../remedy/policy.ts';
import { formatMoment } from '../../remedy/window.ts';
import { clock, plain, toMrkdwn } from '../text.ts';
import type { ShownRun } from './read.ts';
import type { RunView } from './run-blocks.ts';

/** What became of a run, in one line. */
export function fate(view: RunView, plan: Plan): string {
  const { run, timezone } = view;
  const what = nameOf(run);
  const by = approvedBy(view);
  const why = run.outcome ? `: ${plain(run.outcome, 800)}` : '';
  switch (run.state) {
    case 'approved':
      return `✅ Approved by ${by} · ${what} ${run.ahead === null ? 'is about to start' : `waits for R-${run.ahead} to end`}`;
    case 'scheduled':
      return `🗓 Approved by ${by} · ${what} ${schedule(view)}`;
    case 'running':
      return `✅ Approved by ${by} · running ${what}`;
    case 'recovering':
      return `⚠️ Approved by ${by} · ${what} lost its worker; looking at the server`;
    case 'succeeded':
      return `✅ ${what}, approved by ${by} · done${why}${run.beforeAfter ? `\nBefore → after: ${plain(run.beforeAfter, 1_000)}` : ''}`;
    case 'denied': {
      const no = run.approvals.find((one) => one.verdict === 'no');
      return `⛔ ${what} denied by ${toMrkdwn([{ user: no?.person.userId ?? '' }])}${no ? ` ${clock(no.at, timezone)}` : ''}`;
    }
    case 'unknown':
      return `⚠️ ${what}${why}`;
    case 'stopped':
      return `🛑 ${what} stopped${stoppedBy(run)}${why}`;
    case 'withdrawn':
      return `↩️ ${what} withdrawn${stoppedBy(run)}${why}`;
    case 'expired':
      return isApproved(run, plan)
        ? `⌛ ${what} expired: approved by ${by}, and it could not begin in time`
        : `⌛ ${what} expired: nobody answered in time (needed ${plan.policy.people})`;
    default:
      return `✗ ${what} ${run.state}${why}`;
  }
}

/** "cleans up after R-12"; null for a run that follows none. */
export function originOf({ follows, followsAs }: ShownRun): string | null {
  if (follows === null) return null;
  return followsAs === 'undo' ? `takes back R-${follows}` : `cleans up after R-${follows}`;
}

/** "drop-invalid-index (R-13, cleans up after R-12)". */
export function nameOf(run: ShownRun): string {
  const origin = originOf(run);
  return `${run.runbook} (R-${run.id}${origin === null ? '' : `, ${origin}`})`;
}

/** The people, whether the asker was alone, and when. */
export function approvedBy({ run, timezone }: RunView): string {
  const yes = run.approvals.filter((one) => one.verdict === 'yes');
  const last = yes.at(-1);
  const at = last ? ` ${clock(last.at, timezone)}` : '';
  return `${toMrkdwn(listPeople(yes.map((one) => one.person.userId)))}${alone(run)}${at}`;
}

function schedule({ run, timezone, isPaused }: RunView): string {
  const startsAt = run.startsAt === null ? 'later' : formatMoment(run.startsAt, timezone);
  const paused = isPaused ? '; actions are paused, and it begins once they are resumed' : '';
  return `starts ${startsAt}, when its window opens${paused}. The approval ends ${formatMoment(run.expiresAt, timezone)}`;
}

function stoppedBy({ stopBy }: ShownRun): string {
  return stopBy === null ? '' : ` by ${toMrkdwn([{ user: stopBy }])}`;
}

function isApproved({ approvals }: ShownRun, { policy }: Plan): boolean {
  return approvals.filter((one) => one.verdict === 'yes').length >= policy.people;
}

/** That an asker approved alone, and why: the channel is told. */
function alone({ approvals, askedBy }: ShownRun): string {
  const own = approvals.find((one) => one.verdict === 'yes' && one.person.userId === askedBy?.userId);
  return own?.reason ? ` alone (${plain(own.reason, 300)})` : '';
}
