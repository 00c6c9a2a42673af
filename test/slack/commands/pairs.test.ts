import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { readPairs } from '../../../src/slack/commands/pairs.ts';

test.each<[string, Record<string, string>]>([
  ['', {}],
  ['  pid=4711   x2_y=', { pid: '4711', x2_y: '' }],
  ['index=shop."Orders Idx" database=shop', { index: 'shop."Orders Idx"', database: 'shop' }],
  ['index="My Shop"."a ""b"" c"', { index: '"My Shop"."a ""b"" c"' }],
  ['index="shop.orders_idx"', { index: 'shop.orders_idx' }],
  [`index='shop."Orders Idx"'`, { index: 'shop."Orders Idx"' }],
  ['database="my shop" name="a ""b"""', { database: 'my shop', name: 'a "b"' }],
  [`reason='it''s slow' note=it's`, { reason: "it's slow", note: "it's" }],
  [`a='' b="" c=''''`, { a: '', b: '', c: "'" }],
  ['a="x\n y".z\tb=1', { a: '"x\n y".z', b: '1' }],
  ['a=b=c="d e"', { a: 'b=c="d e"' }],
  // As phones and macOS send it.
  ['index=shop.“Orders Idx” reason=‘a b’ name=“a b”', { index: 'shop."Orders Idx"', reason: 'a b', name: 'a b' }],
  ['index=shop.“a"b” name="a “b”"', { index: 'shop."a""b"', name: 'a “b”' }],
  // As Slack sends it.
  ['a=x&lt;y&gt;&amp;amp;', { a: 'x<y>&amp;' }],
])('%j is understood', (text, params) => {
  expect(readPairs(text)).toEqual({ params });
});

test.each([
  ['4711', '"4711" is not name=value'],
  ['pid=1 Pid=2', '"Pid=2" is not name=value'],
  ['pid=1 pid=2', 'pid is there twice'],
  ['a="b c', 'a quote of a="b is not closed; a quote within quotes is doubled'],
  [`a='b c`, `a quote of a='b is not closed; a quote within quotes is doubled`],
  [`a='it's slow'`, `a quote of a='it's is not closed; a quote within quotes is doubled`],
  ['a=“b c', 'a quote of a=“b is not closed; a quote within quotes is doubled'],
  [`${'x'.repeat(100)}`, `"${'x'.repeat(60)}…" is not name=value`],
])('%j is told what is wrong', (text, fault) => {
  expect(readPairs(text)).toEqual({ fault });
});

it('gives back any value that was quoted', () => {
  const quotes = fc.constantFrom("'", '"');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), quotes, (one, other, quote) => {
      const quoted = [one, other].map((value) => `${quote}${value.replaceAll(quote, quote + quote)}${quote}`);
      const sent = `a=${quoted[0]}\n b=${quoted[1]} `.replaceAll('&', '&amp;');
      expect(readPairs(sent)).toEqual({ params: { a: one, b: other } });
    }),
    { numRuns: 500 },
  );
});
