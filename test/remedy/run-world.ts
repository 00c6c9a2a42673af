import type { Person, Risk } from '../../src/model.ts';
import { planByHand } from '../../src/remedy/by-hand.ts';
import type { RemedyContext } from '../../src/remedy/context.ts';
import type { Policy } from '../../src/remedy/policy.ts';
import { newRun } from '../../src/remedy/propose.ts';
import { ensureRunCard } from '../../src/state/cards.ts';
import { insertRun, readRun, type StoredRun } from '../../src/state/runs.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { openRemedy, planOf, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, newest, openDatabase } from '../support/servers.ts';
import { rowRunbooks } from './run-runbooks.ts';

export const people: readonly Person[] = ['U0MIRA', 'U0TOM', 'U0ANA'].map((userId) => ({ userId, teamId: 'T0ORDER' }));

export type Wire = 'state' | 'target';

/** A replica whose wires can be cut: to the others it is lost then, whatever it still does. */
export interface Replica {
  /** Of its present life: a restart begins another. */
  context: RemedyContext;
  stopping: AbortController;
  wires: Record<Wire, Proxy>;
  remedy: Remedy;
}

/** Two replicas and three runs, on a real state database and a real watched server. */
export interface World {
  number: number;
  state: Database;
  watched: Database;
  replicas: readonly [Replica, Replica];
  runs: StoredRun[];
  /** What was begun and not waited for, and what it threw. */
  underWay: Promise<unknown>[];
  errors: unknown[];
}

/** By its number, worlds on one server are told apart: each begins to count its runs elsewhere. */
export async function openWorld({ server, name }: Database, number: number): Promise<World> {
  const [state, watched] = [await createDatabase(newest), await openDatabase(server, name)];
  const open = (owner: string) => openReplica(owner, { watched, state, number });
  const world = { number, state, watched, replicas: [await open('first'), await open('second')] as const };
  await state.run(`alter sequence pgorderly.runs_id_seq restart with ${number * 100_000}`);
  return { ...world, runs: [], underWay: [], errors: [] };
}

export async function closeWorld({ replicas }: World): Promise<void> {
  for (const { remedy, wires } of replicas) {
    await remedy.close();
    await Promise.all([wires.state.close(), wires.target.close()]);
  }
}

/** One run that is short, and two that last: these must wait for each other. All need two people. */
export async function proposeRuns(world: World, pid: string): Promise<void> {
  const { context } = world.replicas[0];
  await world.state.run('truncate pgorderly.runs cascade');
  Object.assign(world, { underWay: [], errors: [] });
  world.runs = [await propose(context, { label: newLabel(), pid })];
  for (let count = 0; count < 2; count++) world.runs.push(await propose(context, { label: newLabel() }));
}

/** How often a run was carried out, as the watched server shows. */
export async function countActs({ watched }: World, run: StoredRun): Promise<number> {
  const { label } = planOf(run).params;
  const { rows } = await watched.run('select count(*)::int as count from acts where run = $1', [label]);
  return rows[0].count;
}

let labels = 0;

function newLabel(): string {
  return `row ${++labels}`;
}

async function propose(context: RemedyContext, params: Record<string, string>): Promise<StoredRun> {
  const [target = ''] = context.targets.keys();
  const runbook = params['pid'] === undefined ? 'slow-row' : 'quick-row';
  const { plan, text, hash, does } = await planByHand(context, { runbook, target, params });
  const asked = { does, alertId: null, askedBy: null, follows: null, trace: null };
  const id = await insertRun(context.pool, newRun(plan, { text, hash }, asked));
  const run = id === null ? null : await readRun(context.pool, id);
  if (!run) throw new Error('the run was not stored');
  await ensureRunCard(context.pool, run.id, 'C0OPS');
  return run;
}

interface Place {
  watched: Database;
  state: Database;
  number: number;
}

async function openReplica(owner: string, { watched, state, number }: Place): Promise<Replica> {
  const { host, port } = watched.server;
  const path = `${host}/.s.PGSQL.${port}`;
  const wires = { state: await startProxy({ path }), target: await startProxy({ path }) };
  const through = (wire: Wire, user: string, { name }: Database) =>
    `postgres://${user}@127.0.0.1:${wires[wire].port}/${name}`;
  const remedy = await openRemedy({
    stateUrl: through('state', 'postgres', state),
    monitorUrl: watched.url('monitor'),
    signalUrl: through('target', 'actor', watched),
    actions: { maintain: through('target', 'keeper', watched) },
    targets: [`world-${number}`],
  });
  const targets = new Map([...remedy.context.targets].map(([name, target]) => [name, { ...target, policyFor }]));
  const stopping = new AbortController();
  const context = {
    ...remedy.context,
    runbooks: rowRunbooks,
    targets,
    owner,
    leaseSeconds: 1,
    stopping: stopping.signal,
  };
  return { context, stopping, wires, remedy };
}

function policyFor(risk: Risk): Policy {
  return { risk, people: 2, of: people.map(({ userId }) => userId), asker: 'counts' };
}
