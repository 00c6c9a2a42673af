import type pg from 'pg';
import { connect, hangUp } from '../targets/connect.ts';
import { connectFailure } from '../targets/failure.ts';
import { describeUrl } from '../targets/url.ts';
import type { Plan } from './plan.ts';

/** What a statement of a run gave back; notices and warnings are read, never dropped. */
export interface Given {
  rows: Record<string, unknown>[];
  notices: string[];
}

/**
 * The one connection a run acts on: opened before the guards, used for the act, never re-opened. Its application_name
 * is how a recovering worker finds it on the server.
 */
export class ActingSession {
  private readonly client: pg.Client;
  private notices: string[] = [];

  private constructor(client: pg.Client) {
    this.client = client;
    client.on('notice', (notice) => this.notices.push(`${notice.severity}: ${notice.message}`));
    client.on('error', () => {
      // The statement under way, or the next one, rejects with the same loss.
    });
  }

  /** Opens a session with the plan's bounds; throws as a Reader does when it connects. */
  static async open(url: string, application: string, limits: Plan['limits']): Promise<ActingSession> {
    const query_timeout = limits.statementMs + limits.verifyMs + 5_000;
    const where = `the action login ${describeUrl(url)}`;
    const client = await connect(url, { application_name: application, query_timeout }).catch((error) => {
      throw connectFailure(error, where);
    });
    const session = new ActingSession(client);
    try {
      await session.query(`set statement_timeout = ${Number(limits.statementMs)}`);
      await session.query(`set lock_timeout = ${Number(limits.lockMs)}`);
      await session.query('set idle_in_transaction_session_timeout = 5000');
      await session.query("set search_path = 'pg_catalog'");
      return session;
    } catch (error) {
      await session.close();
      throw connectFailure(error, where);
    }
  }

  /** One statement, outside a transaction: inside one, pg_stat_activity would show an old picture. */
  async query(sql: string, params?: readonly unknown[]): Promise<Given> {
    this.notices = [];
    const { rows } = params ? await this.client.query(sql, [...params]) : await this.client.query(sql);
    return { rows, notices: this.notices };
  }

  /** The backend's pid as the server's greeting gave it; behind a pooler it is another one. */
  get greetedPid(): number | null {
    return (this.client as unknown as { processID: number | null }).processID;
  }

  async close(): Promise<void> {
    await hangUp(this.client).catch(() => {
      // The connection is gone already, which is all that closing wants.
    });
  }
}

export function applicationName(runId: number): string {
  return `pgorderly/run/${runId}`;
}
