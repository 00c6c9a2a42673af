import fc from 'fast-check';
import { decideRun } from '../../src/remedy/decide.ts';
import { executeRun } from '../../src/remedy/execute.ts';
import { expireProposals } from '../../src/remedy/expire.ts';
import { recoverRun } from '../../src/remedy/recover.ts';
import { applicationName } from '../../src/remedy/session.ts';
import { stopRun } from '../../src/remedy/stop.ts';
import { appendAudit } from '../../src/state/audit.ts';
import { transaction } from '../../src/state/database.ts';
import { findDueRuns, handOverAll } from '../../src/state/leases.ts';
import { setPause } from '../../src/state/switches.ts';
import { people, type Replica, type Wire, type World } from './run-world.ts';

/** What may happen to runs, to those who decide on them and to those who carry them out; all but ids are list places. */
type Step =
  | { what: 'click'; run: number; replica: number; person: number; verdict: 'yes' | 'no' }
  | { what: 'work'; run: number; replica: number }
  | { what: 'sweep' | 'stop' | 'rejoin'; replica: number }
  | { what: 'cut' | 'isolate'; replica: number; wire: Wire }
  | { what: 'wish stop'; run: number; replica: number; person: number }
  | { what: 'lose lease' | 'expire' | 'end session'; run: number }
  | { what: 'pause' | 'resume' }
  | { what: 'wait'; ms: number };

const [run, replica, person] = [fc.nat({ max: 2 }), fc.nat({ max: 1 }), fc.nat({ max: 2 })];
const wire = fc.constantFrom<Wire>('state', 'target');
const is = <T extends string>(what: T) => fc.constant(what);

/** Work and lost leases are the most of it, or nothing would be sent that could be sent twice. */
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: is('click'), run, replica, person, verdict: is('yes') }) },
  { weight: 1, arbitrary: fc.record({ what: is('click'), run, replica, person, verdict: is('no') }) },
  { weight: 12, arbitrary: fc.record({ what: is('work'), run, replica }) },
  { weight: 6, arbitrary: fc.record({ what: is('wait'), ms: fc.constantFrom(1, 5, 20, 50, 100, 400) }) },
  { weight: 6, arbitrary: fc.record({ what: is('lose lease'), run }) },
  { weight: 2, arbitrary: fc.record({ what: is('cut'), replica, wire }) },
  { weight: 1, arbitrary: fc.record({ what: is('isolate'), replica, wire }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('sweep', 'rejoin'), replica }) },
  { weight: 1, arbitrary: fc.record({ what: is('stop'), replica }) },
  { weight: 2, arbitrary: fc.record({ what: is('wish stop'), run, replica, person }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('expire', 'end session'), run }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('pause', 'resume', 'resume') }) },
);

/** Most runs are approved in the beginning, by two people at once who reach different replicas. */
export const manySteps: fc.Arbitrary<Step[]> = fc
  .tuple(fc.subarray([0, 1, 2], { minLength: 1 }), fc.array(anyStep, { minLength: 10, maxLength: 40, size: 'max' }))
  .map(([approved, steps]) => [...approved.flatMap(approvedBy(0, 1)), ...steps]);

function approvedBy(...persons: number[]): (run: number) => Step[] {
  return (one) => persons.map((who) => ({ what: 'click', run: one, replica: who, person: who, verdict: 'yes' }));
}

/** Does what a step says. What takes time is begun and goes on beside the steps that follow. */
export async function take(world: World, step: Step): Promise<void> {
  const { state, watched, runs } = world;
  const id = 'run' in step ? runs[step.run]?.id : undefined;
  const on = 'replica' in step ? (world.replicas[step.replica] as Replica) : world.replicas[0];
  switch (step.what) {
    case 'click':
      return begin(world, () => click(world, on, step));
    case 'work':
      return begin(world, () => work(on, id ?? 0));
    case 'sweep':
      return begin(world, () => sweep(world, on));
    case 'stop':
      return begin(world, () => stop(on));
    case 'cut':
      return on.wires[step.wire].cut();
    case 'isolate':
      on.wires[step.wire].mode('reset');
      return on.wires[step.wire].cut();
    case 'rejoin':
      return rejoin(on);
    case 'lose lease':
      return void (await state.run("update pgorderly.runs set lease_until = now() - interval '1 s' where id = $1", [
        id,
      ]));
    case 'expire':
      return void (await state.run('update pgorderly.runs set expires_at = now() where id = $1', [id]));
    case 'wish stop':
      return begin(world, () => wishStop(world, on, step));
    case 'end session':
      return void (await watched.run(endSession, [applicationName(id ?? 0)]));
    case 'pause':
    case 'resume':
      return begin(world, () => setPause(on.context.pool, step.what === 'pause', 'U0MIRA', null));
    default:
      return new Promise((resolve) => setTimeout(resolve, step.ms));
  }
}

const endSession = 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1';

/** Looks for what is due, as the service's sweep does, and works on it. */
export async function sweep(world: World, on: Replica): Promise<void> {
  await expireProposals(on.context);
  for (const id of await findDueRuns(on.context.pool)) begin(world, () => work(on, id));
}

export function rejoin({ wires }: Replica): void {
  for (const wire of Object.values(wires)) wire.mode('pass');
}

/** Throws nothing: a replica whose wires are cut may break in any way; the next one goes on from what is stored. */
function begin(world: World, what: () => Promise<unknown>): void {
  world.underWay.push(what().catch((error) => world.errors.push(error)));
}

/** As the service does for an entry of its queue. */
async function work({ context }: Replica, id: number): Promise<void> {
  await executeRun(context, id);
  await recoverRun(context, id);
}

/** As at a deploy: it works on nothing more, and is there again at once as another one. */
async function stop(on: Replica): Promise<void> {
  const { pool, owner } = on.context;
  on.stopping.abort();
  on.stopping = new AbortController();
  on.context = { ...on.context, owner: `${owner}'`, stopping: on.stopping.signal };
  await handOverAll(pool, owner);
}

/** As `/pg stop` does: what has not begun is withdrawn. */
async function wishStop({ runs }: World, { context }: Replica, step: Step & { what: 'wish stop' }): Promise<void> {
  const [run, person] = [runs[step.run], people[step.person]];
  if (!run || !person) throw new Error('no such run or person');
  await transaction(context.pool, async (db) => {
    const { event } = await stopRun(db, { runId: run.id, person, reason: null });
    if (event) await appendAudit(db, event);
  });
}

async function click(world: World, { context }: Replica, step: Step & { what: 'click' }): Promise<void> {
  const [run, person] = [world.runs[step.run], people[step.person]];
  if (!run || !person) throw new Error('no such run or person');
  const { id: runId, planHash } = run;
  const pressed = { runId, planHash, person, verdict: step.verdict, typed: null, trace: 'test' };
  await transaction(context.pool, (db) => decideRun(context, db, pressed));
}
