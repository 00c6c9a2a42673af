import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { standStill } from '../support/half-built.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { type ByHand, indexVariables, takeRunbook } from './by-hand.ts';

/** Each with all that a definition may hold; made with the owner's own search path. */
const shapes: { what: string; made: string; name: string; from?: number }[] = [
  { what: 'a plain one', made: 'create index a on orders (status)', name: 'a' },
  { what: 'orders and nulls', made: 'create index a on orders (status desc, id nulls first)', name: 'a' },
  { what: 'a predicate', made: "create index a on orders (id) where status = 'open' and id > 3", name: 'a' },
  {
    what: 'a predicate with WHERE and quotes in its text',
    made: `create index a on orders (id) where status <> ' WHERE it''s \\ "x"'`,
    name: 'a',
  },
  { what: 'an expression of our own', made: 'create index a on orders (shop.twice(id), lower(status))', name: 'a' },
  {
    what: 'an operator class and a collation',
    made: 'create index a on orders (status collate "C" text_pattern_ops)',
    name: 'a',
  },
  {
    what: 'included columns and options',
    made: 'create index a on orders (id) include (status) with (fillfactor = 50) where id > 1',
    name: 'a',
  },
  { what: 'another method', made: 'create index a on orders using gin (tags)', name: 'a' },
  {
    what: 'a tablespace and a predicate',
    made: 'create index a on orders (id) tablespace elsewhere where id > 1',
    name: 'a',
  },
  {
    what: 'a name that needs quotes, and a comment that does too',
    made: `create index "An ""Index""" on orders (id); comment on index "An ""Index""" is E'it''s \\\\ "mine"\\nand yours'`,
    name: '"An ""Index"""',
  },
  {
    what: 'a unique one, of which another is kept',
    made: 'create unique index a on orders (status) where id > 1; create unique index b on orders (status) where id > 1',
    name: 'a',
  },
  {
    what: 'nulls that are equal',
    made: 'create unique index a on orders (status) nulls not distinct where id > 1; create unique index b on orders (status) nulls not distinct where id > 1',
    name: 'a',
    from: 15,
  },
];

describe.each(majors)('recreate-dropped-index on PostgreSQL %i', (major) => {
  let database: Database;
  let drop: ByHand;
  let recreate: ByHand;
  beforeAll(async () => {
    database = await createDatabase(major);
    const folder = `${database.server.folder}/elsewhere`;
    await database.run(`copy (select 1) to program 'cat > /dev/null; mkdir -p ${folder}'`);
    await database.run(`create tablespace elsewhere location '${folder}'`);
    await database.run(
      'create schema shop; grant all on schema shop to app; grant create on tablespace elsewhere to app',
    );
    await database.run(
      'create function shop.twice(integer) returns integer language sql immutable as $$ select 2 * $1 $$',
    );
    drop = await takeRunbook('drop-index-concurrently', database);
    recreate = await takeRunbook('recreate-dropped-index', database);
  });
  afterAll(async () => {
    await database.run('drop table if exists shop.orders');
    await database.run('drop tablespace elsewhere');
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    await database.run('set search_path = shop, public');
    await database.run('create table orders (id integer, status text, tags text[])');
    await database.run('insert into orders select n, n::text from generate_series(1, 100) n');
    await database.run('alter table orders owner to app');
  });
  afterEach(() => database.run('drop table orders'));

  async function definitionOf(name: string) {
    const { rows } = await database.run(
      `select pg_get_indexdef(c.oid) as definition, obj_description(c.oid, 'pg_class') as comment, s.spcname, i.indisvalid
       from pg_class c join pg_index i on i.indexrelid = c.oid left join pg_tablespace s on s.oid = c.reltablespace
       where c.oid = to_regclass($1)`,
      [name],
    );
    return rows[0];
  }

  async function dropIt(name: string, kept = '0'): Promise<Record<string, string>> {
    const params = { ...(await indexVariables(database, name)), kept };
    expect(await drop.whyNot(params)).toBeNull();
    const [undo] = await drop.ask('undo', params);
    await drop.act(params);
    expect(await drop.isVerified(params)).toBe(true);
    return undo as Record<string, string>;
  }

  it.each(shapes.filter(({ from = 12 }) => major >= from))('makes again $what', async ({ made, name }) => {
    await database.run(made);
    const before = await definitionOf(name);
    const kept = made.includes('unique') ? (await indexVariables(database, 'b'))['index_oid'] : '0';
    const undo = await dropIt(name, kept);
    expect(await definitionOf(name)).toBeUndefined();
    expect(await recreate.whyNot(undo)).toBeNull();
    expect(await recreate.isVerified(undo)).toBe(false);
    await recreate.act(undo);
    expect(await definitionOf(name)).toEqual(before);
    expect(await recreate.isVerified(undo)).toBe(true);
  });

  it('puts it where it was, whatever the default tablespace of the role', async () => {
    await database.run('create index a on orders (id)');
    const undo = await dropIt('a');
    await database.run('alter role keeper set default_tablespace = elsewhere');
    const keeper = await takeRunbook('recreate-dropped-index', database);
    await keeper.act(undo);
    expect(await definitionOf('a')).toMatchObject({ spcname: null });
    await database.run('alter role keeper reset default_tablespace');
  });

  it('refuses when the name is taken, or the table is another one', async () => {
    await database.run('create index a on orders (id)');
    const undo = await dropIt('a');
    await database.run('create index a on orders (status)');
    expect(await recreate.whyNot(undo)).toBe('there is a shop.a already');
    expect(await recreate.isVerified(undo)).toBe(false);
    await database.run('drop table orders; create table orders (id integer)');
    expect(await recreate.whyNot(undo)).toBe('no row');
  });

  it('shows how far it is, and leaves what drop-invalid-index takes where it is stopped', async () => {
    await database.run('create index a on orders (id)');
    const undo = await dropIt('a');
    const building = await standStill(database, undo['definition'] ?? '', 'snapshot');
    const progress = await recreate.ask('progress', undo);
    await building.stop();
    expect(progress).toMatchObject([{ phase: 'waiting for old snapshots', waits_for: expect.stringMatching(/^\d+$/) }]);
    expect(await recreate.isVerified(undo)).toBe(false);
    const [left] = (await recreate.ask('cleanup', undo)) as Record<string, string>[];
    expect(left).toMatchObject({ index_schema: 'shop', index_name: 'a', least_twins: '0' });
    const dropInvalid = await takeRunbook('drop-invalid-index', database);
    expect(await dropInvalid.whyNot(left ?? {})).toBeNull();
    await dropInvalid.act(left ?? {});
    expect(await recreate.ask('cleanup', undo)).toEqual([]);
    expect(await recreate.whyNot(undo)).toBeNull();
  });

  it('says which duplicates keep a unique one from being made, and leaves it invalid', async () => {
    await database.run(
      'create unique index a on orders (status) where id > 0; create unique index b on orders (status) where id > 0',
    );
    const undo = await dropIt('a', (await indexVariables(database, 'b'))['index_oid']);
    await database.run("drop index b; insert into orders select 1, 'same' from generate_series(1, 2)");
    await expect(recreate.act(undo)).rejects.toMatchObject({ code: '23505' });
    expect(await definitionOf('a')).toMatchObject({ indisvalid: false });
    expect(await recreate.isVerified(undo)).toBe(false);
    expect(await recreate.whyNot(undo)).toBe('there is a shop.a already');
    expect(await recreate.ask('cleanup', undo)).toHaveLength(1);
  });
});
