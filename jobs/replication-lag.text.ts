import type { Lag } from './replication-lag.measure.ts';
import type { Standby } from './replication-lag.standbys.ts';
import { inWords } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';

/** What is wrong in one sentence; then how bad, where it is held up, and what to do. */
export function describeLag(standby: Standby, lag: Lag, isMissing: boolean): { title: string; summary: string } {
  const who = standby.isConfigured ? `standby ${standby.name}` : `standby ${standby.name} (not a configured node)`;
  return {
    title: isMissing ? `${who} streams from nobody` : `${who} is ${distanceOf(lag)}`,
    summary: [stagesOf(lag), ...reasonsFor(standby, lag, isMissing)].filter((line) => line !== '').join('\n'),
  };
}

function distanceOf({ unreplayedBytes, unflushedBytes, lagSeconds }: Lag): string {
  const bytes = inBytes(unreplayedBytes ?? unflushedBytes ?? 0);
  return isLate(lagSeconds) ? `${bytes} and ${inWords(lagSeconds)} behind` : `${bytes} behind`;
}

/** Less is between two looks at two nodes. */
function isLate(seconds: number | null): seconds is number {
  return seconds !== null && seconds >= 1;
}

function stagesOf({ unsentBytes, unflushedBytes, unreplayedBytes, lagSeconds }: Lag): string {
  const stages = [
    unreplayedBytes === null ? '' : `${inBytes(unreplayedBytes)} not replayed`,
    unflushedBytes === null ? '' : `${inBytes(unflushedBytes)} not received`,
    unsentBytes === null ? '' : `${inBytes(unsentBytes)} not sent`,
  ].filter((stage) => stage !== '');
  if (stages.length === 0) return '';
  return `${stages.join(', of that ')}${isLate(lagSeconds) ? `; the oldest was written ${inWords(lagSeconds)} ago` : ''}.`;
}

function reasonsFor(standby: Standby, lag: Lag, isMissing: boolean): string[] {
  const { position, upstream, isConfigured } = standby;
  const { stalled, isShrinking, awaySeconds } = lag;
  return [
    isMissing ? awayText(standby, lag) : '',
    position?.isPaused ? 'Replay is paused there: select pg_catalog.pg_wal_replay_resume(); lets it go on.' : '',
    position && position.delaySeconds > 0
      ? `It is told to stay ${inWords(position.delaySeconds)} behind (recovery_min_apply_delay), which is subtracted.`
      : '',
    stalled && !position?.isPaused ? 'It has replayed nothing since the last look.' : '',
    isShrinking ? 'It is catching up.' : '',
    position?.hasArchive && !position.hasReceiver ? 'It streams from nobody and is fed from an archive.' : '',
    upstream !== null && awaySeconds === null ? `It streams from ${upstream}.` : '',
    isConfigured || upstream === null ? '' : 'Only its bytes are known; add it to the nodes to know why it is behind.',
  ];
}

/** "For 6 min" where that was seen; at the first look nobody knows since when. */
function awayText({ position }: Standby, { awaySeconds }: Lag): string {
  const isDated = awaySeconds !== null && awaySeconds > 0 && awaySeconds < 10 * 365 * 86_400;
  const since = isDated ? ` for ${inWords(awaySeconds)}` : '';
  if (!position) return `It does not answer, and no node that does has listed it${since}.`;
  if (!position.hasReceiver) return `It has no WAL receiver${since}: see primary_conninfo and its log.`;
  const status = position.receiverStatus === 'streaming' ? 'has heard nothing' : `is ${position.receiverStatus}`;
  return `Its WAL receiver ${status}${since}: see the network and the log of its upstream.`;
}
