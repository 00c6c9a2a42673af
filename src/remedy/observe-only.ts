import type { RunbookClass } from '../model.ts';

/** What the login of a class needs on the watched server, beside seeing other sessions. */
const grants: Readonly<Record<RunbookClass, string>> = {
  signal: 'grant pg_signal_backend to <login>;',
  maintain: 'grant <owner of the tables> to <login>;',
  ddl: 'grant <owner of the tables> to <login>; grant create on schema <theirs> to <login>;',
  replication: 'alter role <login> replication;',
  settings: 'grant alter system on parameter <its name> to <login>; (15 and later; before, only a superuser may)',
};

/** That nothing of this class is done there, and what would change that. */
export function whyObserveOnly(target: string, ofClass: RunbookClass): { found: string; hint: string } {
  return {
    found: `${target} is observe-only for runbooks of class ${ofClass}`,
    hint: `Its configuration needs nodes[].actions.${ofClass}, the URL of a login that may do it: grant pg_read_all_stats to <login>; ${grants[ofClass]}`,
  };
}
