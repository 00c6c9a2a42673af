import pg from 'pg';
import { codeOf, type ErrorCode, PgorderlyError } from '../errors.ts';
import { Severed, type SeverReason } from './connect.ts';
import { printable, shorten } from './normalise.ts';
import type { Bounds } from './read-only.ts';

interface Explanation {
  code: ErrorCode;
  /** Reads on from the node's name and address. */
  found: string;
  hint: string;
}

const pooled = 'If this is a pooler, its log says more.';

/** By socket code: what happened before PostgreSQL could say anything. */
const bySocketCode: Readonly<Record<string, [found: string, hint: string]>> = {
  ECONNREFUSED: [
    'refused the connection: nothing listens there',
    'Is the server running, and are host and port right?',
  ],
  ENOTFOUND: ['has a host name that nobody knows', 'Check the host name and the DNS.'],
  EAI_AGAIN: ['has a host name that the DNS gave no answer for', "Check this machine's DNS."],
  ENOENT: ['has no socket in that folder', 'Is the server running, and are the folder and the port right?'],
  EACCES: ['has a socket that this process may not use', "Check the socket's permissions."],
  EHOSTUNREACH: ['cannot be reached from here', 'Check the network and the firewall.'],
  ENETUNREACH: ['cannot be reached from here', 'Check the network and the firewall.'],
  ETIMEDOUT: ['did not answer', 'Check the network and the firewall.'],
  ECONNRESET: ['cut the connection', `See the server's log. ${pooled}`],
  EPIPE: ['cut the connection', `See the server's log. ${pooled}`],
};

/** By SQLSTATE, or its class: what a refused login or a lost session means. */
const bySqlState: Readonly<Record<string, [code: ErrorCode, hint: string]>> = {
  '28': ['target-auth', "Check user, password and the server's pg_hba.conf; sslmode=require if it wants TLS."],
  '3D000': ['target-auth', 'Check the name of the database in the URL.'],
  '42501': ['target-auth', 'Grant it: grant connect on database … to the user of the URL.'],
  '53300': [
    'target-unreachable',
    'Free connections or raise max_connections; from 16 on, pg_use_reserved_connections helps.',
  ],
  '57P03': ['target-unreachable', 'It is starting, stopping or recovering: it will be tried again.'],
  '57P': [
    'target-unreachable',
    'An administrator, a restart or an idle timeout ended the session: it will be opened again.',
  ],
  '08': ['target-unreachable', pooled],
};

const bySeverReason: Readonly<Record<SeverReason, Explanation>> = {
  deadline: {
    code: 'target-unreachable',
    found: 'did not answer in time',
    hint: 'Check the network and the firewall; a server whose catalog is locked lets nobody in either.',
  },
  'not-postgres': { code: 'server-unsupported', found: 'is not PostgreSQL', hint: 'Check host and port.' },
  garbled: {
    code: 'server-unsupported',
    found: 'sent what is not understood',
    hint: 'It is not PostgreSQL, or asks for a login other than password, certificate or trust.',
  },
  'no-tls': {
    code: 'target-unreachable',
    found: 'offers no TLS, which sslmode asks for',
    hint: 'Turn on ssl on the server, or write sslmode=disable if the network is trusted.',
  },
  'too-many-rows': { code: 'query-failed', found: 'returned too many rows', hint: 'The statement lacks a limit.' },
  closed: { code: 'target-unreachable', found: 'is no longer read: pgorderly is stopping', hint: 'Start it again.' },
};

/** What went wrong while connecting to `where`; never with the server's DETAIL or CONTEXT. */
export function connectFailure(error: unknown, where: string): PgorderlyError {
  if (error instanceof PgorderlyError) return prefixed(error, where);
  const code = codeOf(error);
  const found = code === null ? 'hung up during the greeting' : `could not be connected to: ${code}`;
  const hint = `Check host, port, sslmode and certificates. ${pooled}`;
  return failure(lossOf(error) ?? { code: 'target-unreachable', found, hint }, where, error);
}

