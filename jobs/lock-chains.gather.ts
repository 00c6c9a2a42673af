import type { Ask } from '../src/detect/job.ts';
import type { LockFacts, RelationName } from './lock-chains.chain.ts';
import type { Blocker, ChainSession, PreparedWait } from './lock-chains.graph.ts';
import { type Answers, settle, unsettled } from './lock-chains.order.ts';
import { blockersIn, type Mode, type Place, type Queue } from './lock-chains.queues.ts';

/** One row of lock-chains.sql; pid 0 stands for all prepared transactions. */
interface LockRow extends Omit<ChainSession, 'blockedBy'> {
  places: readonly LockPlace[] | null;
}

type LockPlace = readonly [queue: number, mode: Mode, isGranted: boolean, transaction: string | null];

/** So many are named of those whom one session waits for; who could list 500 would list them for 500. */
const blockersNamed = 20;

export async function gatherLocks(ask: Ask): Promise<LockFacts> {
  const rows = (await ask()) as unknown as LockRow[];
  const isPreparedInvolved = rows.some(({ pid }) => pid === 0);
  const prepared = (isPreparedInvolved ? await ask('prepared') : []) as unknown as PreparedWait[];
  const queues = await settleQueues(readQueues(rows, prepared), ask);
  const blockedBy = blockersOf(queues);
  const sessions = rows
    .filter(({ pid }) => pid !== 0)
    .map(({ places, ...row }): ChainSession => ({ ...row, blockedBy: blockedBy.get(row.pid) ?? null }));
  const oids = sessions.flatMap(({ relationOid, rowOf, writes }) => [relationOid, rowOf, ...(writes ?? [])]);
  const known = [...new Set(oids.filter((oid) => oid !== null))];
  // Names may be refused: pg_class itself may be what is locked. The finding says "relation 16423" then.
  const names = known.length > 0 ? await ask('names', [known]).catch(() => []) : [];
  return { sessions, queues, prepared, names: names as unknown as RelationName[] };
}

/** The longest waits first, which is about their order. */
function readQueues(rows: readonly LockRow[], prepared: readonly PreparedWait[]): Queue[] {
  const known = new Set(rows.map(({ pid }) => pid));
  const gids = new Map(prepared.map(({ virtualTransaction, gid }) => [virtualTransaction, gid]));
  const queues = new Map<number, { holders: Place<Blocker>[]; waiters: Place<number>[] }>();
  for (const { pid, leaderPid, places } of [...rows].sort((a, b) => (b.waitSeconds ?? 0) - (a.waitSeconds ?? 0))) {
    const session = leaderPid !== null && known.has(leaderPid) ? leaderPid : pid;
    for (const [number, mode, isGranted, transaction] of places ?? []) {
      const queue = queues.get(number) ?? { holders: [], waiters: [] };
      queues.set(number, queue);
      const holder = transaction === null ? session : gids.get(transaction);
      if (!isGranted) queue.waiters.push({ who: session, mode });
      else if (holder !== undefined) queue.holders.push({ who: holder, mode });
    }
  }
  return [...queues.values()].filter(({ waiters }) => waiters.length > 0);
}

async function settleQueues(queues: readonly Queue[], ask: Ask): Promise<Queue[]> {
  const asked = queues.flatMap(unsettled);
  const rows = asked.length > 0 ? await ask('order', [[...new Set(asked)]]) : [];
  const answers: Answers = new Map(rows.map((row) => [row['pid'] as number, new Set(row['blockedBy'] as number[])]));
  return queues.map((queue) => settle(queue, answers));
}

function blockersOf(queues: readonly Queue[]): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const queue of queues) {
    for (const waiter of queue.waiters) {
      const pids = blockersIn(queue, waiter, blockersNamed).map((blocker) =>
        blocker === String(blocker) ? 0 : Number(blocker),
      );
      found.set(waiter.who, [...new Set([...(found.get(waiter.who) ?? []), ...pids])]);
    }
  }
  return found;
}
