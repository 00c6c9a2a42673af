import type { Ignore } from '../config/config.ts';
import type { Finding } from '../model.ts';
import { fitsGlob } from '../targets/glob.ts';

/** Whether a database is among those of the patterns: `!` in front leaves out, and alone leaves all others in. */
export function isChosenBy(patterns: readonly string[], database: string): boolean {
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'));
  const unwanted = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  if (unwanted.some((pattern) => fitsGlob(database, pattern))) return false;
  return wanted.length === 0 || wanted.some((pattern) => fitsGlob(database, pattern));
}

/** Whether one of the entries, not ended yet, names the relation that a finding is about, or its table. */
export function isIgnoredBy(ignores: readonly Ignore[], finding: Finding, now: Date): boolean {
  const { subject } = finding;
  if (subject.kind !== 'table' && subject.kind !== 'index') return false;
  const names = [`${subject.schema}.${subject.name}`, subject.table];
  return ignores.some(
    ({ relation, target, database, endsAt }) =>
      now < endsAt &&
      (target === null || target === finding.target) &&
      fitsGlob(finding.database ?? '', database) &&
      names.some((name) => fitsGlob(name, relation)),
  );
}
