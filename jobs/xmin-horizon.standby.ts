import type { NodeAnswer } from '../src/detect/job.ts';
import type { HorizonRow } from './xmin-horizon.holders.ts';

/** What one node answered: who holds what on it, the oldest first, and as whom it receives WAL, if it is a standby. */
export interface NodeHorizon {
  rows: HorizonRow[];
  receiver: { slot: string | null; application: string | null } | null;
  /** What Aurora's readers hold could not be asked for. */
  readersRefused: boolean;
}

export type Answers = readonly NodeAnswer<NodeHorizon>[];

/** What is known of who on a standby holds what its primary shows of it. */
export type Trace =
  | { reason: 'found'; standby: string; row: HorizonRow }
  /** No watched node that answers is that standby. */
  | { reason: 'not-watched' }
  /** What a standby tells is some seconds old, and its session may be over. */
  | { reason: 'gone'; standby: string };

/** Follows a standby's feedback to whoever holds it there, from standby to standby. Null for what is here itself. */
export function traceHolder(holder: HorizonRow, at: string, answers: Answers): Trace | null {
  const { kind, pid } = holder;
  if (kind !== 'standby' && !(kind === 'slot' && pid !== null)) return null;
  const others = answers.filter(({ node }) => node !== at);
  const traces = others.filter((answer) => isFedBy(answer, holder)).map((answer) => lookThere(answer, holder, others));
  // Standbys of the same name: one that has such a session is the one.
  return (
    traces.find(({ reason }) => reason === 'found') ??
    traces.find(({ reason }) => reason === 'gone') ?? { reason: 'not-watched' }
  );
}

function isFedBy({ role, facts }: Answers[number], { kind, name }: HorizonRow): boolean {
  if (!role?.isStandby || !role.seesAll || !facts?.receiver) return false;
  const { slot, application } = facts.receiver;
  return name !== null && (kind === 'slot' ? slot === name : slot === null && application === name);
}

function lookThere({ node, facts }: Answers[number], holder: HorizonRow, answers: Answers): Trace {
  const row = facts?.rows.find(({ kind, held }) => kind !== null && isAsOld(held, holder.held));
  if (!row) return { reason: 'gone', standby: node };
  const further = traceHolder(row, node, answers);
  return further?.reason === 'found' ? further : { reason: 'found', standby: node, row };
}

/** Ids go round at 2 ^ 32: of two, the one that is up to half of that behind is the older. */
function isAsOld(held: string | null, than: string | null): boolean {
  return held !== null && than !== null && ((Number(than) - Number(held)) | 0) >= 0;
}
