import type { z } from 'zod';
import { suggest } from './nearest.ts';
import type { Path, Remark } from './problem.ts';
import { keysOf, type Shape, shapesAt } from './shape.ts';
import type { Source } from './source.ts';

type Issue = z.core.$ZodIssue;

interface Asked {
  path: Path;
  source: Source;
  /** What the schema allows there. */
  shapes: Shape[];
}

/** What a person can do about an issue of the schema. */
export function explainIssue(issue: Issue, source: Source, schema: z.core.$ZodType): Remark[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const asked: Asked = { path, source, shapes: shapesAt(schema, path) };
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, asked));
  if (issue.code === 'invalid_union') return explainUnion(issue, asked, schema);
  return [{ level: 'error', path, ...explainOne(issue, asked) }];
}

/** A value as a message may name it: neither a secret nor anything from the environment is shown. */
export function nameValue(source: Source, path: Path, isSecret = false): string {
  const variables = source.variablesOf(path).map((name) => `\${${name}}`);
  if (variables.length > 0) return `the value of ${variables.join(' and ')}`;
  const text = source.textOf(path) ?? String(valueAt(source.value, path));
  const isShown = !isSecret && text.length <= 60 && !/:\/\/|^x(ox|app)/.test(text);
  return isShown ? JSON.stringify(text) : 'this value';
}

function explainOne(issue: Issue, asked: Asked): Omit<Remark, 'level' | 'path'> & { path?: Path } {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(wordFor(issue.expected), asked);
    case 'invalid_value':
      return wrongChoice(issue.values.map(String), asked);
    case 'too_small':
      if (issue.origin === 'array') return { message: 'the list is empty', hint: describe(asked) };
      return { message: `must be at least ${issue.minimum}` };
    case 'too_big':
      return { message: `must be at most ${issue.maximum}` };
    case 'invalid_key':
      return { ...explainKey(issue, asked), on: 'key' };
    case 'custom':
      return { message: `${nameIt(asked)} ${issue.message}`, hint: hintOf(issue) };
    default:
      return { message: `expected ${expectedOf(asked) ?? 'another value'}` };
  }
}

function explainUnion(issue: z.core.$ZodIssueInvalidUnion, asked: Asked, schema: z.core.$ZodType): Remark[] {
  const { path, source } = asked;
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
  const choices = options.filter((option) => typeof option === 'string');
  if (choices.length > 0) return [{ level: 'error', path, ...wrongChoice(choices, asked) }];
  const value = valueAt(source.value, path);
  const nearest = issue.errors.find((issues) => issues.every((one) => isWithin(one, value)));
  if (!nearest) return [{ level: 'error', path, ...wrongType('another value', asked) }];
  return nearest.flatMap((one) => explainIssue({ ...one, path: [...path, ...one.path] }, source, schema));
}

/** Of the ways a value could have been meant, the one that differs only in its parts, or in what its text says. */
function isWithin(issue: Issue, value: unknown): boolean {
  if (typeof value === 'object') return issue.path.length > 0 || issue.code === 'unrecognized_keys';
  return issue.code === 'custom' || issue.code === 'too_small';
}

function wrongType(expected: string, asked: Asked): ReturnType<typeof explainOne> {
  const { path, source } = asked;
  const found = valueAt(source.value, path);
  if (found === undefined) return missing(asked);
  const isInside = typeof found === 'object';
  const wanted = expectedOf(asked) ?? expected;
  const message = `expected ${wanted}, found ${typeof found === 'string' ? nameIt(asked) : kindOf(found)}`;
  const hint = !isInside && /^(text|a word|a .*name|a pattern)$/.test(wanted) ? 'put it in quotes' : undefined;
  return { message, hint, ...(isInside ? { on: 'key' } : {}) };
}

function missing(asked: Asked): ReturnType<typeof explainOne> {
  const { path, source } = asked;
  const key = path.at(-1);
  if (typeof key === 'number') return { message: 'this item of the list is empty' };
  const message = JSON.stringify(key);
  if (source.isWritten(path)) return { message: `${message} is empty`, hint: describe(asked), on: 'key' };
  return { path: path.slice(0, -1), message: `${message} is missing`, hint: describe(asked), on: 'key' };
}

function wrongChoice(choices: readonly string[], asked: Asked): ReturnType<typeof explainOne> {
  const value = valueAt(asked.source.value, asked.path);
  if (value === undefined) return missing(asked);
  const isShown = asked.source.variablesOf(asked.path).length === 0;
  return {
    message: `${nameIt(asked)} is not one of ${choices.join(', ')}`,
    hint: isShown ? suggest(String(value), choices) : undefined,
  };
}

function unknownKey(key: string, { path, shapes }: Asked): Remark {
  const known = [...new Set(shapes.flatMap(keysOf))];
  const elsewhere = shapes.find((shape) => keysOf(shape).includes(key));
  const about = elsewhere && describe({ path: [key], shapes: shapesAt(elsewhere.schema, [key]) });
  return {
    level: 'error',
    path: [...path, key],
    on: 'key',
    message: about ? `the key ${shorten(key)} does not belong here` : `unknown key ${shorten(key)}`,
    hint: about ?? suggest(key, known) ?? (known.length > 0 ? `known here: ${known.join(', ')}` : undefined),
  };
}

function explainKey(issue: z.core.$ZodIssueInvalidKey, { path }: Asked): { message: string; hint: string | undefined } {
  const [first] = issue.issues;
  return { message: `${shorten(String(path.at(-1)))} ${first?.message}`, hint: first && hintOf(first) };
}

function nameIt({ source, path, shapes }: Asked): string {
  return nameValue(source, path, shapes[0]?.meta.isSecret);
}

function describe({ shapes }: Pick<Asked, 'path' | 'shapes'>): string | undefined {
  return shapes[0]?.meta.description;
}

function expectedOf({ shapes }: Asked): string | undefined {
  return shapes[0]?.meta.type;
}

function hintOf(issue: Issue): string | undefined {
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined;
  return typeof hint === 'string' ? hint : undefined;
}

function shorten(key: string): string {
  return JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key);
}

function wordFor(expected: string): string {
  const words = {
    string: 'text',
    int: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
    array: 'a list',
  };
  return Object.hasOwn(words, expected) ? words[expected as keyof typeof words] : 'a mapping (key: value)';
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'number' ? 'a number' : 'true or false';
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}
