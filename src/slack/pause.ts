import type { Text } from '../model.ts';
import { listPeople } from '../remedy/policy.ts';
import { type Stopped, stopRun } from '../remedy/stop.ts';
import { appendAudit } from '../state/audit.ts';
import { wantProposalCards } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import type { InboxItem } from '../state/inbox.ts';
import { findRunsUnderWay } from '../state/stops.ts';
import { type Pause, readPause, setPause } from '../state/switches.ts';
import type { SlackContext } from './context.ts';
import type { Handled } from './handle.ts';

/** Anybody may; with `--stop` what is under way is stopped too, as far as this person may. */
export async function pause(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const stopped = item.payload['stop'] === 'yes' ? await stopAll(db, item) : [];
  const before = await readPause(db);
  if (!before) await setPause(db, true, item.person.userId, item.payload['reason'] || null);
  const channels = [...(before ? [] : await wantProposalCards(db)), ...stopped.flatMap(({ channel }) => channel ?? [])];
  for (const { event } of stopped) if (event) await appendAudit(db, event);
  if (!before) await auditSwitch(db, item, 'actions.paused');
  return {
    answer: [...(before ? tellPausedAlready(before) : tellPaused), ...tellStopped(item, stopped)],
    nudges: nudgesOf(context, channels),
  };
}

export async function resume(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const approvers = [...context.approvers];
  if (!approvers.includes(item.person.userId)) {
    await auditSwitch(db, item, 'actions.resume-refused');
    const answer: Text = [
      'Not done: only approvers may resume; anybody may pause. Ask one of ',
      ...listPeople(approvers),
    ];
    return { answer: [...answer, '.'], nudges: [] };
  }
  if (!(await readPause(db))) return { answer: ['Actions are not paused; nothing was changed.'], nudges: [] };
  await setPause(db, false, item.person.userId, null);
  const channels = await wantProposalCards(db);
  await auditSwitch(db, item, 'actions.resumed');
  return { answer: ['Resumed: what is approved from now on runs again.'], nudges: nudgesOf(context, channels) };
}

const tellPaused: Text = [
  'Paused: no new action starts on any target. Approvers end it with ',
  { code: '/pg resume' },
  '.',
];

function tellPausedAlready({ by, reason }: Pause): Text {
  return ['Actions are paused already, by ', { user: by }, `${reason ? `: ${reason}` : ''}.`];
}

async function stopAll(db: Queryable, { person, payload }: InboxItem): Promise<Stopped[]> {
  const reason = payload['reason'] || 'all actions are paused';
  const stopped: Stopped[] = [];
  for (const runId of await findRunsUnderWay(db)) stopped.push(await stopRun(db, { runId, person, reason }));
  // What ends by itself within seconds is not worth a word.
  return stopped.filter(({ outcome }) => outcome !== 'nothing-to-stop');
}

function tellStopped({ payload }: InboxItem, stopped: readonly Stopped[]): Text {
  if (payload['stop'] !== 'yes') return [];
  if (stopped.length === 0) return [' Nothing under way had to be stopped.'];
  return stopped.flatMap(({ answer }): Text => ['\n', ...answer]);
}

async function auditSwitch(db: Queryable, item: InboxItem, kind: string): Promise<void> {
  await appendAudit(db, { kind, actor: item.person.userId, detail: { reason: item.payload['reason'] ?? null } });
}

function nudgesOf({ remedy }: SlackContext, channels: readonly string[]): Handled['nudges'] {
  return [...new Set(channels)].map((channel) => () => remedy.nudges.channel(channel));
}
