import type { StoredRun } from '../../state/runs.ts';
import type { RemedyContext, RemedyNode, RemedyTarget } from '../context.ts';
import type { Plan } from '../plan.ts';
import type { ActingSession } from '../session.ts';

/** What a guard saw: its words are what chat shows. */
export interface Verdict {
  ok: boolean;
  says: string;
}

export interface GuardInput {
  context: RemedyContext;
  /** Of a plan that is only looked at, the id is 0. */
  run: Pick<StoredRun, 'id' | 'alertId' | 'class'>;
  plan: Plan;
  target: RemedyTarget;
  node: RemedyNode;
  session: ActingSession;
}

/** Null where the guard does not apply. */
export type Guard = (input: GuardInput) => Promise<Verdict | null>;

export function yes(says: string): Verdict {
  return { ok: true, says };
}

export function no(says: string): Verdict {
  return { ok: false, says };
}
