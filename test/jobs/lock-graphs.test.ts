import { beforeAll, describe, expect, it } from 'vitest';
import { gatherLocks } from '../../jobs/lock-chains.gather.ts';
import {
  type Blocker,
  freedBy,
  rootsOf,
  type Structure,
  structureOf,
  victimsOf,
} from '../../jobs/lock-chains.graph.ts';
import { blockersIn } from '../../jobs/lock-chains.queues.ts';
import { readStatement } from '../../src/detect/statements.ts';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { chain, type LockStorm, randomGraph, type Shape, star, tableQueue } from '../support/lock-storms.ts';
import { freedIn, readTruth, rootsIn, type Truth, victimsIn } from '../support/lock-truth.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';

/** `STORM=500` is the size that counts; `SEED=1,2,3` makes those random graphs, and none gives fresh ones. */
const size = Number(process.env['STORM'] ?? 40);
const seeds = process.env['SEED']?.split(',').map(Number) ?? [1, 2, 3, Date.now() % 1e9];
const oldestAndNewest = majors.filter((major) => [Math.min(...majors), Math.max(...majors)].includes(major));
const shapes: [string, Shape][] = [
  ['a chain', chain],
  ['a row-lock star', star],
  ['a table queue', tableQueue],
  ...seeds.map((seed): [string, Shape] => [`the random graph SEED=${seed}`, randomGraph(seed)]),
];
const byNumber = (pids: Iterable<number>) => [...pids].sort((a, b) => a - b);
/** As `pg_blocking_pids` names it. */
const pidOf = (blocker: Blocker) => (typeof blocker === 'string' ? 0 : blocker);

describe.each(oldestAndNewest)('the graph of locks on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);

  it.each(shapes)('has the roots of %s, and the victims of each', { timeout: 300_000 }, async (_, shape) => {
    const reader = new Reader({ name: 'main', url: database.url('monitor') });
    const storm = await shape(database, size);
    try {
      const { truth, graph, blockedBy } = await readBoth(storm, reader);
      expect(truth.size).toBeGreaterThan(size / 2);
      expect(byNumber(new Set(rootsOf(graph).map(pidOf))), storm.name).toEqual(rootsIn(truth));
      for (const root of rootsIn(truth)) expect(victimsOfPid(graph, root), storm.name).toEqual(victimsIn(truth, root));
      for (const gone of [...truth.keys(), ...rootsIn(truth)].filter((pid) => pid !== 0))
        expect(byNumber(freedBy(graph, gone)), storm.name).toEqual(freedIn(truth, gone));
      for (const [pid, blockers] of blockedBy)
        expect([...(truth.get(pid) ?? [])]).toEqual(expect.arrayContaining([...blockers]));
      const edges = [...graph.blockersOf.values()].reduce((sum, blockers) => sum + blockers.length, 0);
      expect(edges / truth.size, storm.name).toBeLessThanOrEqual(2);
    } finally {
      await storm.end();
      await reader.close();
    }
  });

  /** At a moment when nothing moves. */
  function readBoth(storm: LockStorm, reader: Reader) {
    return until('nothing to move', async () => {
      const run = (sql: string) => database.run(sql);
      const before = await readTruth(run, storm);
      const { queues } = await gatherLocks((statement, params) =>
        reader.ask(readStatement('lock-chains', statement), params),
      );
      const truth = await readTruth(run, storm);
      const graph = structureOf(queues);
      const blockedBy = queues.flatMap((queue) =>
        queue.waiters.map((waiter) => [waiter.who, blockersIn(queue, waiter, 20).map(pidOf)] as const),
      );
      return isSame(before, truth) && { truth, graph, blockedBy };
    });
  }
});

function victimsOfPid(graph: Structure, root: number): number[] {
  const blockers = rootsOf(graph).filter((blocker) => pidOf(blocker) === root);
  return byNumber(new Set(blockers.flatMap((blocker) => [...victimsOf(graph, blocker).keys()])));
}

function isSame(one: Truth, other: Truth): boolean {
  const text = (truth: Truth) => JSON.stringify([...truth].map(([pid, blockers]) => [pid, byNumber(blockers)]));
  return text(one) === text(other);
}
