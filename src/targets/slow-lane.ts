import { performance } from 'node:perf_hooks';
import { PgorderlyError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Reader } from './reader.ts';

/** What came of one database; `unreached` where the time of the whole was over. */
export type Visit<T> = { database: string } & (
  | { outcome: 'seen'; value: T }
  | { outcome: 'failed'; found: string; hint: string }
  | { outcome: 'unreached' }
);

type Look<T> = (reader: Reader, database: string) => Promise<T>;

/** A job's visit of all databases begins no further one after this; what is left comes first at the next. */
const visitMs = 60_000;

/**
 * One node's lane for what takes its time: one connection at the most, to one database after another. Jobs take turns.
 */
export class SlowLane {
  private readonly name: string;
  private readonly url: string;
  private readonly log: Logger | undefined;
  private readonly boundMs: number;
  private current: Reader | null = null;
  private isClosed = false;
  private turn: Promise<unknown> = Promise.resolve();
  /** When each visitor was last in each database, by a counter. */
  private readonly visits = new Map<string, number>();
  private count = 0;

  constructor(node: { name: string; url: string; log?: Logger; boundMs?: number }) {
    this.name = node.name;
    this.url = node.url;
    this.log = node.log;
    this.boundMs = node.boundMs ?? visitMs;
  }

  /**
   * Looks into each database in turn, the ones first where this visitor was longest ago. All are `unreached` for one whose
   * turn does not come in the time that it waits.
   */
  visit<T>(visitor: string, databases: readonly string[], look: Look<T>, waitMs?: number): Promise<Visit<T>[]> {
    const unreached = databases.map((database): Visit<T> => ({ database, outcome: 'unreached' }));
    let state: 'waits' | 'begun' | 'left' = 'waits';
    const visits = this.turn.then(() => {
      if (state === 'left') return unreached;
      state = 'begun';
      return this.visitAll(visitor, databases, look);
    });
    // The caller is told of a failure; whoever comes next isn't concerned.
    this.turn = visits.catch(() => undefined);
    if (waitMs === undefined) return visits;
    return new Promise((resolve, reject) => {
      const patience = setTimeout(() => {
        if (state === 'begun') return;
        state = 'left';
        resolve(unreached);
      }, waitMs);
      visits.then(resolve, reject).finally(() => clearTimeout(patience));
    });
  }

  /** Our server process, to be left out of what is judged. */
  pids(): number[] {
    return this.current?.pids() ?? [];
  }

  /** Ends at once: a question under way is a failed visit, and no further database is begun. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.current?.close();
    await this.turn;
  }

  private async visitAll<T>(visitor: string, databases: readonly string[], look: Look<T>): Promise<Visit<T>[]> {
    const until = performance.now() + this.boundMs;
    const lastVisit = (database: string) => this.visits.get(`${visitor} ${database}`) ?? 0;
    const order = [...databases].sort((a, b) => lastVisit(a) - lastVisit(b));
    const visits: Visit<T>[] = [];
    for (const database of order) {
      if (this.isClosed || (visits.length > 0 && performance.now() > until))
        visits.push({ database, outcome: 'unreached' });
      else {
        this.visits.set(`${visitor} ${database}`, ++this.count);
        visits.push(await this.visitOne(database, look));
      }
    }
    return visits;
  }

  private async visitOne<T>(database: string, look: Look<T>): Promise<Visit<T>> {
    const { name, url, log } = this;
    const reader = new Reader({ name, url, log, into: database });
    this.current = reader;
    try {
      return { database, outcome: 'seen', value: await look(reader, database) };
    } catch (error) {
      if (!(error instanceof PgorderlyError)) throw error;
      // Without the address, so that the same failure of many databases is told once.
      const found = error.message.replace(reader.where(), '').trim();
      return { database, outcome: 'failed', found, hint: error.hint ?? '' };
    } finally {
      this.current = null;
      await reader.close();
    }
  }
}
