import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { verify } from '../../src/cli/audit.ts';
import { codeOf } from '../../src/errors.ts';
import { readRun, type StoredRun } from '../../src/state/runs.ts';
import { setPause } from '../../src/state/switches.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { acts } from './run-runbooks.ts';
import { manySteps, rejoin, sweep, take } from './run-steps.ts';
import { closeWorld, countActs, openWorld, proposeRuns, type World } from './run-world.ts';

/** A world for each, all at once: most of the time is spent in waiting. */
const seeds = [1, 2, 3, 4];
const numRuns = process.env['FULL'] ? 40 : 5;
const timeout = 20_000 * numRuns;

let watched: Database;
let worlds: World[];
let pid: string;

beforeAll(async () => {
  watched = await createDatabase(newest);
  await watched.run(acts);
});
failOnLeaks(() => watched);
beforeEach(async () => {
  worlds = await Promise.all(seeds.map((seed) => openWorld(watched, seed)));
  const { rows } = await (await watched.client('app')).query('select pg_backend_pid()::text as pid');
  pid = rows[0].pid;
});
afterEach(async () => {
  for (const world of worlds) await closeWorld(world);
});

it('carries a run out once at the most, and audits one end of each, whatever happens', { timeout }, async () => {
  const check = (world: World) =>
    fc.asyncProperty(manySteps, async (steps) => {
      await proposeRuns(world, pid);
      for (const step of steps) await take(world, step);
      await settle(world);
      await expectRightEnds(world);
    });
  await Promise.all(worlds.map((world) => fc.assert(check(world), { seed: world.number, numRuns })));
});

/** All wires are whole, time passes, and what is due is looked for: as long as a run has no verdict. */
async function settle(world: World): Promise<void> {
  world.replicas.forEach(rejoin);
  await world.state.run("update pgorderly.runs set expires_at = now() where state = 'proposed'");
  await until('every run to have a verdict', async () => {
    await setPause(world.replicas[0].context.pool, false, 'U0MIRA', null);
    for (const replica of world.replicas) await sweep(world, replica);
    await sleep(100);
    const { rows } = await world.state.run('select state from pgorderly.runs where finished_at is null');
    return rows.length === 0;
  });
  await Promise.all(world.underWay);
}

async function expectRightEnds(world: World): Promise<void> {
  for (const { id } of world.runs) {
    const run = (await readRun(world.replicas[0].context.pool, id)) as StoredRun;
    const { state, sentAt } = run;
    const seen = { state, acts: await countActs(world, run), audited: await readAudited(world, id) };
    const [sent, end] = [sentAt === null ? [] : ['run.sent'], `run.${state}`];
    expect(seen).toEqual({ state, acts: state === 'succeeded' ? 1 : 0, audited: [...sent, end] });
    expect(state).not.toBe('unknown');
  }
  // Of cut wires pg and Node say other things than an SQLSTATE; 57P01 is a session that was ended.
  const refused = world.errors.map(codeOf).filter((code) => /^\d[0-9A-Z]{4}$/.test(code ?? '') && code !== '57P01');
  expect(refused).toEqual([]);
  expect((await verify({ stateUrl: world.state.url() })).line).toContain('unbroken');
}

/** What the audit says of a run's act and its end, in order. */
async function readAudited({ state }: World, id: number): Promise<string[]> {
  const { rows } = await state.run(
    `select entry::jsonb ->> 'kind' as kind from pgorderly.audit where (entry::jsonb ->> 'run')::int = $1 order by seq`,
    [id],
  );
  const decisions = ['run.approved', 'run.counted', 'run.click-refused', 'run.stop-asked', 'run.stop-refused'];
  return rows.map(({ kind }) => kind).filter((kind) => !decisions.includes(kind));
}
