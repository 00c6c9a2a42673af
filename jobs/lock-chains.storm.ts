import type { Storm } from '../src/model.ts';
import { findChains, type LockFacts, longestWaiter } from './lock-chains.chain.ts';
import type { LockMemory } from './lock-chains.memory.ts';
import { recallLocks } from './lock-chains.memory.ts';
import { drawTree } from './lock-chains.tree.ts';

/** DEFAULTS: so many that wait for one thing, each for so long. */
const victimsOfStorm = 5;
const stormSeconds = 10;

/** What many wait for, the one with most victims first. */
export function findStorms(read: LockFacts, memory: LockMemory | null): Storm[] {
  const facts = memory ? recallLocks(read, memory) : read;
  const isLong = ({ waitSeconds }: { waitSeconds: number | null }) => (waitSeconds ?? 0) >= stormSeconds;
  if (facts.sessions.filter(isLong).length < victimsOfStorm) return [];
  const storms = new Map<string, Storm>();
  for (const chain of findChains(facts)) {
    const victims = chain.waiters;
    const { key, name } = chain.object;
    if (storms.has(key) || victims.filter(isLong).length < victimsOfStorm) continue;
    const longest = longestWaiter(chain);
    storms.set(key, {
      fingerprint: key,
      victimCount: victims.length,
      longestWaitSeconds: longest?.waitSeconds ?? null,
      evidence: drawTree(chain),
      facts: { object: name, database: chain.database, root: chain.root, waitSource: longest?.waitSource },
    });
  }
  return [...storms.values()];
}
