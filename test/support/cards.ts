import pg from 'pg';
import { afterAll } from 'vitest';
import type { Finding } from '../../src/model.ts';
import { applyTransition } from '../../src/state/alerts.ts';
import { addThreadLine, type CardRef, ensureAlertCard, wantAlertCard } from '../../src/state/cards.ts';
import { transaction } from '../../src/state/database.ts';
import type { Database } from './servers.ts';

/** Cards as recording a finding leaves them, of a job that the test's bot does not run: nothing else touches them. */
export interface Cards {
  /** The card of a new alert that Slack does not show yet, with lines for its thread. */
  make(title: string, options?: { channel?: string; lines?: readonly string[] }): Promise<Card>;
}

export interface Card extends CardRef {
  /** One more version, with lines. */
  change(lines?: readonly string[]): Promise<void>;
  /** What is stored of its message; `ts` is null until Slack has answered. */
  stored(): Promise<{ ts: string | null; isShown: boolean; unsentLines: number }>;
}

export function openCards(state: Database): Cards {
  const pool = new pg.Pool({
    connectionString: state.url(),
    application_name: 'test-helper',
    options: '-c search_path=pgorderly',
  });
  afterAll(() => pool.end());
  return {
    make: (title, { channel = 'C0OPS', lines = [] } = {}) =>
      transaction(pool, async (db) => {
        const id = await applyTransition(db, { reason: 'opened', id: null, finding: findingOf(title) });
        if (id === null) throw new Error('no alert was made');
        const card = await ensureAlertCard(db, id, channel);
        for (const line of lines) await addThreadLine(db, card, [line]);
        return handle(pool, card, id);
      }),
  };
}

function handle(pool: pg.Pool, card: CardRef, alertId: number): Card {
  return {
    ...card,
    change: (lines = []) =>
      transaction(pool, async (db) => {
        await wantAlertCard(db, alertId);
        for (const line of lines) await addThreadLine(db, card, [line]);
      }),
    stored: async () => {
      const { rows } = await pool.query(
        `select c.ts, c.shown_version = c.wanted_version as "isShown",
           (select count(*)::int from thread_lines l where l.card_id = c.id and l.ts is null) as "unsentLines"
         from cards c where c.id = $1`,
        [card.id],
      );
      return rows[0];
    },
  };
}

let made = 0;

function findingOf(title: string): Finding {
  return {
    job: 'long-transactions',
    target: 'shop',
    node: 'primary',
    database: 'shop',
    fingerprint: `${title} ${++made}`,
    severity: 'warning',
    title,
    summary: 'Made by a test.',
    subject: { kind: 'backend', pid: 4711, backendStart: '1' },
    facts: {},
    runbooks: [],
    impact: null,
  };
}
