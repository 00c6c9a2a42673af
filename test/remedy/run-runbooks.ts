import type { Runbook } from '../../src/remedy/runbook/runbook.ts';
import { makeRunbook } from '../support/made-runbook.ts';

/** A row for each time that an act is carried out. */
export const acts = 'create table acts (run text); grant select, insert on acts to actor, keeper';

const verify = `select exists (select from public.acts where run = :'label') as is_there`;
const addAfter = (seconds: number) =>
  `insert into public.acts (run) select :'label' from pg_catalog.pg_sleep(${seconds}) returning true as added`;

/** Two runbooks that add such a row: almost at once, and in a statement that may last and be stopped. */
export const rowRunbooks: ReadonlyMap<string, Runbook> = new Map([
  [
    'quick-row',
    makeRunbook('quick-row', {
      class: 'signal',
      params: { label: 'text', pid: 'integer' },
      statement: '2s',
      precondition: `select from pg_catalog.pg_stat_activity where pid = :'pid'::int`,
      act: addAfter(0.03),
      verify,
    }),
  ],
  [
    'slow-row',
    makeRunbook('slow-row', {
      class: 'maintain',
      params: { label: 'text' },
      statement: '0',
      precondition: 'select',
      act: addAfter(1.3),
      verify,
    }),
  ],
]);
