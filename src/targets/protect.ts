import type { ProtectedBecause } from '../detect/job.ts';
import { fitsGlob } from './glob.ts';

export interface ProtectList {
  /** Our own sessions by pid; an application_name can be anybody's. Asked each time: connections come and go. */
  ownPids(): Iterable<number>;
  /** Logins of the pooler, by which it looks up passwords. */
  poolerUsers?: readonly string[];
  /** Logins with the REPLICATION attribute that aren't superusers. */
  replicationUsers?: readonly string[];
  /** The config's `protect`: users or application names, `*` for any characters, in either case. */
  names?: readonly string[];
}

/** As a job's judge gives it; with `query`, an autovacuum is told apart by its reason. */
type Session = Parameters<ProtectedBecause>[0] & { query?: string | null };

interface Rule {
  users?: readonly string[];
  applications?: readonly string[];
  because: string;
}

/** Standby accounts of the common set-ups; their sessions are walsenders, pg_rewind and health checks. */
const replicationUsers = [
  'replication',
  'replicator',
  'replica',
  'repl',
  'repuser',
  'standby',
  'streaming_replica',
  'streaming_barman',
  'rewind_user',
  '_crunchyrepl',
  'pgautofailover_*',
];

const cloudUsers = [
  'rdsadmin',
  'rdsrepladmin',
  'rdstopmgr',
  'rds_superuser',
  'cloudsqladmin',
  'cloudsqlagent',
  'cloudsqlconnpooladmin',
  'cloudsqlimportexport',
  'cloudsqllogical',
  'cloudsqlobservability',
  'cloudsqlreplica',
  'azuresu',
  'azure_superuser',
  'azure_pg_admin',
  'alloydb*',
  'supabase_admin',
  'supabase_replication_admin',
  'cloud_admin',
  'crunchy_superuser',
];

const poolerUsers = ['pgbouncer', '_crunchypgbouncer', 'cnpg_pooler_pgbouncer', 'pgcat', 'odyssey', 'supavisor'];

const rules: readonly Rule[] = [
  { users: ['patroni'], applications: ['patroni*'], because: "is Patroni's connection" },
  { users: ['repmgr'], applications: ['repmgr*'], because: "is repmgr's connection" },
  { users: ['autoctl_node'], applications: ['pg_auto_failover*'], because: "is pg_auto_failover's connection" },
  { applications: ['cnpg-*', 'cnpg_*'], because: "is CloudNativePG's connection" },
  { users: ['pgbackrest'], applications: ['pgbackrest*'], because: 'is a pgBackRest backup' },
  { users: ['barman*'], applications: ['barman*'], because: 'is a barman backup' },
  { users: ['wal-g', 'walg'], applications: ['wal-g*', 'walg*'], because: 'is a WAL-G backup' },
  { applications: ['pg_basebackup', 'pg_receivewal', 'pg_rewind'], because: 'feeds a standby or a backup' },
  { users: cloudUsers, because: "is the cloud provider's own session" },
  { users: poolerUsers, because: "is the pooler's own session" },
  { users: replicationUsers, because: 'belongs to a replication user' },
];

/** Why a kind of process is never signalled; the others are the server's own. */
const processes: Readonly<Record<string, string>> = {
  walsender: 'is a walsender: it feeds a standby or a backup',
  'parallel worker': 'is a parallel worker: only its leader can be stopped',
  'autovacuum worker': 'is an autovacuum worker',
};

/** Who is never offered and is refused when asked for, from DEFAULTS.md. Reasons read on from the session's name. */
export function protectedBecause(list: ProtectList): (session: Session) => string | null {
  const compiled = compileRules([
    ...rules,
    { users: list.poolerUsers ?? [], because: "is the pooler's own session" },
    { users: list.replicationUsers ?? [], because: 'belongs to a replication user' },
    ...(list.names ?? []).map(toRule),
  ]);
  return (session) => {
    if (new Set(list.ownPids()).has(session.pid)) return "is one of pgorderly's own sessions";
    return kindOf(session) ?? compiled.find((rule) => rule.fits(session))?.because ?? null;
  };
}

/** `app:` and an application_name; a plain name is a user's or an application's. */
function toRule(name: string): Rule {
  const because = `is on the config's protect list (${name})`;
  return name.startsWith('app:')
    ? { applications: [name.slice('app:'.length)], because }
    : { users: [name], applications: [name], because };
}

function kindOf({ backendType, query }: Session): string | null {
  if (backendType === 'client backend') return null;
  // PostgreSQL hides the type of other roles' sessions: what can't be seen isn't touched.
  if (backendType === null) return 'is hidden from the bot, which lacks pg_read_all_stats';
  const isFreezing = backendType === 'autovacuum worker' && query?.includes('(to prevent wraparound)');
  if (isFreezing) return 'is an autovacuum that prevents wraparound';
  return processes[backendType] ?? `is the server's ${backendType}`;
}

function compileRules(sources: readonly Rule[]): { because: string; fits(session: Session): boolean }[] {
  return sources.map(({ users = [], applications = [], because }) => {
    const isUser = matcher(users);
    const isApplication = matcher(applications);
    return { because, fits: ({ user, application }) => isUser(user ?? '') || isApplication(application ?? '') };
  });
}

/** An empty name fits no pattern, not even `*`: a session without application_name isn't named by anybody. */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const globs = patterns.map((pattern) => pattern.toLowerCase());
  return (name) => name !== '' && globs.some((glob) => fitsGlob(name.toLowerCase(), glob));
}
