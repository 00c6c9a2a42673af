import type { RunProgress } from '../state/runs.ts';
import { formatSeconds } from './before-after.ts';
import { type Plan, sqlOf } from './plan.ts';
import type { ActingSession } from './session.ts';

/** How far the act is, by the runbook's own question; null where it has none, or the server shows nothing just now. */
export async function readProgress(
  control: ActingSession,
  { plan }: { plan: Plan },
  { seconds, before }: { seconds: number; before: RunProgress | null },
): Promise<RunProgress | null> {
  const sql = sqlOf(plan, 'progress');
  const row = sql === null ? undefined : (await control.query(sql)).rows[0];
  if (!row) return null;
  const [done, total] = [Number(row['done'] ?? 0), Number(row['total'] ?? 0)];
  const phase = String(row['phase']);
  const isSame = before?.phase === phase;
  const phaseSince = isSame ? before.phaseSince : seconds;
  const share = total > 0 ? Math.min(1, done / total) : null;
  return {
    phase,
    phaseSince,
    percent: share === null ? null : Math.floor(share * 100),
    etaSeconds: share ? Math.round(((seconds - phaseSince) * (1 - share)) / share) : null,
    waitsFor: row['waits_for'] === null ? null : await describeSession(control, Number(row['waits_for'])),
    seconds: Math.round(seconds),
  };
}

/** "pid 812 (reporting, idle in transaction for 15 min 2 s)". */
async function describeSession(control: ActingSession, pid: number): Promise<string> {
  const { rows } = await control.query(
    `select application_name as application, usename as role, state,
       extract(epoch from clock_timestamp() - xact_start)::int as seconds
     from pg_catalog.pg_stat_activity where pid = $1`,
    [pid],
  );
  const session = rows[0];
  if (!session) return `pid ${pid}`;
  const { application, role, state, seconds } = session;
  const since = typeof seconds === 'number' ? ` for ${formatSeconds(seconds)}` : '';
  return `pid ${pid} (${application || role}, ${state}${since})`;
}
