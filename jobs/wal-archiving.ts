import { type Ask, defineJob, type JudgeContext } from '../src/detect/job.ts';
import type { Judged, Unjudged } from '../src/model.ts';
import { perSecond, secondsUntil } from './shared/rates.ts';
import { count, inWords } from './shared/sessions.ts';
import { inBytes } from './shared/sizes.ts';

/** The row of wal-archiving.sql, and that of wal-archiving.files.sql where the role may list files. */
export interface Archiving {
  mode: 'off' | 'on' | 'always';
  /** Null where the role may not read it; empty where there is none. */
  command: string | null;
  library: string;
  archivedCount: number;
  failedCount: number;
  lastFailedWal: string | null;
  /** Null: never. */
  archivedSecondsAgo: number | null;
  failedSecondsAgo: number | null;
  files: { waiting: number; oldestWaitingSeconds: number | null; walBytes: number } | null;
}

const thresholds = {
  lateSeconds: {
    default: 900,
    unit: 'seconds',
    about: 'A finished WAL file that has waited for so long means that archiving stands still, or is too slow.',
  },
  walBytes: {
    default: 100 * 1024 ** 3,
    unit: 'bytes',
    about: 'What pg_wal may grow to: set it to the size of its disk, which SQL cannot tell. Reached is critical.',
  },
  criticalEtaSeconds: {
    default: 14_400,
    unit: 'seconds',
    about: 'While archiving fails, critical if pg_wal reaches walBytes before this, at its rate of the last hour.',
  },
} as const;

type Context = JudgeContext<typeof thresholds>;

const windowSeconds = 3_600;

