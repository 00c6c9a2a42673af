import type { Ask, Row } from '../../src/detect/job.ts';

/** Why one object was not looked at. */
export type Refusal = 'locked' | 'too-slow' | 'no-privilege' | 'refused';

const bySqlState: Readonly<Record<string, Refusal>> = {
  '55P03': 'locked',
  '57014': 'too-slow',
  '42501': 'no-privilege',
};

/** Rows, or why there are none of this one object: the others go on. A lost connection rejects, as it concerns all. */
export async function askOrReason(
  ask: Ask,
  statement: string,
  params: readonly unknown[],
): Promise<{ rows: Row[]; refusal: null } | { rows: []; refusal: Refusal }> {
  try {
    return { rows: await ask(statement, params), refusal: null };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code !== 'query-timeout' && error.code !== 'query-failed') throw error;
    const cause = error.cause as { code?: string } | undefined;
    return { rows: [], refusal: bySqlState[cause?.code ?? ''] ?? 'refused' };
  }
}
