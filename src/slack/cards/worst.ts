import type { Finding } from '../../model.ts';
import { formatSeconds } from '../../remedy/before-after.ts';
import type { StormSample } from '../../state/storm-samples.ts';
import { clock } from '../text.ts';

/** "At its worst, 02:44:31: 37 sessions waited, the longest for 6 min 10 s." */
export function worstMoment(worst: StormSample, timezone: string): string {
  const { at, victimCount, longestWaitSeconds } = worst;
  const isBound = worst.facts['waitSource'] === 'query_start';
  const longest =
    longestWaitSeconds === null
      ? ''
      : `, the longest for ${isBound ? 'at most ' : ''}${formatSeconds(longestWaitSeconds)}`;
  return `At its worst, ${clock(at, timezone)}: ${victimCount} sessions waited${longest}.`;
}

/** Whether more waited then, or as many for longer, than the finding says. */
export function isWorse(worst: StormSample | null, { facts }: Finding): worst is StormSample {
  const { victimCount, longestWaitSeconds } = facts as Record<string, number | null | undefined>;
  if (worst === null) return false;
  const isLonger = (worst.longestWaitSeconds ?? 0) > (longestWaitSeconds ?? 0);
  return worst.victimCount > (victimCount ?? 0) || (worst.victimCount === victimCount && isLonger);
}
