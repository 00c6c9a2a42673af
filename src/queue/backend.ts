import {
  createPostgresBackend,
  createRedisBackend,
  type PostgresConnectionOptions,
  runMigrations,
  withBackend,
} from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { errorFields, type Logger } from '../log.ts';

/** What we use of a BullMQ queue and worker, the same on both backends. */
export interface EntryQueue {
  add(name: string, data: Record<string, string>, options?: Record<string, unknown>): Promise<unknown>;
  clean(graceMs: number, limit: number, type: 'completed' | 'failed'): Promise<unknown>;
  close(): Promise<void>;
}
export interface EntryWorker {
  close(force?: boolean): Promise<void>;
}
export type Process = (data: Record<string, string>) => Promise<void>;

export interface WorkOptions {
  concurrency: number;
  /** How long an entry of a lost worker stays taken, and keeps others of its deduplication id out. */
  lockMs: number;
}

export interface Backend {
  queue(name: string): EntryQueue;
  worker(name: string, process: Process, options: WorkOptions): EntryWorker;
  /** Redis forgets finished entries by age; on PostgreSQL that deadlocks, so the sweep cleans them. */
  needsCleaning: boolean;
  /** Whether entries can be added now. */
  state(): { ok: boolean; detail?: string };
  close(): Promise<void>;
}

/** Redis where a URL is given (several machines share the work), else the state database. */
export async function openBackend(redisUrl: string | null, state: pg.ClientConfig, log: Logger): Promise<Backend> {
  return redisUrl === null ? openPostgres(state, log) : openRedis(redisUrl, log);
}

/** An hour: a replica whose clock is late finds the entry of its tick still there, and adds none. */
const keepSeconds = 3_600;

function openRedis(url: string, log: Logger): Backend {
  const { Queue, Worker } = withBackend(createRedisBackend);
  const open = (options: object) => {
    const redis = new Redis(url, { maxRetriesPerRequest: null, ...options });
    redis.on('error', (error) => log.warn(errorFields(error), 'redis connection lost'));
    return redis;
  };
  const producer = open({ commandTimeout: 5_000 });
  const consumer = open({ socketTimeout: 15_000 });
  return {
    needsCleaning: false,
    queue: (name) =>
      listened(
        new Queue(name, {
          connection: producer,
          defaultJobOptions: {
            attempts: 1,
            removeOnComplete: { age: keepSeconds },
            removeOnFail: { age: keepSeconds },
          },
        }),
        log,
      ),
    worker: (name, process, options) =>
      listened(
        new Worker(name, (entry) => process(entry.data), { connection: consumer, ...workerOptions(options) }),
        log,
      ),
    state: () => (producer.status === 'ready' ? { ok: true } : { ok: false, detail: `redis ${producer.status}` }),
    close: async () => {
      producer.disconnect();
      consumer.disconnect();
    },
  };
}

async function openPostgres(state: pg.ClientConfig, log: Logger): Promise<Backend> {
  const { Queue, Worker } = withBackend(createPostgresBackend);
  const schema = 'pgorderly_queue';
  await migrateSchema(state, schema);
  // BullMQ's type forbids an explicit undefined, which pg's own configuration may hold.
  const connection = {
    ...state,
    schema,
    max: 3,
    application_name: 'pgorderly/queue',
    connectionTimeoutMillis: 5_000,
    query_timeout: 15_000,
    keepAlive: true,
    Client: PatientClient,
  } as PostgresConnectionOptions;
  return {
    needsCleaning: true,
    queue: (name) => listened(new Queue(name, { connection, defaultJobOptions: { attempts: 1 } }), log),
    worker: (name, process, options) =>
      listened(new Worker(name, (entry) => process(entry.data), { connection, ...workerOptions(options) }), log),
    // It is the state database, which is asked by itself.
    state: () => ({ ok: true }),
    close: async () => {},
  };
}

/** A stalled entry is failed, not retried: what it was about is stored, and the sweep nudges it again. */
function workerOptions({ concurrency, lockMs }: WorkOptions) {
  return { concurrency, lockDuration: lockMs, stalledInterval: lockMs, maxStalledCount: 0 };
}

async function migrateSchema(state: pg.ClientConfig, schema: string): Promise<void> {
  const client = new pg.Client(state);
  await client.connect();
  try {
    await runMigrations(client, schema);
  } finally {
    await client.end();
  }
}

type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/** A worker of BullMQ asks again at once: a server that is down or starting would be asked hundreds of times a second. */
class PatientClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | undefined {
    if (!callback) return super.connect();
    const tell = callback as (error: Error | null, client: pg.Client) => void;
    super.connect((error: Error | null) => setTimeout(() => tell(error, this), error ? reconnectMs : 0));
    return undefined;
  }
}

const reconnectMs = 1_000;
const quietMs = 30_000;

/** One line for the same trouble each half a minute. */
function listened<T extends { on(event: 'error', listener: (error: Error) => void): unknown }>(one: T, log: Logger): T {
  const toldAt = new Map<string, number>();
  one.on('error', (error) => {
    const fields = errorFields(error);
    if (Date.now() - (toldAt.get(fields.code) ?? 0) < quietMs) return;
    toldAt.set(fields.code, Date.now());
    log.warn(fields, 'queue connection trouble');
  });
  return one;
}
