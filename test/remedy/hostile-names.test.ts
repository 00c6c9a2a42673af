import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { complete } from '../../src/remedy/complete.ts';
import { bind } from '../../src/remedy/runbook/bind.ts';
import type { Fence } from '../../src/remedy/runbook/fences.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { relationVariables, variablesOf } from '../../src/remedy/runbook/params.ts';
import type { Runbook } from '../../src/remedy/runbook/runbook.ts';
import { readPairs } from '../../src/slack/commands/pairs.ts';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { psqlAvailable, runPsql } from '../support/psql.ts';
import { createDatabase, type Database, majors, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { madeFor, makeNamed, type Named, readNamed } from './hostile-names.ts';

const runbooks = [...(await loadRunbooks(runbooksFolder)).values()].flatMap((runbook) => {
  const param = Object.keys(runbook.params).find((name) => runbook.params[name]?.type === 'relation');
  return param === undefined ? [] : [[runbook.name, runbook, param] as const];
});

describe.each([...new Set([12, 15, newest])].filter((major) => majors.includes(major)))('on PostgreSQL %i', (major) => {
  let database: Database;
  let all: Named[];
  const count = major === newest ? 1_000 : 40;

  beforeAll(async () => {
    database = await createDatabase(major);
    all = await makeNamed(database, count);
    expect(all).toHaveLength(2 * count);
  });
  failOnLeaks(() => database);

  describe.each(runbooks)('%s', (_, runbook, param) => {
    const kind = kindOf(param);
    // All of them for one runbook about tables and one about indexes, every tenth for the others.
    const isFirst = runbooks.find(([, , each]) => kindOf(each) === kind)?.[1] === runbook;
    const named = () => all.filter((one) => one.kind === kind).filter((_, index) => isFirst || index % 10 === 0);
    const boundTo = (one: Named, step: string) =>
      bind(runbook, paramsFor(runbook, param, one), major * 10_000).flatMap((each) =>
        each.step === step ? [each.sql] : [],
      );

    it('is about the one relation that was typed in chat as SQL writes it', async () => {
      const reader = new Reader({ name: 'main', url: database.url('monitor') });
      for (const one of named()) {
        const escaped = one.shown.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
        const read = readPairs(` ${param}=${escaped}`);
        if ('fault' in read) throw new Error(read.fault);
        const { [param]: written } = read.params;
        const typed = { ...othersFor(runbook, param, one), [param]: written ?? '' };
        const { params, about } = await complete(reader, { runbook, typed, database: null });
        expect({ params, about }).toEqual({
          params: paramsFor(runbook, param, one),
          about: `${one.shown} in ${database.name}`,
        });
      }
      await reader.close();
    });

    it('finds by each name its one relation, and none by a name and the identity of another one', async () => {
      for (const [index, one] of named().entries()) {
        const [right = ''] = boundTo(one, 'precondition');
        expect((await database.run(right)).rows, one.shown).toHaveLength(1);
        const other = named().at(index - 1) ?? one;
        const [wrong = ''] = boundTo({ ...other, schema: one.schema, name: one.name }, 'precondition');
        if (index % 10 === 0) expect((await database.run(wrong)).rows, one.shown).toEqual([]);
      }
    });

    it.runIf(psqlAvailable())('finds and names it in psql too, pasted or with its variables', async () => {
      const raw = rawFence(runbook, fenceOf(runbook, 'precondition', major));
      await database.run('create table public.found (how text, oid oid, count bigint)');
      const scripts = named().map((one) =>
        scriptFor(one, { param, raw, bound: boundTo(one, 'precondition')[0] ?? '' }),
      );
      const [first] = named();
      const variables = first ? othersFor(runbook, param, first) : {};
      const said = await runPsql(database.url(), { sql: scripts.join('\n'), variables });
      const { rows } = await database.run(
        `select f.how, count(*)::int as found from public.found f
         where f.count = 1 and obj_description(f.oid, 'pg_class') = f.oid::text group by f.how order by f.how`,
      );
      expect(rows, said.slice(-500)).toEqual(['pasted', 'variables'].map((how) => ({ how, found: named().length })));
      await database.run('drop table public.found');
    });

    it.runIf(psqlAvailable())('is in psql -v what we send, to the byte', async () => {
      const raw = rawFence(runbook, fenceOf(runbook, 'precondition', major));
      for (const one of named().slice(-4)) {
        const said = await runPsql(database.url(), { sql: raw, variables: paramsFor(runbook, param, one) });
        expect(said.startsWith(`${boundTo(one, 'precondition')[0]}\n`), said).toBe(true);
      }
    });

    it('acts on the one that is named, and on no other', async () => {
      for (const one of named().slice(0, 10)) {
        const others = all.filter(({ oid }) => oid !== one.oid).map(({ oid }) => oid);
        const before = await fingerprint(others);
        for (const sql of boundTo(one, 'act')) await database.run(sql);
        const [verify = ''] = boundTo(one, 'verify');
        await until(`${runbook.name} of ${one.shown}`, async () => isTrue(await database.run(verify)));
        expect(await fingerprint(others)).toBe(before);
      }
      all = await readNamed(database);
    });
  });

  async function fingerprint(oids: string[]): Promise<string> {
    const { rows } = await database.run(
      `select md5(string_agg(row(c.oid, c.relname, c.relfilenode, i.indisvalid)::text, ',' order by c.oid)) as hash
       from pg_class c left join pg_index i on i.indexrelid = c.oid where c.oid = any ($1::text[]::oid[])`,
      [oids],
    );
    return rows[0].hash;
  }
});

/** A table is asked for as one; an index has a table of its own. */
function kindOf(param: string): Named['kind'] {
  return param.startsWith('table') ? 'table' : 'index';
}

/** Everything that a runbook takes, about that relation. */
function paramsFor(runbook: Runbook, param: string, one: Named): Record<string, string> {
  const { schema, name, oid, file, table } = one;
  return { ...othersFor(runbook, param, one), ...relationVariables(param, { schema, name, oid, file, table }) };
}

/** What it takes besides the relation. */
function othersFor(runbook: Runbook, param: string, one: Named): Record<string, string> {
  const { [param]: _, ...rest } = runbook.params;
  const index = `"${madeFor(one).replaceAll('"', '""')}"`;
  const samples: Record<string, string> = {
    identifier: madeFor(one),
    definition: `create index concurrently ${index} on ${one.shown} using btree (id)`,
    text: 'indexdef' in rest ? `CREATE INDEX ${index} ON ${one.shown} USING btree (id)` : '0',
  };
  return Object.fromEntries([...variablesOf(rest)].map(([name, type]) => [name, samples[type] ?? '0']));
}

/** Asks by the fence as it is, with variables that psql has from the server, and by what we send. */
function scriptFor(one: Named, { param, raw, bound }: { param: string; raw: string; bound: string }): string {
  const found = (how: string, sql: string) =>
    `insert into public.found select '${how}', '${one.oid}', count(*) from (\n${sql}\n) found;`;
  return [
    `select n.nspname as ${param}_schema, c.relname as ${param}_name, c.oid as ${param}_oid,
       c.relfilenode as ${param}_file, ${one.table} as ${param}_table
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = ${one.oid} \\gset`,
    found('variables', raw),
    `comment on ${one.kind} :"${param}_schema".:"${param}_name" is :'${param}_oid';`,
    found('pasted', bound),
  ].join('\n');
}

function fenceOf({ fences }: Runbook, step: string, major: number): Fence {
  const fitting = fences.filter((one) => one.step === step && one.versions.from <= major && major <= one.versions.to);
  const [fence] = fitting.sort((a, b) => b.versions.from - a.versions.from);
  if (!fence) throw new Error(`no ${step} for PostgreSQL ${major}`);
  return fence;
}

/** The fence as it stands in the file. */
function rawFence(runbook: Runbook, { line }: Fence): string {
  const lines = readFileSync(join(runbooksFolder, `${runbook.name}.md`), 'utf8').split('\n');
  const end = lines.findIndex((text, index) => index >= line && text.startsWith('```'));
  return lines.slice(line, end).join('\n');
}

function isTrue({ rows }: { rows: Record<string, unknown>[] }): boolean {
  return Object.values(rows[0] ?? {})[0] === true;
}
