import type { Database } from './servers.ts';
import { until } from './wait.ts';

/** What is stored of the run that was approved. */
export interface RunRow {
  id: number;
  state: string;
  sent_at: Date | null;
  outcome: string | null;
  fence: number;
}

export async function firstRun(state: Database): Promise<RunRow | null> {
  const { rows } = await state.run(
    'select id::int, state, sent_at, outcome, fence from pgorderly.runs order by id limit 1',
  );
  return rows[0] ?? null;
}

export function untilRun(state: Database, what: string, is: (run: RunRow) => boolean): Promise<RunRow> {
  return until(what, async () => {
    const run = await firstRun(state);
    return run && is(run) ? run : null;
  });
}

/** How often each kind stands in the audit. */
export async function auditKinds(state: Database): Promise<Record<string, number>> {
  const { rows } = await state.run(
    "select entry::jsonb ->> 'kind' as kind, count(*)::int as count from pgorderly.audit group by 1",
  );
  return Object.fromEntries(rows.map((row) => [row.kind, row.count]));
}

/** The act has reached the server: its worker waits for what comes of it. */
export async function untilVerifying(watched: Database): Promise<void> {
  const verifying = "application_name like 'pgorderly/run/%' and query like '%not exists%'";
  await until('the act to have reached the server', async () => {
    return (await watched.run(`select from pg_stat_activity where ${verifying}`)).rows.length > 0;
  });
}
