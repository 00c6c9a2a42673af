import fc from 'fast-check';
import type { RelationIdentity } from '../../src/remedy/runbook/params.ts';
import type { Database } from '../support/servers.ts';

export interface Named extends RelationIdentity {
  kind: 'table' | 'index';
  /** As the server writes it. */
  shown: string;
}

const pieces = [
  ...['"', "'", '""', "''", '\\', "\\'", '\n', '\r\n', '\t', ' ', '.', ',', ';', '--', '/*', '*/', '(', ')', '[1:2]'],
  ...[
    '$$',
    '$a$',
    '$1',
    ':x',
    ":'index_name'",
    ':"index_name"',
    ':{?x}',
    '::text',
    ':=',
    '%I',
    '%s',
    '&amp;',
    '<!here>',
  ],
  ...['select', 'SELECT', 'table', 'Index', 'null', 'user', 'E', "E'", 'U&', 'U&"', '\\gexec', '\\;', '_ccnew', 'true'],
  ...[
    'a',
    'A',
    'z9',
    '_',
    '0',
    'ä',
    'ß',
    'é',
    'e\u0301',
    '漢',
    '字',
    '👩‍💻',
    '\u00a0',
    '\u200b',
    '\u202e',
    '“',
    '’',
    '\ufeff',
  ],
];
const schemas = ['shop', 'My "Shop"', "it's", 'a.b', '$$', ':index_schema', 'select', ' \n\\'];

/** Tables and indexes of hostile names, so many of each, made by the server's own quoting. */
export async function makeNamed(database: Database, count: number): Promise<Named[]> {
  await database.run(
    `create function pg_temp.make(schemas text[], names text[]) returns void language plpgsql as $make$
     declare at text;
     begin
       foreach at in array schemas loop execute format('create schema %I', at); end loop;
       for i in 1 .. cardinality(names) / 2 loop
         at := schemas[1 + i % cardinality(schemas)];
         execute format('create table %I.%I (id integer)', at, names[2 * i - 1]);
         execute format('create index %I on %I.%I (id)', names[2 * i], at, names[2 * i - 1]);
       end loop;
     end $make$`,
  );
  await database.run('select pg_temp.make($1, $2)', [schemas, hostileNames(2 * count)]);
  return readNamed(database);
}

/** Those that are left of them, as they are now. */
export async function readNamed(database: Database): Promise<Named[]> {
  const { rows } = await database.run(
    `select n.nspname::text as schema, c.relname::text as name, c.oid::text, c.relfilenode::text as file,
       coalesce(i.indrelid, c.oid)::text as table, case c.relkind when 'r' then 'table' else 'index' end as kind,
       format('%I.%I', n.nspname, c.relname) as shown
     from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_index i on i.indexrelid = c.oid
     where n.nspname = any ($1) and c.relname !~ '^made "[0-9]+"$' order by c.oid`,
    [schemas],
  );
  return rows;
}

/** What an index is called that a runbook makes. */
export const madeFor = ({ oid }: RelationIdentity) => `made "${oid}"`;

/** Each once: single pieces, some together, names of 63 bytes, and space around. */
function hostileNames(count: number): string[] {
  const some = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 });
  const full = fc.array(fc.constantFrom(...pieces), { minLength: 40, maxLength: 63 });
  const name = fc.oneof(some, full).map((parts) => cut(parts.join('')));
  const spaced = fc.oneof({ weight: 4, arbitrary: name }, { weight: 1, arbitrary: name.map((one) => cut(` ${one} `)) });
  const found = new Set(pieces);
  for (const one of fc.sample(spaced, { seed: 7, numRuns: count * 2 })) found.add(one);
  return [...found].slice(0, count);
}

/** To what PostgreSQL keeps of a name: 63 bytes, no half of a character. */
function cut(name: string): string {
  let kept = '';
  for (const sign of name) if (Buffer.byteLength(kept + sign) <= 63) kept += sign;
  return kept;
}
