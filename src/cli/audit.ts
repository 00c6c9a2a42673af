import { jobs } from '../../jobs/index.ts';
import { readConfig } from '../config/load.ts';
import { codeOf, PgorderlyError } from '../errors.ts';
import { createLog } from '../log.ts';
import { type AuditEntry, type AuditHead, hashEntry, readAudit, readAuditHead } from '../state/audit.ts';
import { type Queryable, StateDatabase, type StatePool, transaction } from '../state/database.ts';

export interface AuditOptions {
  config?: string;
  stateUrl?: string;
  head?: string;
}

const firstHash = '0'.repeat(64);

/** What `audit verify` found: the first thing that does not add up, or how much does. */
type Verified = { ok: true; count: number; head: AuditHead } | { ok: false; seq: number; why: string };

/**
 * Walks the whole chain: finds changed, removed, reordered and cut-off entries. `known` is a head that was noted
 * elsewhere (the log, a report): with it, an end that was cut off together with the head row is found too.
 */
async function verifyAudit(db: Queryable, known: AuditHead | null): Promise<Verified> {
  let last: AuditHead = { seq: 0, hash: firstHash };
  for (;;) {
    const entries = await readAudit(db, last.seq);
    for (const entry of entries) {
      const why = findBreak(last, entry) ?? disagrees(known, entry);
      if (why) return { ok: false, seq: last.seq + 1, why };
      last = { seq: entry.seq, hash: entry.hash };
    }
    if (entries.length === 0) break;
  }
  const head = await readAuditHead(db);
  if (head.seq !== last.seq || head.hash !== last.hash)
    return { ok: false, seq: last.seq + 1, why: `the head says ${head.seq} entries, ${last.seq} are there` };
  if (known && known.seq > last.seq)
    return { ok: false, seq: last.seq + 1, why: `${known.seq} entries were there once, ${last.seq} are left` };
  return { ok: true, count: last.seq, head: last };
}

/** `pgorderly audit verify`: a line for people, and the exit code. */
export async function verify(options: AuditOptions): Promise<{ line: string; exitCode: 0 | 1 }> {
  const known = options.head === undefined ? null : parseHead(options.head);
  return withState(options, async (pool) => {
    const found = await transaction(pool, async (db) => {
      // One moment of it: an entry that a running bot adds meanwhile must not look like one too many.
      await db.query('set transaction isolation level repeatable read, read only');
      return verifyAudit(db, known);
    });
    if (!found.ok) return { line: `broken at entry ${found.seq}: ${found.why}`, exitCode: 1 };
    return { line: `${found.count} entries, unbroken; head ${found.head.seq}:${found.head.hash}`, exitCode: 0 };
  });
}

/** `pgorderly audit export`: one JSON line an entry, in order. */
export async function exportAudit(options: AuditOptions, write: (line: string) => void): Promise<void> {
  await withState(options, async (pool) => {
    let seq = 0;
    for (let entries = await readAudit(pool, seq); entries.length > 0; entries = await readAudit(pool, seq))
      for (const { entry, previousHash, hash, seq: at } of entries) {
        write(JSON.stringify({ ...fieldsOf(entry), seq: at, entry, previousHash, hash }));
        seq = at;
      }
  });
}

function findBreak(last: AuditHead, { seq, entry, previousHash, hash }: AuditEntry): string | null {
  if (seq !== last.seq + 1) return 'it is missing';
  if (previousHash !== last.hash) return 'it does not follow the entry before it';
  if (hashEntry(previousHash, entry) !== hash) return 'its text was changed';
  return null;
}

function disagrees(known: AuditHead | null, { seq, hash }: AuditEntry): string | null {
  return known && seq === known.seq && hash !== known.hash ? 'its hash is not the one that was noted' : null;
}

function parseHead(text: string): AuditHead {
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new PgorderlyError('usage', `--head ${text} is not <seq>:<hash>`, { hint: 'It is in the log, every hour.' });
  return { seq: Number(seq), hash };
}

/** Of a text that was tampered with, none: the export is the place to see that, too. */
function fieldsOf(entry: string): object {
  try {
    const fields: unknown = JSON.parse(entry);
    return typeof fields === 'object' && fields !== null ? fields : {};
  } catch {
    return {}; // The text itself is in the line.
  }
}

/** Neither made nor migrated: whoever reads an audit changes nothing, also not in a database named by mistake. */
async function withState<T>(options: AuditOptions, work: (pool: StatePool) => Promise<T>): Promise<T> {
  const { config, stateUrl } = options;
  if ((config === undefined) === (stateUrl === undefined))
    throw new PgorderlyError('usage', `${config === undefined ? 'no' : 'more than one'} state database was named`, {
      hint: 'Add either --config FILE or --state-url URL.',
    });
  const url = stateUrl ?? readConfig(config ?? '', { env: process.env, jobs }).state.url;
  const state = new StateDatabase(url, createLog('silent'));
  try {
    return await work(state.pool);
  } catch (error) {
    throw explainFailure(error);
  } finally {
    await state.close();
  }
}

function explainFailure(error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof PgorderlyError || !(error instanceof Error)) return error;
  if (code === '42P01')
    return new PgorderlyError('audit-broken', 'this database holds no audit', {
      hint: 'Is it the state database, and may its login use the schema pgorderly? The first start makes the tables.',
      cause: error,
    });
  return new PgorderlyError('state-unreachable', `the state database did not answer: ${error.message || code}`, {
    hint: 'Check state.url, or the URL given, and that its login may read the schema pgorderly.',
    cause: error,
  });
}
