import type { Queryable } from './database.ts';

/** Sealed plans of a runbook's runs on a table that succeeded within so many days, the newest first. */
export async function readSucceeded(
  db: Queryable,
  { target, runbook, relation, days }: { target: string; runbook: string; relation: string | null; days: number },
): Promise<{ id: number; plan: string; planHash: string; daysAgo: number }[]> {
  const { rows } = await db.query(
    `select id, plan, plan_hash, extract(epoch from clock_timestamp() - finished_at)::float8 / 86400 as days_ago
     from runs
     where target = $1 and runbook = $2 and relation = $3 and state = 'succeeded'
       and finished_at > clock_timestamp() - make_interval(days => $4)
     order by finished_at desc limit 100`,
    [target, runbook, relation, days],
  );
  return rows.map((row) => ({ id: Number(row.id), plan: row.plan, planHash: row.plan_hash, daysAgo: row.days_ago }));
}

/** When the runbook was last sent on a target within a day, about another subject, and by which run; null where it was not. */
export async function readSentWithinADay(
  db: Queryable,
  { target, runbook, butAbout }: { target: string; runbook: string; butAbout: string },
): Promise<{ id: number; secondsAgo: number } | null> {
  const { rows } = await db.query(
    `select id, extract(epoch from clock_timestamp() - sent_at)::float8 as seconds_ago from runs
     where target = $1 and runbook = $2 and subject <> $3 and sent_at > clock_timestamp() - interval '1 day'
     order by sent_at desc limit 1`,
    [target, runbook, butAbout],
  );
  return rows[0] ? { id: Number(rows[0].id), secondsAgo: rows[0].seconds_ago } : null;
}
