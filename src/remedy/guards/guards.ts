import { explain } from '../../errors.ts';
import type { Unjudged } from '../../model.ts';
import { countSignals } from '../../state/runs.ts';
import { readPause } from '../../state/switches.ts';
import { findTwins } from '../../state/targets.ts';
import { probeSql, toProbe } from '../../targets/probe.ts';
import { noOtherWork, noQueuedDdl, noWraparoundVacuum } from './activity.ts';
import { maySignal, notProtected, stillTrue } from './backend.ts';
import { whyBlind } from './blind.ts';
import { spaceIsForPeople, withinStopLimits } from './budget.ts';
import { notJustRebuilt, oneDropADay } from './history.ts';
import { sameInstance } from './instance.ts';
import { adviseGrant, type Membership, mayAct } from './privilege.ts';
import { sameRelation, workable } from './relation.ts';
import { noOldTransactions, noPreparedTransaction } from './transactions.ts';
import { type Guard, type GuardInput, no, type Verdict, yes } from './verdict.ts';
import { soundVersion } from './version.ts';
import { withinWindow } from './window.ts';

/** DEFAULTS: at most this many signals on a target within ten minutes. */
const maxSignals = 5;

/** In this order, each with its reason; the first that refuses ends the run. */
const guards: readonly Guard[] = [
  notPaused,
  withinWindow,
  blastRadius,
  directConnection,
  mayRead,
  sameServer,
  sameInstance,
  rightNode,
  onePrimary,
  noTwin,
  sameRelation,
  workable,
  mayAct,
  soundVersion,
  notJustRebuilt,
  oneDropADay,
  withinStopLimits,
  spaceIsForPeople,
  noWraparoundVacuum,
  noOtherWork,
  noQueuedDdl,
  noPreparedTransaction,
  noOldTransactions,
  notProtected,
  maySignal,
  stillTrue,
  stillFound,
];

/** Runs the guards until one refuses; returns what each said. */
export async function runGuards(input: GuardInput): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const guard of guards) {
    const verdict = await guard(input).catch((error) => whyBlind(guard, input, error));
    if (verdict) verdicts.push(verdict);
    if (verdict?.ok === false) break;
  }
  return verdicts;
}

/** Asks every guard, also after one that refuses; one that fails says why it cannot judge. */
export async function weighGuards(input: GuardInput): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const guard of guards) {
    const verdict = await guard(input)
      .catch((error) => whyBlind(guard, input, error))
      .catch((error) => no(`cannot be judged: ${explain(error)}`));
    if (verdict) verdicts.push(verdict);
  }
  return verdicts;
}

async function notPaused({ context }: GuardInput): Promise<Verdict | null> {
  const pause = await readPause(context.pool);
  return pause ? no('actions are paused') : null;
}

async function blastRadius({ context, plan }: GuardInput): Promise<Verdict | null> {
  if (plan.class !== 'signal') return null;
  const count = await countSignals(context.pool, plan.target);
  return count < maxSignals
    ? null
    : no(`${count} signals were sent on ${plan.target} within 10 minutes, the limit is ${maxSignals}`);
}

async function directConnection({ session }: GuardInput): Promise<Verdict | null> {
  const { rows } = await session.query('select pg_backend_pid() as pid');
  return rows[0]?.['pid'] === session.greetedPid
    ? null
    : no('the action URL goes through a connection pooler; it must reach the server directly');
}

/** Without it every session looks changed, and a standby hides its timeline: who cannot see must not say "gone". */
async function mayRead({ session }: GuardInput): Promise<Verdict | null> {
  const { rows } = await session.query(
    `select quote_ident(current_user) as role, pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees,
       pg_has_role(current_user, 'pg_read_all_stats', 'member') as "isMember", me.rolinherit as inherits,
       current_setting('server_version_num')::int as version
     from pg_roles me where me.rolname = current_user`,
  );
  const { sees, ...member } = rows[0] as unknown as Membership & { sees: boolean };
  return sees ? null : no(`the action role cannot see other sessions: ${adviseGrant('pg_read_all_stats', member)}`);
}

/** Asked in the very words the plan was made from: the timeline of the last checkpoint lags behind a promotion. */
async function sameServer({ session, plan }: GuardInput): Promise<Verdict> {
  const { rows } = await session.query(probeSql);
  const { systemIdentifier, timeline } = toProbe(rows[0] ?? {});
  if (systemIdentifier !== plan.identity.systemIdentifier)
    return no(
      `this is another cluster (system identifier ${systemIdentifier}, planned ${plan.identity.systemIdentifier})`,
    );
  if (timeline !== plan.identity.timeline)
    return no(`the cluster failed over since the plan (timeline ${timeline}, planned ${plan.identity.timeline})`);
  return yes('the same server');
}

async function rightNode({ context, session, plan }: GuardInput): Promise<Verdict | null> {
  const wanted = context.runbooks.get(plan.runbook)?.node ?? 'any';
  if (wanted === 'any') return null;
  const { rows } = await session.query('select pg_is_in_recovery() as standby');
  const found = rows[0]?.['standby'] === true ? 'standby' : 'primary';
  return found === wanted ? yes(`a ${found}`) : no(`the node is a ${found} now, the runbook needs the ${wanted}`);
}

async function onePrimary({ target }: GuardInput): Promise<Verdict | null> {
  if (target.nodes.length === 1) return null;
  const probes = await Promise.allSettled(target.nodes.map((node) => node.reader.probe()));
  const primaries = probes.filter((probe) => probe.status === 'fulfilled' && !probe.value.inRecovery);
  return primaries.length <= 1 ? null : no(`${primaries.length} nodes of ${target.name} are out of recovery`);
}

async function noTwin({ context, plan }: GuardInput): Promise<Verdict | null> {
  const twins = await findTwins(context.pool, plan.target, plan.identity.systemIdentifier, [...context.targets.keys()]);
  return twins.length === 0 ? null : no(`${twins.join(', ')} is the same cluster under another name`);
}

/** A run born of a finding needs the job to find it again, and to offer the same fix for it. */
async function stillFound({ context, run, plan }: GuardInput): Promise<Verdict | null> {
  if (run.alertId === null) return null;
  const { rows } = await context.pool.query<{ job: string; fingerprint: string }>(
    'select job, fingerprint from alerts where id = $1',
    [run.alertId],
  );
  const alert = rows[0];
  if (!alert) return no('its alert is gone');
  const result = await context.recheck(alert.job, plan.target, { everything: false, database: plan.database });
  const found = result.findings.find(
    (one) =>
      one.fingerprint === alert.fingerprint &&
      one.node === plan.node &&
      (plan.database === null || one.database === plan.database) &&
      one.runbooks.some((offer) => offer.name === plan.runbook && isWithin(offer.params, plan.params)),
  );
  if (found) return yes(`${alert.job} still finds it`);
  return no(`${alert.job} ${whyNotFound(result.unjudged, result.reason)}`);
}

function whyNotFound(unjudged: readonly Unjudged[], reason: string | null): string {
  const blind = unjudged[0]?.reason ?? reason;
  return blind ? `cannot judge it now: ${blind}` : 'was asked again and no longer finds this trouble';
}

/** What the plan knows beyond the offer was read from the server when it was made. */
function isWithin(offered: Record<string, string>, planned: Record<string, string>): boolean {
  return Object.entries(offered).every(([key, value]) => planned[key] === value);
}
