import type { QueryResultRow } from 'pg';
import type { Storm } from '../model.ts';
import type { Queryable } from './database.ts';

/** What one look at a storm saw. */
export interface StormSample extends Storm {
  job: string;
  target: string;
  node: string;
  at: Date;
  stormSince: Date;
  everySeconds: number;
}

/** The worst moment of the last storm, and when that storm was seen last. */
export interface LastStorm {
  worst: StormSample;
  seenAt: Date;
}

export const keptDays = 30;
const mostOfStorm = 200;
/** What one look cleans away of old storms at the most. */
const mostDeleted = 500;
const worstFirst = 'victim_count desc, longest_wait_seconds desc nulls last, at';

/** Kept with the open alert of the same fingerprint, if there is one. */
export async function keepStormSample(db: Queryable, sample: StormSample): Promise<void> {
  await db.query(
    `insert into storm_samples (job, target, node, fingerprint, storm_since, at, victim_count, longest_wait_seconds,
       every_seconds, evidence, facts, alert_id)
     select $1::text, $2::text, $3, $4::text, $5, $6, $7, $8, $9, $10, $11,
       (select id from alerts where job = $1 and target = $2 and fingerprint = $4 and state <> 'resolved')`,
    [
      sample.job,
      sample.target,
      sample.node,
      sample.fingerprint,
      sample.stormSince,
      sample.at,
      sample.victimCount,
      sample.longestWaitSeconds,
      sample.everySeconds,
      sample.evidence,
      JSON.stringify(sample.facts),
    ],
  );
}

/** Leaves the 200 worst of a storm, as many of each thing that is waited for, and nothing older than 30 days. */
export async function trimStormSamples(
  db: Queryable,
  { job, target, stormSince }: Pick<StormSample, 'job' | 'target' | 'stormSince'>,
): Promise<void> {
  await db.query(
    `delete from storm_samples where id in (
       select id from storm_samples where job = $1 and target = $2 and storm_since = $3
       order by row_number() over (partition by fingerprint order by ${worstFirst}) offset $4 limit $5)`,
    [job, target, stormSince, mostOfStorm, mostDeleted],
  );
  await db.query(
    `delete from storm_samples where id in (
       select id from storm_samples where at < clock_timestamp() - make_interval(days => $1) order by at limit $2)`,
    [keptDays, mostDeleted],
  );
}

/** Most victims, then the longest wait; null where it never was a storm. */
export async function readWorstOfAlert(db: Queryable, alertId: number): Promise<StormSample | null> {
  const { rows } = await db.query(`select * from storm_samples where alert_id = $1 order by ${worstFirst} limit 1`, [
    alertId,
  ]);
  return rows[0] ? toSample(rows[0]) : null;
}

/** Null where there was none within the days that are kept. */
export async function readLastStorm(db: Queryable, job: string, target: string): Promise<LastStorm | null> {
  const { rows } = await db.query(
    `select *, max(at) over () as last_at from storm_samples
     where job = $1 and target = $2 and storm_since = (
       select max(storm_since) from storm_samples
       where job = $1 and target = $2 and at >= clock_timestamp() - make_interval(days => $3))
     order by ${worstFirst} limit 1`,
    [job, target, keptDays],
  );
  return rows[0] ? { worst: toSample(rows[0]), seenAt: rows[0].last_at } : null;
}

function toSample(row: QueryResultRow): StormSample {
  return {
    job: row['job'],
    target: row['target'],
    node: row['node'],
    fingerprint: row['fingerprint'],
    stormSince: row['storm_since'],
    at: row['at'],
    victimCount: row['victim_count'],
    longestWaitSeconds: row['longest_wait_seconds'],
    everySeconds: row['every_seconds'],
    evidence: row['evidence'],
    facts: JSON.parse(row['facts']),
  };
}
