import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseQuery } from '../../src/targets/normalise.ts';

describe('a normalised query', () => {
  it.each([
    ["select * from t where a = 'x' and b = 1", 'select * from t where a = $1 and b = $2'],
    ["select 'it''s', E'it\\'s', e'\\\\', B'01', x'1F', N'n', U&'\\0041'", 'select $1, $2, $3, $4, $5, $6, $7'],
    ["select $$a 'b' $x$ c$$, $tag$ $$ 'y' $tag$", 'select $1, $2'],
    ['select 1, -2, 3.5, .5, 1e10, 2.5E-3, 0xFF, 1_000, 12ab', 'select $1, -$2, $3, $4, $5, $6, $7, $8, $9'],
    [
      'select t1.c2, a$1 from t1 where "Col 1" = U&"d\\0061t" and "a""b" = 5',
      'select t1.c2, a$1 from t1 where "Col 1" = U&"d\\0061t" and "a""b" = $1',
    ],
    ["select 'a' where id = $1 and x = $3", 'select $4 where id = $1 and x = $3'],
    ["select 'a' where id = $123456 or b", 'select $1 where id = $ $2 or b'],
    ["select 1 -- 'secret'\n, 2 /* 'x /* y */ 7 */ + 3 --end", 'select $1 , $2 + $3'],
    ['select\n\t a ,\r\n  b', 'select a , b'],
    ["copy t to program 'curl secret'", 'copy t to program $1'],
    ["alter user bob password 'secret'", 'alter user bob password $1'],
    ["do $$ begin perform 'secret'; end $$ language plpgsql", 'do $1 language plpgsql'],
    ["select interval'1 day', 'a'b, 'c'2", 'select interval $1, $2 b, $3 $4'],
    ["select 'a'\n'b', E'a'\n'b\\'secret'", 'select $1 $2, $3 …'],
    ['select $1 + $2', 'select $1 + $2'],
    ["select 'secret", 'select …'],
    ["select e'secret\\'", 'select …'],
    ['select $body$ secret $bod', 'select …'],
    ['select $bod', 'select …'],
    ['select "half a na', 'select …'],
    ['select 1 /* secret', 'select $1 …'],
    ["select '\\' , 'secret'", 'select …'],
    ["select 'C:\\dir\\\\' , 'secret'", 'select $1 , $2'],
    ["select 1e'secret\\''", 'select …'],
    ["e\u200b'x\\' secret 'lit'", 'e…'],
    ['select a\u0000b, c\u202ed, e\ud800f, g\u200bh, i\u00adj, k\u2028l', 'select a b, cd, ef, gh, ij, k l'],
    ['<insufficient privilege>', '<insufficient privilege>'],
    ['autovacuum: VACUUM public.t1 (to prevent wraparound)', 'autovacuum: VACUUM public.t1 (to prevent wraparound)'],
    ['', ''],
    [null, null],
  ])('of %j is %j', (text, expected) => {
    expect(normaliseQuery(text)).toBe(expected);
  });

  it('keeps to its length, counted in code points', () => {
    expect(normaliseQuery('select a, b', { max: 9 })).toBe('select a…');
    expect(normaliseQuery('😀😀😀', { max: 3 })).toBe('😀😀😀');
    expect(normaliseQuery('😀😀😀', { max: 2 })).toBe('😀…');
    expect(normaliseQuery(`select ${'x'.repeat(2_000_000)}`)).toHaveLength(1000);
  });

  it('takes no longer than the text is long, whatever is repeated in it', () => {
    for (const piece of [
      "''",
      "'\\",
      '"a"',
      '$a',
      '$a$b$a$',
      '/*',
      '*/',
      "e'\\'",
      '1.',
      'u&',
      '--\n',
      '\u200b',
      'é$',
    ]) {
      const startedAt = performance.now();
      normaliseQuery(piece.repeat(500_000));
      expect(performance.now() - startedAt).toBeLessThan(1000);
    }
  });

  it('throws for no text, and shows nothing that is invisible', () => {
    const signs = '\'"$\\/*-eEuU&xX01_a\n \u0000\ud800\u202e.;é';
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...signs) }), (text) => {
        expect(normaliseQuery(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      }),
      { numRuns: 5000 },
    );
  });
});

/** Literals are of capitals and digits only, everything else of small letters: what leaks is seen in any piece of it. */
describe('no literal', () => {
  const capitals = (signs: string) => fc.string({ unit: fc.constantFrom(...signs), maxLength: 12 });
  const content = capitals('ABÉ\'"\\$-/*\n ;,()');
  const plain = (isStandard: boolean) => (text: string) =>
    isStandard ? `'${text.replaceAll("'", "''")}'` : `'${text.replace(/[\\']/g, '\\$&')}'`;
  const literal = (isStandard: boolean) =>
    fc.oneof(
      content.map(plain(isStandard)),
      content.map((text) => `e'${text.replace(/[\\']/g, '\\$&')}'`),
      content.map((text) => `e'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`),
      content.map((text) => `$q$${text}$q$`),
      capitals('AB/*\n ').map((text) => `$$${text}$$`),
      fc.constantFrom("x'0AF'", "b'01'", '42', '3.5', '.5', '1_000', '0xAF', '6e7', "u&'\\00E9'"),
      capitals('AB\'"$ ').map((text) => `/* ${text} /* ${text} */ ${text} */`),
      capitals('AB\'"$/* ').map((text) => `-- ${text}\n`),
    );
  const other = fc.constantFrom(
    'select',
    'a',
    '"b"',
    'é',
    '(',
    ')',
    '::',
    '=',
    '-',
    '*',
    '/',
    ',',
    ';',
    '"c""d"',
    'nu',
  );
  const statement = fc
    .boolean()
    .chain((isStandard) => fc.array(fc.oneof(other, literal(isStandard)), { maxLength: 12 }))
    .map((parts) => parts.join(' '));

  it('survives, in standard or in escaping strings, whole or cut off at any place', () => {
    fc.assert(
      fc.property(statement, (text) => {
        for (let end = 0; end <= text.length; end += 1) {
          const shown = normaliseQuery(text.slice(0, end));
          expect(shown.replace(/\$\d+/g, '')).not.toMatch(/[A-Z0-9É\\']/);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
