/** Every code a person may meet, with what it means; docs/errors.md is made from this. */
export const errorCodes = {
  'config-invalid': 'The configuration has problems; each is listed with its line.',
  usage: 'A command or an option was wrong.',
  'target-url-invalid': 'A connection URL cannot be used as it is written.',
  'target-unreachable': 'The server did not answer, or refused the connection.',
  'target-auth': 'The server refused the login.',
  'server-unsupported': 'The server is not PostgreSQL 12 or newer.',
  'query-timeout': 'A statement passed its time limit and was given up.',
  'query-failed': 'The server refused a statement.',
  'job-unknown': 'There is no job of that name.',
  'threshold-unknown': 'The job has no threshold of that name.',
  'runbook-invalid': 'A runbook file has problems; each is listed with its line.',
  'runbook-unknown': 'There is no runbook of that name.',
  'param-invalid': 'A runbook parameter is missing, unknown or of the wrong type.',
  'state-unreachable': "The bot's own database did not answer.",
  'state-newer': "The bot's own database was migrated by a newer version.",
  'slack-auth': 'Slack refused the tokens.',
  'server-binaries-missing': 'The embedded PostgreSQL is not installed on this machine.',
  'slack-binary-missing': 'The local Slack is not installed on this machine.',
  'demo-failed': "The demo's story did not come to its end.",
  'audit-broken': 'The audit does not add up: an entry was changed, removed or reordered.',
  internal: 'A defect of pgorderly itself.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

interface ErrorDetails {
  /** What to do about it. */
  hint?: string;
  cause?: unknown;
}

/** The one error of pgorderly: the message says what was found and what was expected, `hint` what to do. */
export class PgorderlyError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'PgorderlyError';
    this.code = code;
    this.hint = details.hint;
  }
}

/** Message and hint on one line each, for a terminal. */
export function explain(error: unknown): string {
  if (error instanceof PgorderlyError) return error.hint ? `${error.message}\n  ${error.hint}` : error.message;
  return error instanceof Error ? error.message : String(error);
}

/** SQLSTATE of a PostgreSQL error, or the socket's code (ECONNREFUSED …); null if it has none. */
export function codeOf(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}
