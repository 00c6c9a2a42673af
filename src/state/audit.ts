import { createHash } from 'node:crypto';
import { PgorderlyError } from '../errors.ts';
import type { Queryable } from './database.ts';

export interface AuditEvent {
  kind: string;
  /** A Slack user id, or `pgorderly` itself. */
  actor: string;
  target?: string | null;
  alert?: number | null;
  run?: number | null;
  detail: Record<string, string | number | boolean | null>;
}

export interface AuditEntry {
  seq: number;
  entry: string;
  previousHash: string;
  hash: string;
}

export interface AuditHead {
  seq: number;
  hash: string;
}

/**
 * Appends one entry under the lock of the one head row: call it last in a transaction, since everyone else waits
 * until that ends. The text is canonical (fixed key order), so the same event is always the same bytes.
 */
export async function appendAudit(db: Queryable, event: AuditEvent): Promise<AuditHead> {
  const { rows } = await db.query<{ seq: string; hash: string; at: Date }>(
    'select seq, hash, clock_timestamp() as at from audit_head for update',
  );
  const head = rows[0];
  if (!head) throw new PgorderlyError('audit-broken', 'the audit has no head row');
  const seq = Number(head.seq) + 1;
  const entry = canonicalEntry(seq, head.at, event);
  const hash = hashEntry(head.hash, entry);
  await db.query('insert into audit (seq, entry, previous_hash, hash) values ($1, $2, $3, $4)', [
    seq,
    entry,
    head.hash,
    hash,
  ]);
  await db.query('update audit_head set seq = $1, hash = $2', [seq, hash]);
  return { seq, hash };
}

export async function readAuditHead(db: Queryable): Promise<AuditHead> {
  const { rows } = await db.query<{ seq: string; hash: string }>('select seq, hash from audit_head');
  const head = rows[0];
  if (!head) throw new PgorderlyError('audit-broken', 'the audit has no head row');
  return { seq: Number(head.seq), hash: head.hash };
}

/** At most `limit` entries after `afterSeq`, in order. */
export async function readAudit(db: Queryable, afterSeq: number, limit = 1_000): Promise<AuditEntry[]> {
  const { rows } = await db.query<{ seq: string; entry: string; previous_hash: string; hash: string }>(
    'select seq, entry, previous_hash, hash from audit where seq > $1 order by seq limit $2',
    [afterSeq, limit],
  );
  return rows.map((row) => ({
    seq: Number(row.seq),
    entry: row.entry,
    previousHash: row.previous_hash,
    hash: row.hash,
  }));
}

/** SHA-256, in hex, over the previous hash, a newline and the entry's text. */
export function hashEntry(previousHash: string, entry: string): string {
  return createHash('sha256').update(`${previousHash}\n${entry}`).digest('hex');
}

function canonicalEntry(seq: number, at: Date, event: AuditEvent): string {
  const { kind, actor, target = null, alert = null, run = null, detail } = event;
  const sorted = Object.fromEntries(Object.entries(detail).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify({ seq, at: at.toISOString(), kind, actor, target, alert, run, detail: sorted });
}
