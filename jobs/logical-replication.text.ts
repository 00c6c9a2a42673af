import type { Sick, Trouble } from './logical-replication.subscriptions.ts';
import { count, inWords } from './shared/sessions.ts';

/** What is wrong in one sentence, without figures that change; then how bad it is, and what to do. */
export function describeSubscription(sick: Sick): { title: string; summary: string } {
  const { subscription, trouble } = sick;
  const lines = [sayOf(sick), conflictsOf(sick), tablesOf(sick), sourceOf(sick)];
  return {
    title: `subscription ${subscription.name} ${titles[trouble]}`,
    summary: lines.filter((line) => line !== '').join('\n'),
  };
}

const titles: Readonly<Record<Trouble, string>> = {
  errors: 'meets errors again and again',
  'no-worker': 'is not applied: its worker does not stay up',
  'not-ready': 'has tables that do not become ready',
  'disabled-by-errors': 'is disabled, and was to be by an error',
  disabled: 'is disabled',
};

function sayOf({ subscription, trouble, rises }: Sick): string {
  const { name, errors, running, maxWorkers, pid } = subscription;
  const identifier = `"${name.replaceAll('"', '""')}"`;
  switch (trouble) {
    case 'errors':
      return `Errors were added at ${count(rises, 'look')} lately, ${(errors?.errors ?? 0).toLocaleString('en-US')} in all. This server's log has what they say: a row that is there already, a table or column that is missing, a publisher that cannot be reached.`;
    case 'no-worker': {
      if (running >= maxWorkers && pid === null)
        return `All ${maxWorkers} workers of max_logical_replication_workers are taken by others.`;
      const state =
        pid === null ? 'No worker runs' : `Its worker, now pid ${pid}, is another one than at the last look`;
      return `${state}. This server's log says why it ends: a publisher that cannot be reached, a slot that is gone, a row that cannot be applied.`;
    }
    case 'not-ready':
      return 'Its worker runs, and changes of these tables are not applied yet.';
    case 'disabled-by-errors':
      return `It has met ${count(errors?.errors ?? 0, 'error')}, and disable_on_error is set. This server's log has what they say; then: alter subscription ${identifier} enable;`;
    case 'disabled':
      return `Nothing is applied until somebody says: alter subscription ${identifier} enable;`;
  }
}

function conflictsOf({ subscription: { errors } }: Sick): string {
  const kinds = Object.entries(errors?.conflicts ?? {}).sort(([, a], [, b]) => b - a);
  if (kinds.length === 0) return '';
  return `Conflicts so far: ${kinds.map(([kind, number]) => `${number.toLocaleString('en-US')} ${kind}`).join(', ')}.`;
}

const states: Readonly<Record<string, string>> = {
  i: 'has not begun',
  d: 'is being copied',
  f: 'is copied, and not yet caught up',
  s: 'catches up',
};

function tablesOf({ subscription, late }: Sick): string {
  const { notReadyCount, tableCount } = subscription;
  if (notReadyCount === 0) return '';
  const named = late.slice(0, 5).map(({ table, state, seconds }) => {
    return `${table} ${states[state] ?? `is in state ${state}`}${seconds > 0 ? `, for ${inWords(seconds)} or longer` : ''}`;
  });
  const more = late.length > 5 ? `; and ${late.length - 5} more` : '';
  const tables = `${notReadyCount} of ${count(tableCount, 'table')} ${notReadyCount === 1 ? 'is' : 'are'} not ready`;
  return named.length === 0 ? `${tables}.` : `${tables}: ${named.join('; ')}${more}.`;
}

function sourceOf({ subscription: { slot, publications } }: Sick): string {
  const source = `It takes ${publications.join(', ')}`;
  if (slot === null) return `${source}, and has no slot on its publisher.`;
  return `${source} by the slot ${slot} on its publisher, which keeps WAL until it is applied here: see replication-slots there.`;
}
