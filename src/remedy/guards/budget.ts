import { formatBytes } from '../before-after.ts';
import { relationOf } from '../plan.ts';
import type { StopWhen } from '../runbook/runbook.ts';
import { buildsIndex } from './act-kind.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

interface Behind {
  kind: 'standby' | 'slot';
  name: string;
  /** Null where it has told nothing yet. */
  bytes: number | null;
}

const behindSql = `
  -- How far behind is each that streams from here, and how much WAL does each slot keep?
  with now as (
    select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn
  )
  select 'standby' as kind, coalesce(nullif(r.application_name, ''), host(r.client_addr), 'on the same machine') as name,
    pg_wal_lsn_diff(now.lsn, coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn, r.sent_lsn))::float8 as bytes
  from now, pg_catalog.pg_stat_replication r
  where r.state is distinct from 'backup'
  union all
  select 'slot', s.slot_name::text, pg_wal_lsn_diff(now.lsn, s.restart_lsn)::float8
  from now, pg_catalog.pg_replication_slots s
  where s.restart_lsn is not null
    -- A word since 13: what is lost keeps nothing any more.
    and to_jsonb(s) ->> 'wal_status' is distinct from 'lost'
  order by bytes desc nulls first
  limit 1000`;

/** A run that would stop itself at once is not started. */
export async function withinStopLimits({ session, plan }: GuardInput): Promise<Verdict | null> {
  if (!plan.stopWhen) return null;
  const { rows } = await session.query(behindSql);
  return judgeBehind(rows as unknown as Behind[], plan.stopWhen);
}

/** Pure; of each kind the worst comes first. */
function judgeBehind(behind: readonly Behind[], limits: StopWhen): Verdict {
  const [standby, slot] = (['standby', 'slot'] as const).map((kind) => behind.find((one) => one.kind === kind));
  if (standby && standby.bytes === null)
    return no(`cannot judge how far the standby ${standby.name} is behind: it has not told yet; try again`);
  const [lag, kept] = [standby?.bytes ?? 0, slot?.bytes ?? 0];
  if (standby && lag >= limits.standbyLagBytes)
    return no(
      `the standby ${standby.name} is ${formatBytes(lag)} behind, and the run would stop at ${formatBytes(limits.standbyLagBytes)}: let it catch up first`,
    );
  if (slot && kept >= limits.slotWalBytes)
    return no(
      `the replication slot ${slot.name} keeps ${formatBytes(kept)} of WAL, and the run would stop at ${formatBytes(limits.slotWalBytes)}: see to it first`,
    );
  const slots = slot ? `, slots keep ${formatBytes(kept)} of WAL at the most` : '';
  return yes(`${standby ? `standby lag ${formatBytes(lag)}` : 'no standby'}${slots}`);
}

/** PostgreSQL tells nobody how much of a disk is free, and nothing is made up: a person has to look. */
export async function spaceIsForPeople({ plan }: GuardInput): Promise<Verdict | null> {
  return relationOf(plan) && buildsIndex(plan) ? yes('free disk space is not known: SQL does not show it') : null;
}
