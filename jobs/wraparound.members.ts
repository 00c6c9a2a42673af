import type { Judged, Unjudged } from '../src/model.ts';
import type { AgeFacts } from './wraparound.facts.ts';

/** multixact.c: from half on autovacuum freezes ever earlier, from three quarters on the limit is near. */
const allMembers = 2 ** 32;
const safe = allMembers / 2;
const danger = (allMembers * 3) / 4;

/** The space that multixacts list their transactions in; its age is on no view. */
export function judgeMembers({ members, databases }: AgeFacts): Judged[] {
  if (members === null || members < safe) return [];
  const percent = Math.round((100 * members) / allMembers);
  return [
    {
      database: null,
      fingerprint: 'members',
      severity: members >= danger ? 'critical' : 'warning',
      title: 'the space for the members of multixacts is running out',
      summary: [
        `${percent} % of it is taken; at 100 % no row can be locked by two transactions any more.`,
        'Vacuum the tables with the oldest multixact ids, and end the oldest transactions.',
      ].join('\n'),
      subject: { kind: 'server', name: 'multixact members' },
      facts: {
        kind: 'members',
        age: members,
        percent,
        oldestMxid: Math.max(...databases.map(({ mxidAge }) => mxidAge)),
      },
      runbooks: [],
      impact: { what: 'no row can be locked by two transactions', etaSeconds: null },
    },
  ];
}

/**
 * Without the files only a bound is known: each multixact since the oldest with every session in it. While that fits
 * into half of the space there is nothing to fear.
 */
export function unjudgedMembers({ members, databases }: AgeFacts, role: string): Unjudged[] {
  const [first] = databases;
  const oldest = Math.max(0, ...databases.map(({ mxidAge }) => mxidAge));
  if (members !== null || !first || oldest * first.sharersAtMost < safe) return [];
  return [
    {
      reason: `how much space the members of ${oldest.toLocaleString('en-US')} multixacts take is not judged: the role ${role} may not list the files`,
      remedy: `grant execute on function pg_catalog.pg_ls_dir(text) to "${role.replaceAll('"', '""')}";`,
    },
  ];
}
