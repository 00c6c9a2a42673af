import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { StateDatabase, transaction } from '../../src/state/database.ts';
import {
  findUnanswered,
  findUnhandled,
  finishInboxItem,
  lockInboxItem,
  markAnswered,
  type NewInboxItem,
  storeInboxItem,
  voidInboxItem,
} from '../../src/state/inbox.ts';
import { createDatabase, newest } from '../support/servers.ts';

let state: StateDatabase;
let presses = 0;

beforeAll(async () => {
  const database = await createDatabase(newest);
  state = new StateDatabase(database.url(), createLog('silent'));
  await state.start();
});
afterAll(() => state?.close());

function press(): NewInboxItem {
  return {
    key: `press ${++presses}`,
    kind: 'approve',
    person: { userId: 'U0MIRA', teamId: 'T0ORDER' },
    payload: { runId: '1' },
    responseUrl: 'https://slack.test/answer',
    trace: 'abc',
  };
}

async function stored(item = press()): Promise<number> {
  const id = await storeInboxItem(state.pool, item);
  if (id === null) throw new Error('stored before');
  return id;
}

describe('a press', () => {
  it('is one item, however often it arrives at once', async () => {
    const item = press();
    const ids = await Promise.all(Array.from({ length: 20 }, () => storeInboxItem(state.pool, item)));
    expect(ids.filter((id) => id !== null)).toHaveLength(1);
  });

  it('is handled by one of those who come at once', async () => {
    const id = await stored();
    const takes = await Promise.all(
      Array.from({ length: 8 }, () =>
        transaction(state.pool, async (db) => {
          const item = await lockInboxItem(db, id);
          if (item) await finishInboxItem(db, id, ['Done.']);
          return item;
        }),
      ),
    );
    expect(takes.filter((item) => item !== null)).toHaveLength(1);
  });

  it('whose handler was lost waits again, and is found after the grace', async () => {
    const id = await stored();
    const lost = transaction(state.pool, async (db) => {
      await lockInboxItem(db, id);
      throw new Error('the worker was lost');
    });
    await expect(lost).rejects.toThrow('lost');
    expect(await findUnhandled(state.pool, 60)).not.toContain(id);
    await state.pool.query("update inbox set received_at = received_at - interval '61 s' where id = $1", [id]);
    expect(await findUnhandled(state.pool, 60)).toContain(id);
  });

  it('whose answer was lost is answered as long as its response_url lives', async () => {
    const id = await stored();
    await finishInboxItem(state.pool, id, ['Done.']);
    const found = async () => (await findUnanswered(state.pool)).map((item) => item.id).includes(id);
    expect(await found()).toBe(false);
    await state.pool.query("update inbox set handled_at = handled_at - interval '16 s' where id = $1", [id]);
    expect(await found()).toBe(true);
    await state.pool.query("update inbox set received_at = received_at - interval '30 min' where id = $1", [id]);
    expect(await found()).toBe(false);
    await markAnswered(state.pool, id);
  });
});

describe('a press whose writer was told that it is not recorded', () => {
  it('counts for nothing where it was stored all the same', async () => {
    const item = press();
    const id = await stored(item);
    await voidInboxItem(state.pool, item);
    expect(await lockInboxItem(state.pool, id)).toBeNull();
  });

  it('counts for nothing where it is stored later', async () => {
    const item = press();
    await voidInboxItem(state.pool, item);
    expect(await storeInboxItem(state.pool, item)).toBeNull();
    const { rows } = await state.pool.query('select handled_at is null as open from inbox where key = $1', [item.key]);
    expect(rows).toEqual([{ open: false }]);
  });

  it('counts where it was handled before: what was done is not undone by words', async () => {
    const item = press();
    const id = await stored(item);
    await finishInboxItem(state.pool, id, ['Approved.']);
    await voidInboxItem(state.pool, item);
    const { rows } = await state.pool.query('select voided_at from inbox where id = $1', [id]);
    expect(rows).toEqual([{ voided_at: null }]);
  });

  it('is never answered a second time', async () => {
    const item = press();
    const id = await stored(item);
    await voidInboxItem(state.pool, item);
    await state.pool.query("update inbox set handled_at = handled_at - interval '16 s' where id = $1", [id]);
    expect((await findUnanswered(state.pool)).map((one) => one.id)).not.toContain(id);
  });
});
