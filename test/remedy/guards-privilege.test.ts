import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/remedy/plan.ts';
import type { StoredRun } from '../../src/state/runs.ts';
import type { Remedy } from '../support/remedy.ts';
import { type Database, majors } from '../support/servers.ts';
import { acting, refusalOf, useGuardWard } from './guard-ward.ts';

const vacuum = acting('vacuum (truncate off) shop.orders');
const drop = (undo?: string) => acting('-- gone\n  drop /* the */ index concurrently shop.orders_idx', undo);

describe.each(majors)('the action role on PostgreSQL %i', (major) => {
  const ward = useGuardWard(major);
  let run: StoredRun;
  let remedy: Remedy;
  const owner = '"O\'wn""er"';
  const doer = 'Dö"er';
  const quoted = '"Dö""er"';

  beforeEach(async () => {
    const { database } = ward;
    await database.run(`create role ${owner}; create role ${quoted} login in role pg_read_all_stats`);
    await database.run(`alter schema shop owner to ${owner}; alter table shop.orders owner to ${owner}`);
    remedy = ward.remedy;
    run = await ward.approved();
  });
  afterEach(async () => {
    await ward.database.run(`alter schema shop owner to app; alter table shop.orders owner to app`);
    await ward.database.run(`drop owned by ${quoted}, ${owner}; drop role ${quoted}, ${owner}`);
  });

  async function judgeAs(role: string, plan: Partial<Plan> = {}): Promise<string | null> {
    const maintain = ward.database.url(encodeURIComponent(role));
    const [target] = [...remedy.context.targets.values()];
    const nodes = (target?.nodes ?? []).map((node) => ({ ...node, actionUrls: { maintain } }));
    const targets = new Map([[run.target, { ...target, nodes } as NonNullable<typeof target>]]);
    return refusalOf(await ward.judge(run, { plan, remedy: { context: { ...remedy.context, targets } } }));
  }

  /** Each refusal ends with what lets it pass: carries that out, and looks again, until nothing is refused. */
  async function followAdvice(plan: Partial<Plan> = {}): Promise<string[]> {
    const advice: string[] = [];
    for (let why = await judgeAs(doer, plan); why !== null && advice.length < 5; why = await judgeAs(doer, plan)) {
      const statement = /: ((?:grant|alter) .*)$/.exec(why)?.[1] ?? '';
      expect(statement, why).not.toBe('');
      await ward.database.run(statement);
      advice.push(why);
    }
    return advice;
  }

  it('that may not rebuild is told the very grants, quoted by the server, and they let it', async () => {
    expect(await followAdvice()).toEqual([
      `${quoted} may not use the schema shop: grant usage on schema shop to ${quoted}`,
      `${quoted} may not rebuild shop.orders_idx, which belongs to ${owner}: grant ${owner} to ${quoted}`,
    ]);
  });

  it('that does not inherit what it is a member of is told what lets it', async () => {
    await ward.database.run(`grant usage on schema shop to ${quoted}`);
    // Before 16 a role inherits everything or nothing; a group between the two can be the one that does not.
    const grants = major >= 16 ? `grant ${owner} to ${quoted} with inherit false` : `grant ${owner} to keepers`;
    await ward.database.run(`create role keepers noinherit; grant keepers to ${quoted}; ${grants}`);
    try {
      const [why, ...others] = await followAdvice();
      expect(why).toContain(
        `it is a member of ${owner} and does not inherit its rights (NOINHERIT): grant ${owner} to `,
      );
      expect(others).toEqual([]);
    } finally {
      await ward.database.run('drop role keepers');
    }
  });

  if (major < 16)
    it('that inherits nothing is told so before it is blind', async () => {
      await ward.database.run(`grant ${owner} to ${quoted}; alter role ${quoted} noinherit`);
      expect(await followAdvice()).toEqual([
        `the action role cannot see other sessions: it is a member of pg_read_all_stats and does not inherit its rights (NOINHERIT): alter role ${quoted} inherit`,
      ]);
    });

  it('may not rebuild what belongs to a superuser, whose role it should not be given', async () => {
    await ward.database.run('alter table shop.orders owner to postgres');
    await ward.database.run(`grant usage on schema shop to ${quoted}`);
    const why = await judgeAs(doer);
    expect(why).toMatch(
      /belongs to postgres, a superuser, whom no action role should be a member of: alter table shop\.orders owner to /,
    );
    expect(await judgeAs('postgres')).toBeNull();
  });

  it('may vacuum as the owner of the database, and not rebuild', async () => {
    await ward.database.run(`grant usage on schema shop to ${quoted}`);
    expect(await judgeAs(doer, vacuum)).toMatch(/^"Dö""er" may not vacuum shop\.orders_idx, /);
    await ward.database.run(`alter database ${ward.database.name} owner to ${quoted}`);
    try {
      expect(await judgeAs(doer, vacuum)).toBeNull();
      expect(await judgeAs(doer)).toMatch(/may not rebuild/);
    } finally {
      await ward.database.run(`alter database ${ward.database.name} owner to postgres`);
    }
  });

  if (major >= 17)
    it('may vacuum with MAINTAIN, and not rebuild, since it could not drop a left-over', async () => {
      const usage = `${quoted} may not use the schema shop: grant usage on schema shop to ${quoted}`;
      const belongs = `${quoted} may not vacuum shop.orders_idx, which belongs to ${owner}`;
      expect(await followAdvice(vacuum)).toEqual([usage, `${belongs}: grant maintain on shop.orders to ${quoted}`]);
      const left = `${quoted} may rebuild shop.orders_idx, and could not drop what a stopped rebuild leaves behind`;
      expect(await judgeAs(doer)).toBe(`${left}: grant ${owner} to ${quoted}`);
      await ward.database.run(`revoke maintain on shop.orders from ${quoted}; grant pg_maintain to ${quoted}`);
      expect(await judgeAs(doer, vacuum)).toBeNull();
      expect(await judgeAs(doer)).toBe(`${left}: grant ${owner} to ${quoted}`);
    });

  it('may drop an index only where it could make it again, which a left-over need not be', async () => {
    await ward.database.run(`alter schema shop owner to postgres; grant usage on schema shop to ${owner}`);
    await ward.database.run(`grant ${owner} to ${quoted}`);
    expect(await judgeAs(doer, drop())).toBeNull();
    const why = `${quoted} could not make the index again or anew, in the schema of shop.orders_idx: grant create on schema shop to ${quoted}`;
    expect(await judgeAs(doer, acting('create index concurrently more on shop.orders (id)'))).toBe(why);
    expect(await followAdvice(drop('select 1'))).toEqual([why]);
    expect(await judgeAs(doer, acting('create index concurrently more on shop.orders (id)'))).toBeNull();
  });

  if (major >= 15)
    it('may drop an index only where it may create in its tablespace again', async () => {
      await inTablespace(ward.database, async () => {
        await ward.database.run(`grant ${owner} to ${quoted}; alter index shop.orders_idx set tablespace fast`);
        remedy = await ward.open();
        run = await ward.approved('shop.orders_idx', remedy);
        const why = `${quoted} could not make the index again or anew, in the tablespace of shop.orders_idx: grant create on tablespace fast to ${quoted}`;
        expect(await followAdvice(drop('select 1'))).toEqual([why]);
        await ward.database.run(`drop index shop.orders_idx; revoke create on tablespace fast from ${quoted}`);
      });
    });

  it('is refused an act whose rights nobody knows', async () => {
    expect(await judgeAs('postgres', acting('truncate shop.orders'))).toMatch(
      /^cannot judge which rights this act needs/,
    );
  });

  it('is told with its grants where a class has no login', async () => {
    const observing = await ward.open({ actions: {} });
    await expect(observing.ask('reindex-index-concurrently', { index: 'shop.orders_idx' })).rejects.toMatchObject({
      message: expect.stringMatching(/^shop-\S+ is observe-only for runbooks of class maintain$/),
      hint: expect.stringMatching(
        /^Its configuration needs nodes\[\]\.actions\.maintain, .* grant <owner of the tables>/,
      ),
    });
  });
});

/** Its folder is the server's own. */
async function inTablespace(database: Database, use: () => Promise<void>): Promise<void> {
  const client = await database.client();
  await client.query('set allow_in_place_tablespaces = on');
  await client.query(`create tablespace fast location ''`);
  try {
    await use();
  } finally {
    await client.query('drop tablespace fast');
    await client.end();
  }
}
