import type { Checked } from '../detect/check.ts';
import type { RemedyContext } from '../remedy/context.ts';
import type { StateDatabase } from '../state/database.ts';

/** What the Slack side is handed: it decides nothing itself, and never touches a server. */
export interface SlackContext {
  remedy: RemedyContext;
  state: StateDatabase;
  /** Slack user ids that may approve anything at all; they may resume. */
  approvers: ReadonlySet<string>;
  timezoneOf(target: string): string;
  /** Checks a job on a target now, and records what it found. */
  checkNow(job: string, target: string): Promise<Checked>;
}
