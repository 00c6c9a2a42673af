import { type Finding, isCovered } from '../model.ts';
import { readAlert } from '../state/alerts.ts';
import type { Queryable } from '../state/database.ts';
import type { RemedyContext } from './context.ts';
import type { Plan } from './plan.ts';

export async function readFinding(db: Queryable, alertId: number | null): Promise<Finding | null> {
  return alertId === null ? null : ((await readAlert(db, alertId))?.finding ?? null);
}

/**
 * Looks at the trouble again with every threshold at zero and compares the job's measures: "waiting sessions 37 → 0".
 * Null where there is nothing to compare; says so where the second look could not judge.
 */
export async function compareMeasures(
  context: RemedyContext,
  plan: Plan,
  before: Finding | null,
): Promise<string | null> {
  const job = before && context.jobs.get(before.job);
  if (!before || !job) return null;
  const result = await context.recheck(before.job, plan.target, { everything: true, database: plan.database });
  if (!isCovered(result.covered, before)) return `could not be measured: ${result.reason ?? 'no answer'}`;
  const after = result.findings.find(
    (one) => one.fingerprint === before.fingerprint && (one.node === before.node || job.scope !== 'node'),
  );
  return Object.entries(job.measures)
    .filter(([fact]) => typeof before.facts[fact] === 'number')
    .map(([fact, { label, unit }]) => {
      const [then, now] = [before.facts[fact], after?.facts[fact]].map((value) => show(value, unit));
      return `${label} ${then} → ${now}`;
    })
    .join(', ');
}

/** A figure with its unit as chat shows it; nothing left is 0, or a dash for a time. */
function show(value: unknown, unit: string): string {
  const isTime = unit === 'seconds';
  if (typeof value !== 'number') return isTime ? '–' : '0';
  if (unit === 'bytes') return formatBytes(value);
  return isTime ? formatSeconds(value) : String(Math.round(value));
}

/** 12.4 GB; 1 kB is 1,024 bytes, as PostgreSQL counts. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const figure = bytes / 1024 ** power;
  return `${figure < 10 && power > 0 ? figure.toFixed(1) : Math.round(figure)} ${units[power]}`;
}

/** 370 → "6 min 10 s"; two units at the most. */
export function formatSeconds(seconds: number): string {
  const rest = Math.round(seconds);
  if (rest < 60) return `${rest} s`;
  if (rest < 3_600) return `${Math.floor(rest / 60)} min ${rest % 60} s`;
  if (rest < 86_400) return `${Math.floor(rest / 3_600)} h ${Math.floor((rest % 3_600) / 60)} min`;
  return `${Math.floor(rest / 86_400)} d ${Math.floor((rest % 86_400) / 3_600)} h`;
}
