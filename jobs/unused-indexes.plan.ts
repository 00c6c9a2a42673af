import type { IndexRow } from './unused-indexes.facts.ts';

/**
 * Which of the unused indexes may go together, the largest first: of those that find the rows of a foreign key the last
 * one stays, so that of two neither goes because of the other. Pure.
 */
export function planDrops(unused: readonly IndexRow[]): IndexRow[] {
  const gone = new Set<number>();
  const drops = [...unused].sort((a, b) => b.sizeBytes - a.sizeBytes);
  return drops.filter(({ oid, foreignKeys, isKeptForAnother }) => {
    const isSpared = foreignKeys.every((others) => others.some((other) => !gone.has(other)));
    // Once the other one is gone, this one is seen to be used, or it is found.
    if (isKeptForAnother || !isSpared) return false;
    gone.add(oid);
    return true;
  });
}