export const walArchiving = defineJob({
  name: 'wal-archiving',
  title: 'WAL that is not archived',
  delivery: 'page',
  scope: 'node',
  schedule: '50 * * * * *',
  fire: { afterSeconds: 900 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: { waiting: { label: 'WAL files that wait', unit: 'files' } },
  history: { days: 1 },
  async gather(ask: Ask): Promise<Archiving> {
    const [row] = await ask();
    if (!row) throw new Error('pg_stat_archiver has no row');
    const [files] = row['mode'] !== 'off' && row['mayListFiles'] ? await ask('files') : [];
    return { ...row, files: files ?? null } as unknown as Archiving;
  },
  sample(archiving, { node }) {
    const { files } = archiving;
    if (!files || !isArchivedHere(archiving, node.isStandby)) return [];
    return [
      { series: 'waiting', value: files.waiting },
      { series: 'bytes', value: files.walBytes },
    ];
  },
  judge(archiving: Archiving, context: Context) {
    const { node } = context;
    if (!isArchivedHere(archiving, node.isStandby)) return { findings: [], unjudged: [] };
    const trouble = troubleOf(archiving, context.thresholds.lateSeconds);
    return {
      findings: trouble ? [judgeTrouble(trouble, archiving, context)] : [],
      unjudged: archiving.files ? [] : [unjudgedBacklog(node.role)],
    };
  },
});

/** A standby archives only with `always`. */
function isArchivedHere({ mode }: Archiving, isStandby: boolean): boolean {
  return mode === 'always' || (mode === 'on' && !isStandby);
}

function unjudgedBacklog(role: string): Unjudged {
  return {
    reason: `the role ${role} may not list the files of pg_wal, so how many wait to be archived is not judged`,
    remedy: `grant pg_monitor to "${role.replaceAll('"', '""')}";`,
  };
}

type Trouble = 'nothing-set' | 'failing' | 'standing-still';

/** A failure counts until something was archived after it: that nothing ever was is one too. */
function troubleOf({ command, library, files, failedSecondsAgo, archivedSecondsAgo }: Archiving, lateSeconds: number) {
  const isFailing = failedSecondsAgo !== null && (archivedSecondsAgo === null || failedSecondsAgo < archivedSecondsAgo);
  const isLate = files !== null && files.waiting > 0 && (files.oldestWaitingSeconds ?? 0) >= lateSeconds;
  const trouble: Trouble | null =
    command === '' && library === '' ? 'nothing-set' : isFailing ? 'failing' : isLate ? 'standing-still' : null;
  return trouble;
}

function judgeTrouble(trouble: Trouble, archiving: Archiving, context: Context): Judged {
  const { files, command: _mayHoldSecrets, ...facts } = archiving;
  const { walBytes, criticalEtaSeconds } = context.thresholds;
  const { now, history } = context;
  const course = files && { value: files.walBytes, now, past: history('bytes'), windowSeconds };
  const etaSeconds = course && secondsUntil(walBytes, course);
  const isFull = files !== null && files.walBytes >= walBytes;
  const isSoon = etaSeconds !== null && etaSeconds < criticalEtaSeconds;
  return {
    database: null,
    fingerprint: context.node.name,
    severity: isFull || isSoon ? 'critical' : 'warning',
    title: titles[trouble],
    summary: [
      sayOf(trouble, archiving),
      files && backlogOf(files, context),
      files && sizeOf(files.walBytes, { rate: course && perSecond(course), etaSeconds, walBytes }),
      'Until it is archived nothing of it is removed, and a restore ends at the last file that was.',
    ]
      .filter(Boolean)
      .join('\n'),
    subject: { kind: 'server', name: context.node.name },
    facts: { trouble, ...facts, ...files, waiting: files?.waiting ?? null, etaSeconds },
    runbooks: [],
    impact: { what: 'the disk of pg_wal fills up, and the server stops', etaSeconds },
  };
}

const titles: Record<Trouble, string> = {
  'nothing-set': 'WAL is to be archived, and nothing says how',
  failing: 'archiving of WAL fails',
  'standing-still': 'finished WAL is not archived',
};

function sayOf(trouble: Trouble, archiving: Archiving): string {
  const { archivedSecondsAgo, failedSecondsAgo, lastFailedWal, library, mode } = archiving;
  const archived =
    archivedSecondsAgo === null
      ? 'nothing was ever archived'
      : `the last success was ${inWords(archivedSecondsAgo)} ago`;
  switch (trouble) {
    case 'nothing-set':
      return `archive_mode is ${mode}, and archive_command and archive_library are empty; ${archived}.`;
    case 'failing':
      return `It failed ${inWords(failedSecondsAgo ?? 0)} ago at ${lastFailedWal}; ${archived}. The server's log has what the ${library ? 'library' : 'command'} said.`;
    case 'standing-still':
      return `No failure is known, and ${archived}: ${library ? `archive_library ${library} may not load, ` : ''}the archiver hangs, or is slower than WAL is written.`;
  }
}

function backlogOf(files: NonNullable<Archiving['files']>, { history, now }: Context): string {
  const { waiting, oldestWaitingSeconds } = files;
  const rate = perSecond({ value: waiting, now, past: history('waiting'), windowSeconds });
  const growth =
    rate === null ? '' : rate > 0 ? `; ${count(Math.round(rate * 3_600), 'more file')} an hour` : '; not growing';
  const since = oldestWaitingSeconds === null ? '' : `, the oldest for ${inWords(oldestWaitingSeconds)}`;
  return `${count(waiting, 'WAL file')} ${waiting === 1 ? 'waits' : 'wait'}${since}${growth}.`;
}

function sizeOf(
  bytes: number,
  { rate, etaSeconds, walBytes }: { rate: number | null; etaSeconds: number | null; walBytes: number },
): string {
  const growth = rate !== null && rate > 0 ? ` and grows by ${inBytes(rate * 3_600)} an hour` : '';
  const until =
    etaSeconds === null ? '' : ` At that rate ${inBytes(walBytes)} (walBytes) is reached in ${inWords(etaSeconds)}.`;
  return `pg_wal has ${inBytes(bytes)}${growth}.${until} How large its disk is cannot be asked for over SQL.`;
}
