import { formatBytes, formatSeconds } from './before-after.ts';
import { type Plan, sqlOf } from './plan.ts';
import type { ActingSession } from './session.ts';

/** What a precondition or a verify says in numbers, by column: `size_bytes`. */
export type Figures = Readonly<Record<string, number>>;

/** The figures of the thing that a plan is about, as its precondition shows them; none where it no longer holds. */
export async function readFigures(session: ActingSession, plan: Plan): Promise<Figures> {
  const sql = sqlOf(plan, 'precondition');
  return sql === null ? {} : toFigures((await session.query(sql)).rows[0]);
}

/** Only columns whose name says a unit. */
export function toFigures(row: Record<string, unknown> | undefined): Figures {
  const named = Object.entries(row ?? {}).filter(([name, value]) => unitOf(name) !== null && value !== null);
  return Object.fromEntries(named.map(([name, value]) => [name, Number(value)]));
}

/** "size 12.4 GB → 3.3 GB"; null where the two have nothing in common. */
export function compareFigures(before: Figures, after: Figures): string | null {
  const said = Object.entries(before).flatMap(([name, then]) => {
    const now = after[name];
    return now === undefined ? [] : [`${labelOf(name)} ${formatFigure(name, then)} → ${formatFigure(name, now)}`];
  });
  return said.length > 0 ? said.join(', ') : null;
}

export function formatFigure(name: string, value: number): string {
  const unit = unitOf(name);
  if (unit === 'bytes') return formatBytes(value);
  return unit === 'seconds' ? formatSeconds(value) : String(value);
}

export function labelOf(name: string): string {
  return name.replace(/_(?:bytes|seconds|rows|pages)$/, '').replaceAll('_', ' ');
}

function unitOf(name: string): string | null {
  return /_(bytes|seconds|rows|pages)$/.exec(name)?.[1] ?? null;
}