/** What went wrong with a statement that ran on `where` for `elapsedMs`; as above. */
export function queryFailure(error: unknown, where: string, ran: { bounds: Bounds; elapsedMs: number }) {
  return error instanceof PgorderlyError ? error : failure(explainQuery(error, ran), where, error);
}

function explainQuery(error: unknown, ran: { bounds: Bounds; elapsedMs: number }): Explanation {
  const { statementTimeoutMs, lockTimeoutMs, maxRows } = ran.bounds;
  const code = codeOf(error);
  const severed = error instanceof Severed ? error.reason : null;
  const isOwnTimeout = code === '57014' && ran.elapsedMs >= statementTimeoutMs * 0.9;
  if (severed === 'deadline') return slow(`did not answer within ${statementTimeoutMs / 1000} s and 2 s more`);
  if (isOwnTimeout) return slow(`did not finish the statement within ${statementTimeoutMs / 1000} s`);
  if (code === '55P03') return slow(`did not give a lock within ${lockTimeoutMs} ms`);
  if (severed === 'too-many-rows') {
    return { ...bySeverReason[severed], found: `returned more than ${maxRows} rows, of which none was used` };
  }
  const isRefusal = error instanceof pg.DatabaseError && !/^(?:57P|08)/.test(error.code ?? '');
  if (!isRefusal) return lossOf(error) ?? { code: 'target-unreachable', found: 'lost the connection', hint: pooled };
  const found = `refused the statement: ${messageOf(error)} (SQLSTATE ${error.code})`;
  return { code: 'query-failed', found, hint: hintOf(error.code) };
}

function slow(found: string): Explanation {
  const hint = 'It is busy, or something it needs is locked; it will be asked again.';
  return { code: 'query-timeout', found, hint };
}

/** Why there is no session, or none any more. */
function lossOf(error: unknown): Explanation | null {
  if (error instanceof Severed) return bySeverReason[error.reason];
  const code = codeOf(error) ?? '';
  if (!(error instanceof pg.DatabaseError)) {
    const [found, hint] = bySocketCode[code] ?? [];
    return found && hint ? { code: 'target-unreachable', found, hint } : null;
  }
  const state = bySqlState[code] ?? bySqlState[code.slice(0, 3)] ?? bySqlState[code.slice(0, 2)];
  const [kind, hint] = state ?? (['target-unreachable', `SQLSTATE ${code}. ${pooled}`] as const);
  return { code: kind, found: `refused: ${messageOf(error)}`, hint };
}

function hintOf(code: string | undefined): string {
  if (code === '42501') return 'grant pg_monitor to the user of the URL.';
  if (code === '40001') return 'The standby cancelled it because of a recovery conflict; it will be asked again.';
  if (code === '25P04') return 'The user of the URL has a transaction_timeout: raise it.';
  if (code === '57014') return 'Somebody cancelled it; it will be asked again.';
  return "The server's log says more.";
}

/** The server's primary message, unless it is one of those that quote a value. */
function messageOf(error: pg.DatabaseError): string {
  if (/^2[23]/.test(error.code ?? '')) return 'a value did not fit';
  return shorten(printable(error.message), 200);
}

function prefixed({ code, message, hint }: PgorderlyError, where: string): PgorderlyError {
  return new PgorderlyError(code, `${where}: ${message}`, hint === undefined ? {} : { hint });
}

function failure({ code, found, hint }: Explanation, where: string, error: unknown): PgorderlyError {
  return new PgorderlyError(code, `${where} ${found}.`, { hint, cause: withoutRows(error) });
}

/** DETAIL, CONTEXT and their like hold rows and query texts: they must not leave with a cause that somebody prints. */
function withoutRows(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  error.message = messageOf(error);
  error.stack = `${error.name}: ${error.message}`;
  error.detail = error.where = error.internalQuery = error.hint = undefined;
  return error;
}
