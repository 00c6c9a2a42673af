import type { Unjudged } from '../model.ts';

/** A database that was not judged: with what would help, or the privilege on the database that is missing. */
export type BlindDatabase = { database: string; reason: string } & (
  | { remedy: string }
  | { grant: { on: 'connect'; role: string } }
);

const maxNamed = 20;

/** One line for all databases that share a reason: twenty times the same is noise. Pure. */
export function groupBlind(blind: readonly BlindDatabase[], total: number): Unjudged[] {
  const groups = new Map<string, BlindDatabase[]>();
  for (const one of blind) {
    const key = JSON.stringify({ ...one, database: null });
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((group) => describe(group, total));
}

function describe(group: readonly BlindDatabase[], total: number): Unjudged {
  const [first] = group;
  if (!first) throw new Error('a group of no database');
  const names = group.map(({ database }) => database);
  const remedy =
    'remedy' in first
      ? first.remedy
      : `grant ${first.grant.on} on database ${list(names, quote)} to ${quote(first.grant.role)};`;
  if (names.length === 1)
    return { database: first.database, reason: `database ${first.database}: ${first.reason}`, remedy };
  return { reason: `${names.length} of ${total} databases (${list(names, String)}): ${first.reason}`, remedy };
}

function list(names: readonly string[], write: (name: string) => string): string {
  const named = names.slice(0, maxNamed).map(write).join(', ');
  return names.length > maxNamed ? `${named} /* and ${names.length - maxNamed} more */` : named;
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
