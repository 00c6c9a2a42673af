import { z } from 'zod';
import { scan } from './psql.ts';

/**
 * What a runbook may ask for. A `relation` stands for several psql variables, every other type for the one of its name;
 * a `definition`, the statement that creates an index, is pasted as it is.
 */
export const paramTypes = ['integer', 'text', 'identifier', 'microseconds', 'relation', 'definition'] as const;
export type ParamType = (typeof paramTypes)[number];

export const Param = z.strictObject({
  type: z.enum(paramTypes),
  about: z.string().trim().min(1, 'is empty'),
});
export type Params = Readonly<Record<string, z.infer<typeof Param>>>;

type VariableType = Exclude<ParamType, 'relation'> | 'oid';

/**
 * What identifies a relation beyond its name: its oid, its file (which every rewrite changes) and the oid of its table,
 * which is a table's own.
 */
const partsOfRelation = { schema: 'identifier', name: 'identifier', oid: 'oid', file: 'oid', table: 'oid' } as const;

/** The psql variables that the parameters stand for: of a relation `index` these are `index_schema`, `index_name` … */
export function variablesOf(params: Params): Map<string, VariableType> {
  return new Map(
    Object.entries(params).flatMap(([name, { type }]): [string, VariableType][] =>
      type === 'relation'
        ? Object.entries(partsOfRelation).map(([part, partType]) => [`${name}_${part}`, partType])
        : [[name, type]],
    ),
  );
}

/** What identifies a relation, as a catalog shows it; oids are text. */
export type RelationIdentity = Record<keyof typeof partsOfRelation, string>;

export function relationVariables(param: string, relation: RelationIdentity): Record<string, string> {
  return Object.fromEntries(Object.entries(relation).map(([part, value]) => [`${param}_${part}`, value]));
}

/** What of these values is missing, unknown or of the wrong type; empty where all are right. */
export function checkValues(params: Params, values: Readonly<Record<string, string>>): string[] {
  const variables = variablesOf(params);
  const unknown = Object.keys(values).filter((name) => !variables.has(name));
  return [
    ...[...variables].flatMap(([name, type]) => {
      if (!Object.hasOwn(values, name)) return [`${name} is missing, expected ${types[type].expected}`];
      const value: unknown = values[name];
      const isRight = typeof value === 'string' && types[type].fits(value);
      return isRight ? [] : [`${name} is ${show(value)}, expected ${types[type].expected}`];
    }),
    ...unknown.map((name) => `${show(name)} is not one of its parameters`),
  ];
}

const types: Readonly<Record<VariableType, { expected: string; fits(value: string): boolean }>> = {
  integer: {
    expected: 'an integer',
    fits: (value) => /^-?\d{1,10}$/.test(value) && Math.abs(Number(value) + 0.5) < 2 ** 31,
  },
  oid: { expected: 'an oid', fits: (value) => /^\d{1,10}$/.test(value) && Number(value) < 2 ** 32 },
  microseconds: {
    expected: 'microseconds since 1970, such as 1763700000123456',
    fits: (value) => /^\d{1,19}$/.test(value) && BigInt(value) < 2n ** 63n,
  },
  text: { expected: 'text without NUL characters', fits: isText },
  identifier: {
    expected: 'a name of 1 to 63 bytes',
    // Longer names would be cut by the server, and could then be another's.
    fits: (value) => isText(value) && value !== '' && Buffer.byteLength(value) <= 63,
  },
  definition: { expected: 'one statement create index concurrently …', fits: isIndexDefinition },
};

function isIndexDefinition(value: string): boolean {
  if (!isText(value) || !/^create (?:unique )?index concurrently \S/i.test(value)) return false;
  return [...scan(value)].every(({ kind }) => kind === 'text');
}

/** What PostgreSQL can store: no NUL, and no half of a surrogate pair. */
function isText(value: string): boolean {
  return !value.includes('\0') && !/\p{Cs}/u.test(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
