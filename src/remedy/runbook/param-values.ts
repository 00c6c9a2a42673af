import type { VariableType } from './params.ts';
import { scan } from './psql.ts';

/** Why it is none of that type; empty where it is one. `choices` are those of an enum. */
export function faultOf(value: unknown, type: VariableType, choices: readonly string[]): [] | [string] {
  const expected = type === 'enum' ? `one of ${choices.join(', ')}` : types[type].expected;
  if (value === undefined) return [`is missing, expected ${expected}`];
  const fits = type === 'enum' ? (text: string) => choices.includes(text) : types[type].fits;
  return typeof value === 'string' && fits(value) ? [] : [`is ${show(value)}, expected ${expected}`];
}

const types: Readonly<Record<Exclude<VariableType, 'enum'>, { expected: string; fits(value: string): boolean }>> = {
  integer: {
    expected: 'an integer',
    fits: (value) => /^-?\d{1,10}$/.test(value) && Math.abs(Number(value) + 0.5) < 2 ** 31,
  },
  oid: { expected: 'an oid', fits: (value) => /^\d{1,10}$/.test(value) && Number(value) < 2 ** 32 },
  microseconds: {
    expected: 'microseconds since 1970, such as 1763700000123456',
    fits: (value) => /^\d{1,19}$/.test(value) && BigInt(value) < 2n ** 63n,
  },
  duration: {
    // What a setting and an interval both take, and take for the same.
    expected: 'a duration such as 100ms, 2s, 5min, 12h or 7d',
    fits: (value) => /^(?:0|\d{1,6} ?(?:us|ms|s|min|h|d))$/.test(value),
  },
  lsn: { expected: 'an LSN such as 16/B374D848', fits: (value) => /^[0-9a-f]{1,8}\/[0-9a-f]{1,8}$/i.test(value) },
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
