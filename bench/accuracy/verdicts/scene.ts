import pg from 'pg';
import type { Server } from '../../../src/demo/server.ts';
import { until } from '../../../test/support/wait.ts';

/** A database of its own on a real server, and the sessions that make it ill; all of it goes with `end`. */
export class Scene {
  readonly primary: Server;
  readonly standby: Server;
  readonly database: string;
  private readonly sessions: pg.Client[] = [];
  private readonly asked: Promise<unknown>[] = [];

  private constructor(primary: Server, standby: Server, database: string) {
    this.primary = primary;
    this.standby = standby;
    this.database = database;
  }

  static async open(servers: { primary: Server; standby: Server }, database: string): Promise<Scene> {
    const scene = new Scene(servers.primary, servers.standby, database);
    await scene.on(servers.primary, 'postgres', `create database ${database}`);
    return scene;
  }

  /** Each on a connection of its own: a session counts its changes for the statistics only as it ends. */
  async run(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.on(this.primary, this.database, statement);
  }

  /** What has to fail to leave behind what it leaves behind. */
  async fail(statement: string): Promise<void> {
    const failed = await this.run(statement).then(
      () => false,
      () => true,
    );
    if (!failed) throw new Error(`${statement} did not fail`);
  }

  async on(server: Server, database: string, statement: string): Promise<pg.QueryResult> {
    const client = await connect(server, database);
    try {
      return await client.query(statement);
    } finally {
      await client.end();
    }
  }

  /** Returns once new sessions go by it. */
  async set(server: Server, settings: Record<string, string>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) {
      await this.on(server, 'postgres', `alter system set ${name} = '${value}'`);
      await this.on(server, 'postgres', 'select pg_reload_conf()');
      const look = `select current_setting('${name}') as value`;
      await until('it to be read', async () => (await this.on(server, 'postgres', look)).rows[0].value === value);
    }
  }

  /** Stays open; of a statement that fails, so does its transaction. */
  async session(...statements: string[]): Promise<number> {
    return pidOf(await this.open(statements));
  }

  /** A session whose last statement has to wait; returns once it does. */
  async waiter(...statements: string[]): Promise<number> {
    const client = await this.open(statements.slice(0, -1));
    this.asked.push(client.query(statements.at(-1) ?? '').catch(() => undefined));
    const look = `select from pg_locks where pid = ${pidOf(client)} and not granted`;
    await until('it to wait', async () => (await this.on(this.primary, this.database, look)).rowCount === 1);
    return pidOf(client);
  }

  async cancel(pid: number): Promise<void> {
    await this.run(`select pg_cancel_backend(${pid})`);
    await until('it to end', async () => {
      const look = `select from pg_stat_activity where pid = ${pid} and state = 'active'`;
      return (await this.on(this.primary, this.database, look)).rowCount === 0;
    });
  }

  async end(): Promise<void> {
    const pids = this.sessions.map(pidOf).join(', ') || '0';
    await this.on(
      this.primary,
      'postgres',
      `select pg_terminate_backend(pid) from pg_stat_activity where pid in (${pids})`,
    );
    await Promise.allSettled([...this.asked, ...this.sessions.map((client) => client.end())]);
    const drop = `drop database ${this.database}`;
    await until('the database to be free', async () => (await this.on(this.primary, 'postgres', drop)) !== null);
  }

  private async open(statements: readonly string[]): Promise<pg.Client> {
    const client = await connect(this.primary, this.database);
    this.sessions.push(client);
    await client.query("set deadlock_timeout = '1h'");
    for (const statement of statements) await client.query(statement).catch(() => undefined);
    return client;
  }
}

async function connect(server: Server, database: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url(database), application_name: 'bench' });
  client.on('error', () => {
    // A case ends its sessions from outside.
  });
  await client.connect();
  return client;
}

function pidOf(client: object): number {
  return (client as { processID: number }).processID;
}
