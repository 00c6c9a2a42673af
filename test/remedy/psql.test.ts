import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bind } from '../../src/remedy/bind.ts';
import { loadRunbooks } from '../../src/remedy/library.ts';
import { variablesOf } from '../../src/remedy/params.ts';
import { quoteIdentifier, quoteLiteral, scan } from '../../src/remedy/psql.ts';
import { newest, server } from '../support/servers.ts';

const psql = '/usr/bin/psql';

/** Statements that hold everything in which psql does, or does not, look for variables. */
const parts = [
  `:'x'`,
  `:"y"`,
  `' :''x'' '`,
  `E' :\\'x\\' \\' '`,
  `e'\\\\'`,
  `$$ :'x' $$`,
  `$a$ $$ :"y" $a$`,
  `"a:'x'"`,
  `1 -- :'x' '\n`,
  `/* :'x' /* ' */ " */ 2`,
  '(array[1,2,3])[1:2]',
  `'a'::text`,
  `:'x'::text`,
  `U&'\\0041:x'`,
  'a$b',
  `:'x':'x'`,
  `E'a'\n 'b'`,
  `x:'x'`,
  `E:'x'`,
  ':nope',
  `1*/* :'x' */2`,
  `::'x'`,
  '$1',
  ':=',
];
const signs = ["'", '"', '\\', '$', ':', 'x', 'E', ' ', '\n', '--', '/*', ';', 'ä', '😀', '%', '\t', ":'y'"];

describe.skipIf(!existsSync(psql))('what we render is what psql would send', () => {
  let url: string;
  beforeAll(async () => {
    url = (await server(newest)).url();
  });

  /** The bytes that psql sends for a fence, echoed by itself. */
  function sentByPsql(sql: string, variables: Record<string, string>): string {
    const options = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
    const { stdout } = spawnSync(psql, ['-X', '-e', ...options, url], { input: `${sql};\n`, encoding: 'utf8' });
    return stdout;
  }

  it('for hostile values in hostile places', () => {
    const value = fc.string({ unit: fc.constantFrom(...signs), maxLength: 12 });
    const list = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 });
    const isWhole = (sql: string) =>
      ![...scan(sql)].some(({ kind }) => kind === 'backslash' || kind === 'unterminated');
    fc.assert(
      fc.property(value, value, list, (x, y, some) => {
        const sql = `select ${some.join(' , ')}`;
        fc.pre(isWhole(sql));
        const rendered = [...scan(sql)].map((piece) => {
          if (piece.kind === 'literal') return quoteLiteral(piece.name === 'x' ? x : y);
          return piece.kind === 'identifier' ? quoteIdentifier(piece.name === 'x' ? x : y) : piece.text;
        });
        expect(sentByPsql(sql, { x, y }).startsWith(`${rendered.join('')};\n`)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  const definition = 'create index concurrently x on nowhere (id)';

  it('for every step of our own runbooks', async () => {
    const runbooks = await loadRunbooks(fileURLToPath(import.meta.resolve('#package/runbooks')));
    for (const runbook of runbooks.values()) {
      const params = Object.fromEntries(
        [...variablesOf(runbook.params)].map(([name, type]) => [name, type === 'definition' ? definition : '4711']),
      );
      for (const { step, sql } of bind(runbook, params, newest * 10_000)) {
        const fence = runbook.fences.find((one) => one.step === step);
        const sent = sentByPsql(fence?.sql ?? '', params);
        expect(sent.startsWith(`${sql};\n`), `${runbook.name} ${step}`).toBe(true);
        const isUtility = !/^(?:select|with)\b/.test(sql);
        // psql tells of the error elsewhere.
        if (!isUtility) expect(sent, `${runbook.name} ${step}`).toMatch(/\(\d+ rows?\)/);
      }
    }
  });
});
