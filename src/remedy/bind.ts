import { PgorderlyError } from '../errors.ts';
import type { ParamType } from './front-matter.ts';
import { quoteIdentifier, quoteLiteral, scan } from './psql.ts';
import { type Fence, type Runbook, type Step, type StepName, stepNames } from './runbook.ts';

/**
 * The steps of a runbook for one server, parameters rendered as psql would: `serverVersion` is server_version_num.
 * Throws param-invalid, naming every parameter that is missing, unknown or of the wrong type.
 */
export function bind(runbook: Runbook, params: Readonly<Record<string, string>>, serverVersion: number): Step[] {
  const problems = checkParams(runbook, params);
  if (problems.length > 0) {
    const names = Object.entries(runbook.params).map(([name, { type }]) => `${name}=<${type}>`);
    throw new PgorderlyError('param-invalid', `${runbook.name}: ${problems.join('; ')}`, {
      hint: names.length > 0 ? `It takes ${names.join(' ')}.` : 'It takes no parameters.',
    });
  }
  const major = Math.floor(serverVersion / 10_000);
  return stepNames.flatMap((step) => {
    const fence = fenceFor(runbook, step, major);
    return fence ? [{ step, sql: render(fence.sql, params) }] : [];
  });
}

/** Of the fences that are for this major, the one that begins highest. */
function fenceFor(runbook: Runbook, step: StepName, major: number): Fence | null {
  const ofStep = runbook.fences.filter((fence) => fence.step === step);
  const fitting = ofStep.filter(({ versions }) => versions.from <= major && major <= versions.to);
  const [best] = fitting.sort((a, b) => b.versions.from - a.versions.from);
  const isNeeded = step === 'precondition' || step === 'act' || step === 'verify';
  if (!best && isNeeded)
    throw new PgorderlyError('server-unsupported', `${runbook.name} has no ${step} for PostgreSQL ${major}`);
  return best ?? null;
}

function render(sql: string, params: Readonly<Record<string, string>>): string {
  const pieces = [...scan(sql)].map((piece) => {
    const isVariable = piece.kind === 'literal' || piece.kind === 'identifier';
    const value = isVariable ? params[piece.name] : undefined;
    if (value === undefined) return piece.text;
    return piece.kind === 'literal' ? quoteLiteral(value) : quoteIdentifier(value);
  });
  return pieces.join('');
}

function checkParams(runbook: Runbook, params: Readonly<Record<string, string>>): string[] {
  const known = Object.entries(runbook.params);
  const unknown = Object.keys(params).filter((name) => !Object.hasOwn(runbook.params, name));
  return [
    ...known.flatMap(([name, { type }]) => {
      if (!Object.hasOwn(params, name)) return [`${name} is missing, expected ${types[type].expected}`];
      const value: unknown = params[name];
      const isRight = typeof value === 'string' && types[type].fits(value);
      return isRight ? [] : [`${name} is ${show(value)}, expected ${types[type].expected}`];
    }),
    ...unknown.map((name) => `${show(name)} is not one of its parameters`),
  ];
}

const types: Readonly<Record<ParamType, { expected: string; fits(value: string): boolean }>> = {
  integer: {
    expected: 'an integer',
    fits: (value) => /^-?\d{1,10}$/.test(value) && Math.abs(Number(value) + 0.5) < 2 ** 31,
  },
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
};

/** What PostgreSQL can store: no NUL, and no half of a surrogate pair. */
function isText(value: string): boolean {
  return !value.includes('\0') && !/\p{Cs}/u.test(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
