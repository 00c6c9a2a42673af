import { nameValue } from './explain.ts';
import { endOf, parseWallTime } from './hours.ts';
import type { Remark } from './problem.ts';
import { type Source, select } from './source.ts';

/** A day of slack: a freeze is told in the target's time zone, and no warning may come before its end. */
const overAfterMs = 86_400_000;

/** Freezes that end before they begin, and those that are over. */
export function checkFreezes(source: Source, now: Date): Remark[] {
  return select(source.value, ['targets', '*', 'freezes', '*', 'until']).flatMap(({ path, value }): Remark[] => {
    const [from] = select(source.value, [...path.slice(0, -1), 'from']);
    const [start, end] = [from?.value, value].map((one) => (typeof one === 'string' ? parseWallTime(one) : null));
    if (!start || !end) return [];
    if (endOf(end) <= start.at)
      return [{ level: 'error', path, message: `${nameValue(source, path)} is not after its \`from\`` }];
    if (endOf(end) + overAfterMs > now.getTime()) return [];
    const message = `${nameValue(source, path)} is over: this freeze holds nothing back any more`;
    return [{ level: 'warning', path, message, hint: 'remove the entry' }];
  });
}
