import { ErrorCode, WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError } from '@slack/web-api';
import { codeOf } from '../errors.ts';

export interface SlackFailure {
  code: string;
  /** When to try again. */
  retryAfterSeconds: number;
}

/** What a failed call to Slack means for the next one. */
export function slackFailure(error: unknown): SlackFailure {
  if (error instanceof WebAPIRateLimitedError) return { code: 'ratelimited', retryAfterSeconds: error.retryAfter };
  if (error instanceof WebAPIPlatformError) return { code: error.data.error, retryAfterSeconds: 30 };
  if (error instanceof WebAPIHTTPError) return { code: `http-${error.statusCode}`, retryAfterSeconds: 5 };
  return { code: innermostCode(error) ?? ErrorCode.RequestError, retryAfterSeconds: 2 };
}

/** Slack's library wraps what fetch wraps: the socket's own code (ECONNREFUSED) lies below. */
function innermostCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  return innermostCode(error.cause) ?? codeOf(error);
}
