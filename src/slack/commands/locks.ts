import type { CheckResult, Finding, Text } from '../../model.ts';
import { keptDays, type LastStorm, readLastStorm } from '../../state/storm-samples.ts';
import { isWorse, worstMoment } from '../cards/worst.ts';
import type { SlackContext } from '../context.ts';
import { clock } from '../text.ts';

const job = 'lock-chains';
/** With the worst moment of a storm, as much as one answer holds. */
const mostTrees = 2;
/** A storm that was seen so lately lasts. */
const lastsMs = 60_000;

/** `/pg locks`: looks now and records nothing; then the worst moment of the last storm. */
export async function readLocks(context: SlackContext, target: string): Promise<Text> {
  if (!context.remedy.jobs.has(job)) return [`Nothing looks at locks: ${job} is switched off in the configuration.`];
  const [result, storm] = await Promise.all([
    context.remedy.recheck(job, target, { everything: true }),
    readLastStorm(context.remedy.pool, job, target),
  ]);
  return [...tellNow(result), ...tellStorm(storm, result, context.timezoneOf(target))];
}

function tellNow(result: CheckResult): Text {
  const { target, findings, durationMs } = result;
  const looked = `(looked just now, ${durationMs} ms)`;
  const blind = tellBlind(result);
  if (findings.length === 0) return blind.length > 0 ? blind : [`🟢 Nobody waits for a lock on ${target} ${looked}.`];
  const more = findings.length - mostTrees;
  return [
    `🔴 On ${target} ${looked}:`,
    ...findings.slice(0, mostTrees).flatMap(tellFinding),
    ...(more > 0 ? [`\n… and ${more} more that keep others waiting.`] : []),
    ...(blind.length > 0 ? ['\n', ...blind] : []),
  ];
}

function tellFinding({ title, node, facts, evidence }: Finding): Text {
  const object = String(facts['object'] ?? '').slice(0, 150);
  const what = title.includes(object) ? '' : `, for ${object}`;
  return [`\n${node}: ${title.slice(0, 200)}${what}\n`, { lines: evidence ?? '' }];
}

/** Never green for what was not judged. */
function tellBlind({ target, reason, unjudged }: CheckResult): Text {
  if (unjudged.length > 0) return [`⚪ ${target} not judged: ${unjudged[0]?.reason} ${unjudged[0]?.remedy}`];
  return reason !== null ? [`⚪ ${target} could not be looked at: ${reason}`] : [];
}

function tellStorm(storm: LastStorm | null, { findings }: CheckResult, timezone: string): Text {
  if (!storm) return [`\nNo storm was seen there in the last ${keptDays} days.`];
  const { worst, seenAt } = storm;
  const since = clock(worst.stormSince, timezone);
  const now = findings.find(({ fingerprint, node }) => fingerprint === worst.fingerprint && node === worst.node);
  const isOn = now !== undefined && Date.now() - seenAt.getTime() < lastsMs;
  if (isOn && !isWorse(worst, now)) return [`\nA storm since ${since}; it was at no time worse than now.`];
  const when = isOn ? `A storm since ${since}.` : `Last storm from ${since} to ${clock(seenAt, timezone)}.`;
  return [`\n${when} ${worstMoment(worst, timezone)}\n`, { lines: worst.evidence }];
}
