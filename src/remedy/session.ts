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

/** A server process, told apart from the next one that is given its pid. */
export interface Backend {
  pid: number;
  /** Epoch microseconds, as text. */
  startedAt: string;
}

/** Bounds of all that is asked around the act; the act has its plan's own. */
const askLimits = { statementMs: 2_000, lockMs: 100 };
const graceMs = 5_000;

/**
 * A connection of a run: the one that it acts on is opened before the guards, used for the act, and never re-opened. Its
 * application_name is how a recovering worker finds it on the server.
 */
export class ActingSession {
  /** As the server names it; behind a pooler that is not the one that the greeting named. */
  readonly backend: Backend;
  private readonly client: pg.Client;
  private notices: string[] = [];

  private constructor(client: pg.Client, backend: Backend) {
    this.client = client;
    this.backend = backend;
    client.on('notice', (notice) => this.notices.push(`${notice.severity}: ${notice.message}`));
    client.on('error', () => {
      // The statement under way, or the next one, rejects with the same loss.
    });
  }

  /** Opens a session that is bounded for asking, in the plan's database; throws as a Reader does when it connects. */
  static async open(url: string, application: string, database: string | null): Promise<ActingSession> {
    const where = `the action login ${describeUrl(url, process.env, database ?? undefined)}`;
    const client = await connect(url, { application_name: application }, database ?? undefined).catch((error) => {
      throw connectFailure(error, where);
    });
    client.on('error', ignoreLoss);
    try {
      for (const [name, value] of Object.entries(ownTimeouts)) await setWhereKnown(client, name, value);
      const session = new ActingSession(client, await readBackend(client));
      await session.bound(askLimits);
      return session;
    } catch (error) {
      await hangUp(client).catch(ignoreLoss);
      throw connectFailure(error, where);
    }
  }

  /** From here on the session has the bounds and the settings of the plan's act. */
  async prepareAct({ limits, settings }: Pick<Plan, 'limits' | 'settings'>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) await setWhereKnown(this.client, name, value);
    await this.bound(limits);
  }

  /** One statement, outside a transaction: inside one, pg_stat_activity would show an old picture. */
  async query(sql: string, params?: readonly unknown[]): Promise<Given> {
    return this.send({ text: sql, ...(params ? { values: [...params] } : {}), query_timeout: this.giveUpMs });
  }

  /** The backend's pid as the server's greeting gave it; behind a pooler it is another one. */
  get greetedPid(): number | null {
    return (this.client as unknown as { processID: number | null }).processID;
  }

  async close(): Promise<void> {
    await hangUp(this.client).catch(ignoreLoss);
  }

  /** The client gives up a little later than the server should; 0 is never. */
  private giveUpMs = askLimits.statementMs + graceMs;

  private async bound({ statementMs, lockMs }: { statementMs: number; lockMs: number }): Promise<void> {
    await this.query(`set statement_timeout = ${Number(statementMs)}`);
    await this.query(`set lock_timeout = ${Number(lockMs)}`);
    this.giveUpMs = statementMs === 0 ? 0 : statementMs + graceMs;
  }

  private async send(query: pg.QueryConfig & { query_timeout: number }): Promise<Given> {
    const notices: string[] = [];
    this.notices = notices;
    const { rows } = await this.client.query(query);
    return { rows, notices };
  }
}

export function applicationName(runId: number): string {
  return `pgorderly/run/${runId}`;
}

/** Defaults of the role or the database would end a session that waits for its turn, or for its bot. */
const ownTimeouts = {
  idle_in_transaction_session_timeout: '5000',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  // What was sent goes on when the bot is lost: another worker finds it by its application_name.
  client_connection_check_interval: '0',
  search_path: 'pg_catalog',
  // A definition is pasted as it was read: what is one string must stay one.
  standard_conforming_strings: 'on',
};

async function setWhereKnown(client: pg.Client, name: string, value: string): Promise<void> {
  const sql = 'select set_config(name, $2, false) from pg_catalog.pg_settings where name = $1';
  await client.query({ text: sql, values: [name, value], query_timeout: graceMs } as pg.QueryConfig);
}

async function readBackend(client: pg.Client): Promise<Backend> {
  const { rows } = await client.query({
    text: `select pid, (extract(epoch from backend_start) * 1000000)::bigint::text as "startedAt"
           from pg_catalog.pg_stat_activity where pid = pg_backend_pid()`,
    query_timeout: graceMs,
  } as pg.QueryConfig);
  return rows[0] as Backend;
}

function ignoreLoss(): void {
  // The connection is gone already, which is all that closing wants; a statement under way rejects with the loss.
}
