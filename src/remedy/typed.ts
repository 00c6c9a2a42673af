import { suggest } from '../config/nearest.ts';
import { readOfRelation } from './identify.ts';
import { faultOf } from './runbook/param-values.ts';
import { choicesOf, type Param, type Params, variablesOf } from './runbook/params.ts';

/** What a person writes for a runbook: what identifies a relation or a session beyond its name or pid is read. */
export function takes(params: Params): string {
  const written = Object.entries(params).map(([name, param]) => writtenAs(name, param));
  return written.length > 0 ? `It takes ${written.join(' ')}.` : 'It takes no parameters.';
}

function writtenAs(name: string, param: Param): string {
  switch (param.type) {
    case 'relation':
      return `${name}=<schema.name>`;
    case 'backend':
      return 'pid=<integer>';
    case 'definition':
      return `${name}='<create index …>'`;
    default: {
      const value = `${name}=<${param.type === 'enum' ? param.values.join('|') : param.type}>`;
      return param.default === undefined ? value : `[${value}]`;
    }
  }
}

/** What is wrong with what was typed, before the server is asked for the rest. */
export function checkTyped(params: Params, typed: Readonly<Record<string, string>>): string[] {
  const known = new Set(Object.entries(params).flatMap(([name, param]) => typable(name, param, typed)));
  const unknown = Object.keys(typed).filter((name) => !known.has(name));
  return [
    ...Object.keys(params).flatMap((name) => faultsOfTyped(name, params, typed)),
    ...unknown.map((name) => {
      const hint = suggest(name, [...known]);
      return `${JSON.stringify(name)} is not one of its parameters${hint ? `; ${hint}` : ''}`;
    }),
  ];
}

/** A relation is written by its name, or by all of what identifies it. */
function typable(name: string, param: Param, typed: Readonly<Record<string, string>>): string[] {
  const variables = [...variablesOf({ [name]: param }).keys()];
  if (param.type !== 'relation') return variables;
  return Object.hasOwn(typed, name) ? [name] : [name, ...variables];
}

function faultsOfTyped(name: string, params: Params, typed: Readonly<Record<string, string>>): string[] {
  const param = params[name];
  if (!param) return [];
  const variables = variablesOf({ [name]: param });
  if (param.type === 'relation') {
    if (Object.hasOwn(typed, name)) return [];
    if (![...variables.keys()].some((variable) => Object.hasOwn(typed, variable)))
      return [`${name} is missing, expected the name of a relation with its schema`];
  }
  return [...variables].flatMap(([variable, type]) => {
    const isGiven = Object.hasOwn(typed, variable);
    if (!isGiven && (isReadOrDefault(param, variable) || isReadWith(params, typed, variable))) return [];
    const given = isGiven ? typed[variable] : undefined;
    if (!isGiven && param.type === 'backend') return [`its ${variable} is missing`];
    return faultOf(given, type, choicesOf({ [name]: param }, variable)).map((fault) => `${variable} ${fault}`);
  });
}

/** What is read with the relation, by its name: not where all that identifies it was typed. */
function isReadWith(params: Params, typed: Readonly<Record<string, string>>, variable: string): boolean {
  const relation = Object.keys(params).find((name) => params[name]?.type === 'relation');
  return relation !== undefined && Object.hasOwn(typed, relation) && readOfRelation.some((name) => name === variable);
}

function isReadOrDefault(param: Param, variable: string): boolean {
  if (param.type === 'backend') return variable !== 'pid';
  return 'default' in param && param.default !== undefined;
}

/** With the defaults of what was left out. */
export function withDefaults(params: Params, typed: Readonly<Record<string, string>>): Record<string, string> {
  const defaults = Object.entries(params).flatMap(([name, param]) =>
    'default' in param && param.default !== undefined ? [[name, param.default]] : [],
  );
  return { ...Object.fromEntries(defaults), ...typed };
}
