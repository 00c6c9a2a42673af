import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** One JSON line an event; `trace` follows a click to its outcome. Nothing named like a secret is ever written. */
export function createLog(level: string): Logger {
  return pino({
    level,
    base: null,
    messageKey: 'event',
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ['url', '*.url', 'password', '*.password', 'token', '*.token'], censor: '[hidden]' },
  });
}

/** The fields of an error that are safe to log: never its DETAIL or CONTEXT, which hold rows. */
export function errorFields(error: unknown): { code: string; message: string } {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'internal';
  return { code, message: error instanceof Error ? error.message : String(error) };
}
