import { type Plan, relationOf, sqlOf } from '../plan.ts';
import type { ActingSession } from '../session.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

export async function notProtected(input: GuardInput): Promise<Verdict | null> {
  const row = await readBackend(input);
  if (!row) return null;
  const why = input.target.protectedBecause({
    pid: Number(input.plan.params['pid']),
    user: row.user,
    application: row.application,
    backendType: row.backendType,
  });
  if (why) return no(`pid ${input.plan.params['pid']} ${why}`);
  return row.waitEvent === 'SyncRep'
    ? no('it waits for a synchronous standby: a signal would commit it locally, not undo it')
    : null;
}

export async function maySignal(input: GuardInput): Promise<Verdict | null> {
  const row = await readBackend(input);
  if (!row) return null;
  if (row.isSuperuser && !row.amSuperuser) return no(`the session belongs to a superuser; only a superuser may end it`);
  return row.maySignal
    ? yes('the action role may signal it')
    : no(`the action role may not signal it: grant pg_signal_backend to ${row.role}`);
}

export async function stillTrue({ session, plan }: GuardInput): Promise<Verdict | null> {
  const sql = sqlOf(plan, 'precondition');
  if (sql === null) return null;
  const { rows } = await session.query(sql);
  const whyNot = rows[0]?.['why_not'];
  if (typeof whyNot === 'string') return no(whyNot);
  if (relationOf(plan)) return rows.length > 0 ? yes('its precondition holds') : no(whyNotTrue(plan));
  return rows.length > 0 ? yes('still the same backend and transaction') : no(await whyChanged(session, plan));
}

interface Backend {
  user: string | null;
  application: string | null;
  backendType: string | null;
  waitEvent: string | null;
  isSuperuser: boolean;
  amSuperuser: boolean;
  maySignal: boolean;
  role: string;
}

/** The session the plan is about, if the plan is about one and it still lives. */
async function readBackend({ session, plan }: GuardInput): Promise<Backend | null> {
  if (plan.class !== 'signal') return null;
  const { rows } = await session.query(
    `select a.usename as "user", a.application_name as application, a.backend_type as "backendType",
       a.wait_event as "waitEvent", coalesce(r.rolsuper, false) as "isSuperuser", me.rolsuper as "amSuperuser",
       quote_ident(current_user) as role,
       pg_has_role(current_user, 'pg_signal_backend', 'usage')
         or coalesce(pg_has_role(current_user, a.usesysid, 'usage'), false) as "maySignal"
     from pg_stat_activity a left join pg_roles r on r.oid = a.usesysid, pg_roles me
     where a.pid = $1 and me.rolname = current_user`,
    [Number(plan.params['pid'])],
  );
  return (rows[0] as unknown as Backend | undefined) ?? null;
}

/** What is the same by now has been told by another guard; why this is not enough, the runbook's prose says. */
function whyNotTrue(plan: Plan): string {
  const relation = relationOf(plan);
  return `the precondition of ${plan.runbook} does not hold for ${relation?.schema}.${relation?.name} now: read there what it asks for, and plan anew`;
}

/** Says what became of the session, in the words a person needs. */
async function whyChanged(session: ActingSession, plan: Plan): Promise<string> {
  const { pid, backend_start: backendStart, xact_start: xactStart, query_start: queryStart } = plan.params;
  const { rows } = await session.query(
    `select (extract(epoch from backend_start) * 1000000)::bigint::text as "backendStart", state,
       (extract(epoch from xact_start) * 1000000)::bigint::text as "xactStart",
       (extract(epoch from query_start) * 1000000)::bigint::text as "queryStart",
       to_char(xact_start at time zone 'utc', 'HH24:MI:SS') as since
     from pg_stat_activity where pid = $1`,
    [Number(pid)],
  );
  const now = rows[0];
  if (!now) return `pid ${pid} is gone`;
  if (now['backendStart'] !== backendStart) return `pid ${pid} is another connection now`;
  if (now['xactStart'] === null && now['state'] === 'idle in transaction (aborted)')
    return `that transaction of pid ${pid} has failed since`;
  if (now['xactStart'] === null) return `pid ${pid} has ended that transaction`;
  if (xactStart !== undefined && now['xactStart'] !== xactStart)
    return `pid ${pid} is no longer the same transaction (it started a new one at ${now['since']} UTC)`;
  if (queryStart !== undefined && now['queryStart'] !== queryStart && now['state'] === 'active')
    return `pid ${pid} runs another statement now`;
  const isSame = now['xactStart'] === xactStart && (queryStart === undefined || now['queryStart'] === queryStart);
  const isOpen = /^(?:active|idle in transaction)/.test(String(now['state']));
  if (isSame && isOpen && Number(plan.params['least_waiters'] ?? 0) > 0) return `nobody waits for pid ${pid} any more`;
  return `pid ${pid} is no longer in the state that was approved (now: ${now['state']})`;
}
