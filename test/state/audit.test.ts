import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { appendAudit, hashEntry, readAudit, readAuditHead } from '../../src/state/audit.ts';
import { StateDatabase, transaction } from '../../src/state/database.ts';
import { createDatabase, majors, newest } from '../support/servers.ts';

const event = (number: number) => ({
  kind: 'test.noted',
  actor: 'U0MIRA',
  run: number,
  detail: { number, about: 'ü' },
});

/** The state database's oldest supported major, and the newest. */
const tried = new Set([Math.min(...majors.filter((major) => major >= 14)), newest]);

for (const major of tried) {
  describe(`the audit on PostgreSQL ${major}`, () => {
    let state: StateDatabase;

    beforeAll(async () => {
      const database = await createDatabase(major);
      state = new StateDatabase(database.url(), createLog('silent'));
      await state.start();
    });
    afterAll(() => state?.close());

    it('is one chain without a gap after 20 appends at once, of which some are rolled back', async () => {
      const appends = Array.from({ length: 20 }, (_, number) =>
        transaction(state.pool, async (db) => {
          await appendAudit(db, event(number));
          if (number % 4 === 3) throw new Error('rolled back');
        }),
      );
      const ended = await Promise.allSettled(appends);
      expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(15);
      const entries = await readAudit(state.pool, 0);
      expect(entries.map((entry) => entry.seq)).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
      let previous = '0'.repeat(64);
      for (const { entry, previousHash, hash, seq } of entries) {
        expect(previousHash).toBe(previous);
        expect(hash).toBe(hashEntry(previous, entry));
        expect(JSON.parse(entry).seq).toBe(seq);
        previous = hash;
      }
      expect(await readAuditHead(state.pool)).toEqual({ seq: 15, hash: previous });
      expect(new Set(entries.map(({ entry }) => JSON.parse(entry).run)).size).toBe(15);
    });

    it('writes the same event as the same bytes, in whatever order its details came', async () => {
      const texts: string[] = [];
      for (const detail of [
        { a: 1, b: 'two' },
        { b: 'two', a: 1 },
      ]) {
        await appendAudit(state.pool, { kind: 'test.noted', actor: 'pgorderly', detail });
        const [last] = (await readAudit(state.pool, 0)).slice(-1);
        texts.push((last?.entry ?? '').replace(/"seq":\d+,"at":"[^"]*"/, ''));
      }
      expect(texts[0]).toBe(texts[1]);
    });

    it('goes on within 15 s after a worker that was frozen with its lock', async () => {
      const frozen = await state.pool.connect();
      frozen.on('error', () => {
        // The server ends it, which is the point.
      });
      await frozen.query('begin');
      await appendAudit(frozen, event(100));
      const startedAt = Date.now();
      const { seq } = await appendAudit(state.pool, event(101));
      expect(Date.now() - startedAt).toBeLessThan(15_000);
      frozen.release(true);
      const entries = await readAudit(state.pool, seq - 1);
      expect(entries.map(({ entry }) => JSON.parse(entry).run)).toEqual([101]);
    });
  });
}
