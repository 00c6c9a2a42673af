import { performance } from 'node:perf_hooks';
import type pg from 'pg';
import type { Logger } from '../log.ts';
import type { Flavour } from '../model.ts';
import { connect, hangUp, Severed, sever } from './connect.ts';
import { connectFailure, queryFailure } from './failure.ts';
import { databasesSql, databasesToLeaveOut, type Probe, probeSql, toProbe } from './probe.ts';
import { type Bounds, type Row, readOnly } from './read-only.ts';
import { describeUrl } from './url.ts';

export type { Probe } from './probe.ts';
export type { Bounds, Row } from './read-only.ts';

const defaultBounds: Bounds = { statementTimeoutMs: 3000, lockTimeoutMs: 100, maxRows: 10_000 };
const graceMs = 2000;

/**
 * One node's one warm connection for looking: read-only, bounded, one caller at a time. Opened at the first question,
 * and again after it was lost; the question that meets the loss rejects. Only PgorderlyErrors come out.
 */
export class Reader {
  readonly name: string;
  /** user@host:port/database, never a password. */
  readonly address: string;
  private readonly url: string;
  private readonly into: string | undefined;
  private readonly log: Logger | undefined;
  private client: pg.Client | null = null;
  private pid: number | null = null;
  private isReading = false;
  private isClosed = false;
  private turn: Promise<unknown> = Promise.resolve();

  /** `into` is the database in place of the URL's own. */
  constructor({ name, url, log, into }: { name: string; url: string; log?: Logger | undefined; into?: string }) {
    this.name = name;
    this.url = url;
    this.into = into;
    this.log = log;
    this.address = describeUrl(url, process.env, into);
  }

  /** One statement. A column named `query`, or ending so, comes without literals; a bigint is text. */
  ask(sql: string, params: readonly unknown[] = [], bounds: Partial<Bounds> = {}): Promise<Row[]> {
    const reading = { sql, params, bounds: { ...defaultBounds, ...bounds } };
    const answer = this.turn.then(() => this.read(reading));
    // The caller is told of a failure; whoever comes next isn't concerned.
    this.turn = answer.catch(() => undefined);
    return answer;
  }

  async probe(): Promise<Probe> {
    const [row = {}] = await this.ask(probeSql);
    return toProbe(row);
  }

  /** Databases with somebody's data in them: no templates, and none of a managed cloud's own. */
  async databases(flavour: Flavour | null): Promise<{ name: string; mayConnect: boolean }[]> {
    const rows = await this.ask(databasesSql, [databasesToLeaveOut(flavour)]);
    return rows.map((row) => ({ name: row['name'] as string, mayConnect: row['may_connect'] as boolean }));
  }

  /** Our server process, to be left out of what is judged: behind a pooler, the one of the last question. */
  pids(): number[] {
    return this.pid === null ? [] : [this.pid];
  }

  /** Another connection to the same node, into that database; the caller closes it. */
  inDatabase(into: string): Reader {
    return new Reader({ name: this.name, url: this.url, log: this.log, into });
  }

  /** How messages name it. */
  where(): string {
    return this.name === this.address ? this.name : `${this.name} (${this.address})`;
  }

  /** Ends at once: a question under way, and those that wait, reject. */
  async close(): Promise<void> {
    this.isClosed = true;
    if (this.client && this.isReading) sever(this.client, 'closed');
    await this.turn;
    if (this.client) await hangUp(this.client);
  }

  private async read(reading: Parameters<typeof readOnly>[1]): Promise<Row[]> {
    const client = this.client ?? (await this.open());
    if (this.isClosed) throw connectFailure(new Severed('closed'), this.where());
    const startedAt = performance.now();
    const deadline = setTimeout(() => sever(client, 'deadline'), reading.bounds.statementTimeoutMs + graceMs);
    this.isReading = true;
    try {
      const { pid, rows } = await readOnly(client, reading);
      this.pid = pid;
      return rows;
    } catch (error) {
      const elapsedMs = performance.now() - startedAt;
      await client.query('rollback').catch(() => this.forget(client, error));
      throw queryFailure(error, this.where(), { bounds: reading.bounds, elapsedMs });
    } finally {
      this.isReading = false;
      clearTimeout(deadline);
    }
  }

  private async open(): Promise<pg.Client> {
    if (this.isClosed) throw connectFailure(new Severed('closed'), this.where());
    try {
      const client = await connect(this.url, { application_name: 'pgorderly/detect' }, this.into);
      client.on('error', (error) => this.forget(client, error));
      client.on('end', () => this.forget(client, null));
      client.on('notice', ({ code }) => this.log?.debug({ node: this.name, code }, 'server notice'));
      this.client = client;
      this.log?.debug({ node: this.name }, 'reader connected');
      return client;
    } catch (error) {
      throw connectFailure(error, this.where());
    }
  }

  private forget(client: pg.Client, error: unknown): void {
    if (this.client !== client) return;
    this.client = null;
    this.pid = null;
    client.connection.stream.destroy();
    const { code } = queryFailure(error, this.where(), { bounds: defaultBounds, elapsedMs: 0 });
    if (!this.isClosed) this.log?.warn({ node: this.name, code }, 'reader lost its connection');
  }
}
