import { relationOf } from '../plan.ts';
import { actsOf, buildsIndex } from './act-kind.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** What a minor release is known to do wrong; `before` is the first that has it mended, as server_version_num. */
interface Defect {
  major: number;
  before: number;
  of: 'build' | 'vacuum';
  what: string;
}

/** After the release notes, the newest fix of each major first: below it the index itself may be wrong. */
const defects: readonly Defect[] = [
  { major: 14, before: 140_004, of: 'build', what: 'concurrent builds can leave a silently corrupt index' },
  { major: 14, before: 140_001, of: 'vacuum', what: 'a parallel vacuum can miss an index and corrupt it' },
  { major: 13, before: 130_005, of: 'build', what: 'concurrent builds can miss rows' },
  { major: 12, before: 120_009, of: 'build', what: 'concurrent builds can miss rows' },
];

/** Null where nothing is known to be wrong. */
export function findDefect(version: number, acts: { build: boolean; vacuum: boolean }): string | null {
  const major = Math.floor(version / 10_000);
  const found = defects.find((one) => one.major === major && version < one.before && acts[one.of]);
  return found === undefined
    ? null
    : `on PostgreSQL ${nameOf(version)} ${found.what}: upgrade to ${nameOf(found.before)} or later first`;
}

export async function soundVersion({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relation = relationOf(plan);
  if (!relation) return null;
  const { rows } = await session.query(
    `select current_setting('server_version_num')::int as version,
       coalesce((select i.indisunique from pg_index i where i.indexrelid = $1::oid), false) as "isUnique"`,
    [relation.oid],
  );
  const { version, isUnique } = rows[0] as { version: number; isUnique: boolean };
  const isBuilt = buildsIndex(plan);
  const defect = findDefect(version, { build: isBuilt, vacuum: actsOf(plan).includes('vacuum') });
  if (defect) return no(defect);
  // Up to 18 no release has this mended.
  const mind = isBuilt && isUnique && version < 190_000;
  const what = '; the index is unique: meanwhile insert … on conflict may report a duplicate that is none';
  return yes(`version ${nameOf(version)}${mind ? what : ''}`);
}

/** 140003 → "14.3" */
function nameOf(version: number): string {
  return `${Math.floor(version / 10_000)}.${version % 10_000}`;
}
