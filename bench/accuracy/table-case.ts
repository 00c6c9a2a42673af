/** A table in a known state. `$t` is its name. */
export interface TableCase {
  name: string;
  statements: readonly string[];
  /** Nothing in the catalog says what is in it now: a number from there would be a guess. */
  isUnknowable?: boolean;
}

export const settled = 'vacuum analyze $t';
export const text = (low: number, high: number) =>
  `left(repeat(md5(g::text), 40), ${low} + (random() * ${high - low})::int)`;
export const rows = (count: number) => `generate_series(1, ${count}) g`;
