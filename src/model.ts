/**
 * The words of pgorderly. Code, chat and docs use these and no others:
 *
 * target · node        a PostgreSQL cluster that is watched · one of its servers
 * flavour              whose managed PostgreSQL a server is
 * job · check          a detector · one run of a job on a target
 * tick · entry         the moment at which a schedule fires · one item of a queue
 * storm                many that wait for one thing: looked at more often while it lasts, and each look is kept
 * finding · alert      what a check found · its life over time: firing or resolved
 * runbook · plan · run a remedy as a Markdown file · it with parameters filled in · one execution of a plan
 * approval · silence   one person's yes or no · a matcher with an end
 * audit entry          one line of the append-only, hash-chained record
 * card                 what chat shows of an alert or a run
 */

export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** Whose managed PostgreSQL a server is, where that is known of it. */
export const flavours = {
  rds: 'Amazon RDS',
  aurora: 'Amazon Aurora',
  cloudsql: 'Google Cloud SQL',
  alloydb: 'Google AlloyDB',
  azure: 'Azure Database',
} as const;
export type Flavour = keyof typeof flavours;

export const risks = ['low', 'medium', 'high', 'irreversible'] as const;
export type Risk = (typeof risks)[number];

/** What kind of power a runbook needs; each class has its own, optional login on a target. */
export const runbookClasses = ['signal', 'maintain', 'ddl', 'replication', 'settings'] as const;
export type RunbookClass = (typeof runbookClasses)[number];

/** Times that identify a backend are epoch microseconds as text: a JavaScript Date would lose the microseconds. */
export type Subject =
  | { kind: 'backend'; pid: number; backendStart: string }
  | { kind: 'prepared-transaction'; gid: string }
  | {
      kind: 'server' | 'node' | 'role' | 'database' | 'standby' | 'replication-slot' | 'subscription';
      name: string;
    }
  /** `table` is the schema-qualified name of its table, as SQL writes it; a table's own. */
  | { kind: 'table' | 'index'; schema: string; name: string; oid: number; table: string };

/** A runbook that would help, with its parameters filled in, and what it frees and what is lost. */
export interface Offer {
  name: string;
  params: Record<string, string>;
  does: string;
}

/** What a job's judge returns; the check adds where it was found. */
export interface Judged {
  /** Of a job that looks into each database, the check fills it in. */
  database: string | null;
  /**
   * What is wrong, not who: stays the same as long as the trouble is the same. Of a job that looks into each database, a
   * schema-qualified name; the check puts the database in front.
   */
  fingerprint: string;
  severity: Severity;
  /** One sentence that says what is wrong. */
  title: string;
  /** How bad, since when and until when. */
  summary: string;
  /** Monospaced proof, such as a lock tree. */
  evidence?: string;
  subject: Subject;
  facts: Record<string, unknown>;
  /** More of the evidence than a card has room for: goes into the alert's thread, and is not kept with the finding. */
  wholeEvidence?: string;
  /** Best first. */
  runbooks: Offer[];
  /** What it costs to do nothing: the last of the choices. */
  otherwise?: string;
  impact: { what: string; etaSeconds: number | null } | null;
}

export interface Finding extends Judged {
  job: string;
  target: string;
  node: string;
}

/** What one look saw of a trouble at its worst; the fingerprint is its finding's. */
export interface Storm {
  fingerprint: string;
  victimCount: number;
  longestWaitSeconds: number | null;
  evidence: string;
  facts: Record<string, unknown>;
}

/** Something a job could not look at, and the one thing that would let it. */
export interface Unjudged {
  node?: string;
  database?: string;
  reason: string;
  remedy: string;
}

export const outcomes = ['findings', 'error', 'cannot-judge', 'ok'] as const;
export type Outcome = (typeof outcomes)[number];

/** What one check of one job on one target came to. */
export interface CheckResult {
  job: string;
  target: string;
  outcome: Outcome;
  reason: string | null;
  durationMs: number;
  findings: Finding[];
  /** Found only when the thresholds are lowered to the clearing level: keeps a firing alert firing, opens none. */
  lingering: Finding[];
  unjudged: Unjudged[];
  /** What was judged; only what was covered can resolve. */
  covered: Coverage[];
  /** How many were looked into; null where the job doesn't look into each. */
  databases: number | null;
}

export interface Coverage {
  /** Null: the cluster, for which one node spoke. */
  node: string | null;
  /** With `except`, a database that is no more counts as judged. */
  databases: { only: readonly string[] } | { except: readonly string[] };
}

/** Whether what was found there before was looked at again. */
export function isCovered(covered: readonly Coverage[], at: { node: string; database: string | null }): boolean {
  return covered.some(({ node, databases }) => {
    if (node !== null && node !== at.node) return false;
    return 'only' in databases
      ? at.database !== null && databases.only.includes(at.database)
      : at.database === null || !databases.except.includes(at.database);
  });
}

export const runStates = [
  'proposed',
  'approved',
  'scheduled',
  'denied',
  'expired',
  'refused',
  'withdrawn',
  'running',
  'recovering',
  'succeeded',
  'failed',
  'stopped',
  'unknown',
] as const;
export type RunState = (typeof runStates)[number];

/** A Slack user: distinct people are told apart by user id and team. */
export interface Person {
  userId: string;
  teamId: string;
}

/** What is said to people, before chat or a terminal gives it its form: plain words are never read as markup. */
export type Text = readonly (string | { user: string } | { channel: string } | { code: string } | { lines: string })[];
