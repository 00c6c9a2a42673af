import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { suggest } from '../../config/nearest.ts';
import { risks, runbookClasses } from '../../model.ts';
import { faultsOf, Param, variablesOf } from './params.ts';

/** A problem of a runbook's file, by the line that it is on. */
export interface Problem {
  line: number;
  message: string;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

const text = z.string().trim().min(1, 'is empty');

const duration = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine(
    (value) => value === '0' || /^\d{1,6} ?(ms|s|min|h)$/.test(value),
    'must be a duration such as 100ms, 2s, 5min',
  )
  .transform((value) => Number.parseInt(value, 10) * (unitMs[value.replace(/^\d+ ?/, '')] ?? 0));

const unitBytes: Readonly<Record<string, number>> = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

const size = z
  .string()
  .regex(/^\d{1,6} ?(kB|MB|GB|TB)$/, 'must be a size such as 512MB, 10GB')
  .transform((value) => Number.parseInt(value, 10) * (unitBytes[value.replace(/^\d+ ?/, '')] ?? 0));

const orMapping = 'must be never, or a mapping';

/** When the bot stops its own statement without asking. */
const StopWhen = z.strictObject({
  /** More sessions than that have waited for that long behind one that waits for this statement to lock all out. */
  waiting: z.int().min(0),
  after: duration,
  /** A standby has so much left to replay; a replication slot keeps so much WAL. */
  standby_lag: size,
  slot_wal: size,
});

/** Multiples of the precondition's size_bytes: free space that it may take meanwhile, WAL that it may write. */
const Needs = z.strictObject({ disk: z.number().min(0), wal: z.number().min(0) });

const Timeouts = z.strictObject({ statement: duration, lock: duration, verify: duration });

export type FrontMatter = z.infer<typeof FrontMatter>;
export const FrontMatter = z
  .strictObject({
    title: text,
    for: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a job, or manual')).min(1, 'is empty'),
    risk: z.enum(risks),
    class: z.enum(runbookClasses),
    node: z.enum(['primary', 'standby', 'any']),
    params: z
      .record(z.string().regex(/^[a-z][a-z0-9_]*$/, 'must be lower-case letters, digits and _'), Param)
      .check(({ value, issues }) => {
        issues.push(...faultsOf(value).map((fault) => ({ code: 'custom' as const, input: value, ...fault })));
      }),
    locks: text,
    stop_when: z.union([z.string().regex(/^never\b/, orMapping), StopWhen], orMapping),
    undo: text,
    /** Settings of the session that acts, beyond the timeouts. */
    settings: z.record(z.string().regex(/^[a-z_]+$/, 'must be the name of a setting'), z.coerce.string()).default({}),
    needs: Needs.optional(),
    timeouts: Timeouts,
  })
  .check(({ value, issues }) => {
    // Whom a signal may hit is told by that session: the protect list, superusers, walsenders.
    if (value.class !== 'signal' || variablesOf(value.params).has('pid')) return;
    const message = 'signal is about one session: params must have one of type backend';
    issues.push({ code: 'custom', input: value, path: ['class'], message });
  });

export interface ParsedFrontMatter {
  data: FrontMatter | null;
  /** Right by themselves, whatever else is wrong. */
  params: FrontMatter['params'] | null;
  problems: Problem[];
}

/** `firstLine` is the line of the file on which the YAML begins. */
export function parseFrontMatter(yaml: string, firstLine: number): ParsedFrontMatter {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => firstLine + Math.max(lines.linePos(offset).line, 1) - 1;
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0)
    return { data: null, params: null, problems: wrong.map(({ pos, message }) => ({ line: lineAt(pos[0]), message })) };
  const value: unknown = document.toJS();
  const parsed = FrontMatter.safeParse(value);
  if (parsed.success) return { data: parsed.data, params: parsed.data.params, problems: [] };
  const params = z.object({ params: FrontMatter.shape.params }).safeParse(value).data?.params ?? null;
  const problems = parsed.error.issues.flatMap((issue) =>
    explain(issue, value).map(({ path, message }) => ({ line: lineAt(offsetOf(document.contents, path)), message })),
  );
  return { data: null, params, problems };
}

type Path = readonly PropertyKey[];

const words: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/** What is wrong in words, and the path of the key on whose line that is said. */
function explain(issue: z.core.$ZodIssue, value: unknown): { path: Path; message: string }[] {
  const { path } = issue;
  const name = path.map(String).join('.') || 'the front matter';
  const found = path.reduce<unknown>((node, step) => (node as Record<PropertyKey, unknown> | undefined)?.[step], value);
  const within = issue.code === 'invalid_union' ? (issue.errors.find(isOfParts) ?? []) : [];
  if (within.length > 0) return within.flatMap((one) => explain({ ...one, path: [...path, ...one.path] }, value));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, path, found) }));
  if (found === null) return [{ path, message: `${name} is empty` }];
  if (found === undefined) return [{ path: path.slice(0, -1), message: `${name} is missing` }];
  return [{ path, message: `${name} ${complaint(issue, found)}` }];
}

/** Of the ways a value could have been meant, the one that differs only in its parts. */
function isOfParts(issues: readonly z.core.$ZodIssue[]): boolean {
  return issues.length > 0 && issues.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys');
}

function complaint(issue: z.core.$ZodIssue, found: unknown): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'has a wrong name';
  if (issue.code === 'invalid_type') return `must be ${words[issue.expected] ?? issue.expected}`;
  const choices = choicesOf(issue);
  if (choices.length === 0) return issue.message;
  const hint = suggest(String(found), choices);
  return `is ${JSON.stringify(found)}, not one of ${choices.join(', ')}${hint ? `; ${hint}` : ''}`;
}

/** Of a value that must be one of a few; the type of a parameter decides which other keys it has. */
function choicesOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  return 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
}

function unknownKey(key: string, path: Path, parent: unknown): string {
  const known = keysAt(path, parent);
  const hint = suggest(key, known) ?? `known here: ${known.join(', ')}`;
  return `unknown key ${JSON.stringify([...path, key].map(String).join('.'))}; ${hint}`;
}

const parts: Readonly<Record<string, z.ZodObject>> = { timeouts: Timeouts, stop_when: StopWhen, needs: Needs };

function keysAt([first]: Path, parent: unknown): string[] {
  const within = first === undefined ? undefined : parts[String(first)];
  if (within) return Object.keys(within.shape);
  if (first !== 'params') return Object.keys(FrontMatter.shape);
  const type = (parent as { type?: unknown }).type;
  const ofType = Param.options.find(({ shape }) => shape.type.safeParse(type).success);
  return Object.keys(ofType?.shape ?? {});
}

/** Where the key at the end of a path stands; the nearest around it where it is not there. */
function offsetOf(node: unknown, path: Path): number {
  let offset = 0;
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined;
    if (!pair || !isScalar(pair.key)) return offset;
    offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}
