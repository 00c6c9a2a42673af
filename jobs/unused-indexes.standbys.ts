import type { Known, Sender } from './unused-indexes.facts.ts';

/**
 * Standbys that stream from a watched node and are not watched themselves, as they are listed there. Nobody says which
 * node is behind an entry: a slot's name tells, else the application name; each node takes one entry, so that of several
 * with the same name as many are left as are not watched. Pure.
 */
export function findUnwatched(known: readonly Known[]): string[] {
  const listed = known.flatMap(({ node, facts }) =>
    facts.server.senders.map((sender) => ({ ...sender, upstream: node })),
  );
  const left = new Set(listed);
  for (const { node, isStandby, facts } of known) {
    if (!isStandby) continue;
    const { slot, application } = facts.server;
    const rest = [...left].filter(({ upstream }) => upstream !== node);
    const own =
      rest.find((one) => slot !== null && one.slot === slot) ??
      rest.find((one) => application !== null && one.application === application);
    if (own) left.delete(own);
  }
  return [...left].map(nameOf);
}

function nameOf({ application, client, slot, upstream }: Sender & { upstream: string }): string {
  const called = application || slot || 'one without a name';
  return `${called}${client === null ? '' : ` at ${client}`}, listed by ${upstream}`;
}
