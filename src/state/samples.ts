import type { PlacedSample, StoredSample } from '../detect/history.ts';
import type { Queryable } from './database.ts';

type Step = 'raw' | '10min' | 'hour' | 'day';

/** What is older than a time, and into what it is rolled up; null: it is forgotten. */
export interface RollUp {
  step: Step;
  before: Date;
  into: { step: Step; seconds: number } | null;
}

const daySeconds = 86_400;
/** So much at a time; the next sweep goes on. */
const maxRows = 5_000;
/** What one judge is handed at the most: the newest of it. */
const maxRead = 20_000;

const keeping: readonly { step: Step; days: number; into: RollUp['into'] }[] = [
  { step: 'raw', days: 2, into: { step: '10min', seconds: 600 } },
  { step: '10min', days: 30, into: { step: 'hour', seconds: 3_600 } },
  { step: 'hour', days: 400, into: null },
  { step: 'day', days: 400, into: null },
];

/** A figure of the moment is one row each time; those of objects are one row a day, the last of it. */
export async function appendSamples(
  db: Queryable,
  of: { target: string; job: string },
  samples: readonly PlacedSample[],
): Promise<void> {
  if (samples.length === 0) return;
  const rows = samples.map((sample) => ({
    series: sample.series,
    value: 'value' in sample ? sample.value : null,
    objects: 'objects' in sample ? JSON.stringify(sample.objects) : null,
  }));
  await db.query(
    `insert into samples (target, job, series, step, at, value, highest, objects)
     select $1, $2, s.series, case when s.objects is null then 'raw' else 'day' end,
       case when s.objects is null then clock_timestamp() else date_trunc('day', clock_timestamp() at time zone 'UTC')
         at time zone 'UTC' end, s.value, s.value, s.objects
     from jsonb_to_recordset($3) s (series text, value float8, objects text)
     on conflict (target, job, series, step, at) do update
       set value = excluded.value, highest = excluded.highest, objects = excluded.objects`,
    [of.target, of.job, JSON.stringify(rows)],
  );
}

/** The samples of a job on a target of so many days, newest first. */
export async function readSamples(
  db: Queryable,
  { target, job, days }: { target: string; job: string; days: number },
): Promise<StoredSample[]> {
  const { rows } = await db.query(
    `select series, at, value, highest, objects from samples
     where target = $1 and job = $2 and at > clock_timestamp() - make_interval(days => $3)
     order by at desc limit ${maxRead}`,
    [target, job, days],
  );
  return rows.map((row) => ({ ...row, objects: row.objects === null ? null : JSON.parse(row.objects) }));
}

/** What is due to be rolled up or forgotten. A step that is not over yet is left whole. Pure. */
export function planRollUps(now: Date): RollUp[] {
  return keeping.map(({ step, days, into }) => {
    const seconds = into?.seconds ?? 1;
    const before = Math.floor((now.getTime() / 1000 - days * daySeconds) / seconds) * seconds;
    return { step, before: new Date(before * 1000), into };
  });
}

/** Keeps history short: each part is one statement of a bounded number of rows, which several replicas may run at once. */
export async function rollUpSamples(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now');
  for (const { step, before, into } of planRollUps(rows[0]?.now ?? new Date())) {
    if (into) await db.query(`${takeOld} ${addUp}`, [step, before, into.step, into.seconds]);
    else await db.query(`${takeOld} select count(*) from old`, [step, before]);
  }
}

const takeOld = `
  with due as materialized (
    select target, job, series, step, at from samples
    where step = $1 and at < $2 order by at limit ${maxRows} for update skip locked
  ),
  old as (
    delete from samples s using due d
    where (s.target, s.job, s.series, s.step, s.at) = (d.target, d.job, d.series, d.step, d.at) returning s.*
  )`;

/** A step whose rows come in two parts is the sum of both. */
const addUp = `
  insert into samples (target, job, series, step, at, value, highest)
  select o.target, o.job, o.series, $3, to_timestamp(floor(extract(epoch from o.at) / $4::int) * $4::int),
    (array_agg(o.value order by o.at desc))[1], max(o.highest)
  from old o group by 1, 2, 3, 5
  on conflict (target, job, series, step, at) do update
    set value = excluded.value, highest = greatest(samples.highest, excluded.highest)`;
