import type { Chain } from './lock-chains.chain.ts';
import { count } from './shared/sessions.ts';

/** So many of one chain wait for one object in one mode. */
export interface Waits {
  object: string;
  mode: string | null;
  sessions: number;
}

/** What the victims wait for, by object and mode, most first. */
export function waitsOf({ waiters, objectOf }: Chain): Waits[] {
  const tally = new Map<string, Waits>();
  for (const session of waiters) {
    const { key, name } = objectOf(session);
    const known = tally.get(`${key} ${session.mode}`);
    if (known) known.sessions += 1;
    else tally.set(`${key} ${session.mode}`, { object: name, mode: session.mode, sessions: 1 });
  }
  return [...tally.values()].sort((a, b) => b.sessions - a.sessions);
}

/** "37 sessions want AccessShareLock on shop.orders", a line each. */
export function listWaits(waits: readonly Waits[]): string[] {
  return waits.map(({ object, mode, sessions }) => {
    return `${count(sessions, 'session')} ${sessions === 1 ? 'wants' : 'want'} ${mode} on ${object}`;
  });
}
