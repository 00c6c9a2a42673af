import type pg from 'pg';
import type { LockStorm } from './lock-storms.ts';

/** Whom `pg_blocking_pids` names for each that waits, parallel groups as their leader; 0 is a prepared transaction. */
export type Truth = ReadonlyMap<number, ReadonlySet<number>>;

export async function readTruth(
  run: (sql: string) => Promise<pg.QueryResult>,
  storm: Pick<LockStorm, 'pids' | 'leader'>,
): Promise<Truth> {
  const { rows } = await run(
    'select distinct pid, pg_blocking_pids(pid) as blockers from pg_locks where not granted order by pid',
  );
  const truth = new Map<number, Set<number>>();
  for (const { pid, blockers } of rows as { pid: number; blockers: number[] }[]) {
    const waiter = storm.pids.includes(pid) ? pid : (storm.leader ?? pid);
    truth.set(waiter, new Set([...(truth.get(waiter) ?? []), ...blockers]));
  }
  return truth;
}

export function rootsIn(truth: Truth): number[] {
  const blockers = new Set([...truth.values()].flatMap((each) => [...each]));
  return [...blockers].filter((pid) => !truth.has(pid)).sort((a, b) => a - b);
}

/** Everyone from whom this one can be reached. */
export function victimsIn(truth: Truth, root: number): number[] {
  const found = new Set([root]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [waiter, blockers] of truth) if ([...blockers].some((pid) => found.has(pid))) found.add(waiter);
  }
  return [...found].filter((pid) => pid !== root).sort((a, b) => a - b);
}

/** Everyone all of whose blockers are gone or freed. */
export function freedIn(truth: Truth, gone: number): number[] {
  const past = new Set([gone]);
  for (let before = 0; before < past.size; ) {
    before = past.size;
    for (const [waiter, blockers] of truth) if ([...blockers].every((pid) => past.has(pid))) past.add(waiter);
  }
  return [...past].filter((pid) => pid !== gone).sort((a, b) => a - b);
}
