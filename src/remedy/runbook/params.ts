import { z } from 'zod';
import { faultOf } from './param-values.ts';

const about = z.string().trim().min(1, 'is empty');
const byDefault = z.union([z.string(), z.number()], 'must be text').transform(String).optional();

/**
 * What a runbook may ask for. A `relation` and a `backend` stand for several psql variables, every other type for the one
 * of its name; a `definition`, the statement that creates an index, is pasted as it is. `default` is for those who ask by
 * hand: what a job offers is complete.
 */
export const Param = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.enum(['integer', 'text', 'identifier', 'microseconds', 'duration', 'lsn']),
    about,
    default: byDefault,
  }),
  z.strictObject({
    type: z.literal('enum'),
    values: z.array(z.string().min(1, 'is empty')).min(1, 'is empty'),
    about,
    default: byDefault,
  }),
  z.strictObject({ type: z.literal('backend'), identity: z.enum(['transaction', 'statement']), about }),
  z.strictObject({ type: z.literal('relation'), about }),
  z.strictObject({ type: z.literal('definition'), about }),
]);
export type Param = z.infer<typeof Param>;
export type Params = Readonly<Record<string, Param>>;

export type VariableType = Exclude<Param['type'], 'relation' | 'backend'> | 'oid';

/**
 * What identifies a relation beyond its name: its oid, its file (which every rewrite changes) and the oid of its table,
 * which is a table's own.
 */
const partsOfRelation = { schema: 'identifier', name: 'identifier', oid: 'oid', file: 'oid', table: 'oid' } as const;

/** What identifies a session, and what it is at: pids are used again, and the next statement may be another one. */
const partsOfBackend = {
  transaction: { pid: 'integer', backend_start: 'microseconds', xact_start: 'microseconds' },
  statement: {
    pid: 'integer',
    backend_start: 'microseconds',
    xact_start: 'microseconds',
    query_start: 'microseconds',
  },
} as const;

/** The psql variables that the parameters stand for: of a relation `index` these are `index_schema`, `index_name` … */
export function variablesOf(params: Params): Map<string, VariableType> {
  return new Map(Object.entries(params).flatMap(([name, param]) => variablesOfOne(name, param)));
}

function variablesOfOne(name: string, param: Param): [string, VariableType][] {
  if (param.type === 'backend') return Object.entries(partsOfBackend[param.identity]);
  if (param.type !== 'relation') return [[name, param.type]];
  return Object.entries(partsOfRelation).map(([part, type]) => [`${name}_${part}`, type]);
}

/** Its type in words, with the variables that it stands for or the values that it may have. */
export function describeType(name: string, param: Param): string {
  const variables = variablesOfOne(name, param).map(([variable]) => variable);
  const parts = param.type === 'enum' ? param.values : variables.length > 1 ? variables : [];
  const byDefault = 'default' in param && param.default !== undefined ? `, ${param.default} unless told` : '';
  return `${param.type}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${byDefault}`;
}

/** What identifies a relation, as a catalog shows it; oids are text. */
export type RelationIdentity = Record<keyof typeof partsOfRelation, string>;

export function relationVariables(param: string, relation: RelationIdentity): Record<string, string> {
  return Object.fromEntries(Object.entries(relation).map(([part, value]) => [`${param}_${part}`, value]));
}

/** The relation among a plan's variables; null where they hold none. */
export function relationIn(variables: Readonly<Record<string, string>>): RelationIdentity | null {
  const parts = Object.keys(partsOfRelation);
  const isWhole = (name: string) => parts.every((part) => Object.hasOwn(variables, `${name}_${part}`));
  const found = Object.keys(variables)
    .filter((variable) => variable.endsWith('_oid'))
    .map((variable) => variable.slice(0, -'_oid'.length))
    .find(isWhole);
  if (found === undefined) return null;
  return Object.fromEntries(parts.map((part) => [part, variables[`${found}_${part}`]])) as RelationIdentity;
}

/** What of these values is missing, unknown or of the wrong type; empty where all are right. */
export function checkValues(params: Params, values: Readonly<Record<string, string>>): string[] {
  const variables = variablesOf(params);
  const unknown = Object.keys(values).filter((name) => !variables.has(name));
  return [
    ...[...variables].flatMap(([name, type]) => {
      const given: unknown = Object.hasOwn(values, name) ? values[name] : undefined;
      return faultOf(given, type, choicesOf(params, name)).map((fault) => `${name} ${fault}`);
    }),
    ...unknown.map((name) => `${JSON.stringify(name)} is not one of its parameters`),
  ];
}

export function choicesOf(params: Params, name: string): readonly string[] {
  const param = Object.hasOwn(params, name) ? params[name] : undefined;
  return param?.type === 'enum' ? param.values : [];
}

/** Names that say where a runbook runs, for whoever asks by hand. */
const placeNames = ['node', 'database'];

/** What is wrong with parameters that are right one by one: the path of the key, and why. */
export function faultsOf(params: Params): { path: string[]; message: string }[] {
  const seen = new Map<string, string>();
  return Object.entries(params).flatMap(([name, param]) => {
    const twin = variablesOfOne(name, param).find(([variable]) => seen.has(variable))?.[0];
    const owner = twin === undefined ? undefined : seen.get(twin);
    for (const [variable] of variablesOfOne(name, param)) seen.set(variable, name);
    const isSecond = Object.keys(params).find((one) => params[one]?.type === 'relation') !== name;
    return [
      ...(placeNames.includes(name) ? [{ path: [name], message: 'is where it runs; choose another name' }] : []),
      ...(owner !== undefined ? [{ path: [name], message: `and ${owner} both stand for :'${twin}'` }] : []),
      ...(param.type === 'relation' && isSecond
        ? [{ path: [name], message: 'is a second relation; a runbook is about one, and no other runs on it meanwhile' }]
        : []),
      ...faultsOfOne(name, param),
    ];
  });
}

function faultsOfOne(name: string, param: Param): { path: string[]; message: string }[] {
  if (param.type === 'backend' || param.type === 'relation' || param.type === 'definition') return [];
  const choices = param.type === 'enum' ? param.values : [];
  const isTwice = new Set(choices).size < choices.length;
  const faults = param.default === undefined ? [] : faultOf(param.default, param.type, choices);
  return [
    ...(isTwice ? [{ path: [name, 'values'], message: 'has a value twice' }] : []),
    ...faults.map((message) => ({ path: [name, 'default'], message })),
  ];
}
