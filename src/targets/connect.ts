import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { PgorderlyError } from '../errors.ts';
import { resolveUrl } from './url.ts';

/** Why we cut a connection ourselves; pg hands the very error to whoever waits. */
export type SeverReason = 'deadline' | 'not-postgres' | 'garbled' | 'no-tls' | 'too-many-rows' | 'closed';

export class Severed extends Error {
  readonly reason: SeverReason;

  constructor(reason: SeverReason, cause?: unknown) {
    super(`connection severed: ${reason}`, cause === undefined ? undefined : { cause });
    this.name = 'Severed';
    this.reason = reason;
  }
}

/**
 * A connected client for the URL, within its connect timeout, whatever answers there. Throws what pg throws, Severed, or
 * target-url-invalid, target-auth or server-unsupported. The caller listens for 'error', and ends the client.
 * Without sslmode this is libpq's `prefer`: TLS without verification first, plain only if the server says it has none.
 */
export async function connect(url: string, options: pg.ClientConfig, into?: string): Promise<pg.Client> {
  const { prefersTls, connectionTimeoutMillis, ...resolved } = resolveUrl(url, process.env, into);
  const config = { ...resolved, ...options };
  const until = performance.now() + connectionTimeoutMillis;
  if (!prefersTls) return await dial(config, until);
  try {
    return await dial({ ...config, ssl: { rejectUnauthorized: false } }, until);
  } catch (error) {
    if (!(error instanceof Severed) || error.reason !== 'no-tls') throw error;
    return await dial(config, until);
  }
}

/** Ends the connection at once and for good: what waits on it rejects with the reason. */
export function sever(client: pg.Client, reason: SeverReason): void {
  client.connection.stream.destroy(new Severed(reason));
}

/** Says goodbye; where the other side doesn't take it, leaves after a second. */
export async function hangUp(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => sever(client, 'closed'), 1000);
  try {
    await client.end();
  } finally {
    clearTimeout(timer);
  }
}

async function dial(config: pg.ClientConfig, until: number): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on('error', ignore);
  client.connection.once('sslconnect', () => guard(client.connection.stream));
  guard(client.connection.stream, Boolean(config.ssl));
  // pg's own connectionTimeoutMillis gives an error that can be told only by its text.
  const timer = setTimeout(() => sever(client, 'deadline'), Math.max(0, until - performance.now()));
  let version = '';
  client.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
    if (parameterName === 'server_version') version = parameterValue;
  });
  try {
    await client.connect();
    requireVersion(version);
    client.off('error', ignore);
    return client;
  } catch (error) {
    client.connection.stream.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Asked of the greeting, because an older server would fail at the first setting that it doesn't know. */
function requireVersion(version: string): void {
  if (Number.parseInt(version, 10) >= 12) return;
  throw new PgorderlyError(
    'server-unsupported',
    `found PostgreSQL ${version.split(' ')[0] || 'without a version'}, expected 12 or newer`,
    { hint: 'Upgrade the server, or take it out of the targets.' },
  );
}

function ignore(): void {
  // While connecting, connect() rejects with the same error.
}

/**
 * Looks at what comes before pg does. pg's parser waits for the end of a message whose length it reads from an HTTP
 * answer, and throws on messages it doesn't know: inside a socket's event, where that would end the process.
 */
function guard(stream: pg.Connection['stream'], asksForTls = false): void {
  const emit = stream.emit.bind(stream);
  let isFirst = true;
  stream.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event !== 'data') return emit(event, ...args);
    const problem = isFirst ? problemOfGreeting(args[0] as Buffer, asksForTls) : null;
    isFirst = false;
    if (problem === null) return emitSafely(() => emit(event, ...args), stream);
    stream.destroy(new Severed(problem));
    return true;
  };
}

function emitSafely(emit: () => boolean, stream: pg.Connection['stream']): boolean {
  try {
    return emit();
  } catch (error) {
    stream.destroy(new Severed('garbled', error));
    return true;
  }
}

/** The first answer: to the question for TLS one letter, else a short message about the login, an error or a notice. */
function problemOfGreeting(chunk: Buffer, asksForTls: boolean): SeverReason | null {
  const letter = String.fromCharCode(chunk[0] ?? 0);
  if (asksForTls && chunk.length === 1 && 'SN'.includes(letter)) return letter === 'N' ? 'no-tls' : null;
  const length = chunk.length < 5 ? 4 : chunk.readUInt32BE(1);
  const isMessage = 'ERNv'.includes(letter) && length >= 4 && length < 30_000;
  // Too full or too old to speak of TLS: without it, pg shows the error itself.
  if (asksForTls && isMessage && letter === 'E') return 'no-tls';
  return isMessage && !asksForTls ? null : 'not-postgres';
}
