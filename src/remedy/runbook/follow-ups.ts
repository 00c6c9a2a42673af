import { suggest } from '../../config/nearest.ts';
import type { Fence } from './fences.ts';
import { variablesOf } from './params.ts';
import type { Runbook } from './runbook.ts';
import { columnsOf } from './select-list.ts';

/**
 * What is wrong with the cleanups and undos of a runbook: each names another one, and asks for its variables. `known` are
 * all that are there.
 */
export function checkFollowUps(
  { fences }: Runbook,
  known: ReadonlyMap<string, Runbook>,
): [line: number, message: string][] {
  return fences.flatMap((fence): [number, string][] => {
    if (fence.runbook === null) return [];
    const then = known.get(fence.runbook);
    if (then) return checkColumns(fence, then).map((message) => [fence.line, message]);
    const hint = suggest(fence.runbook, [...known.keys()]);
    return [[fence.line, `there is no runbook ${fence.runbook}${hint ? `; ${hint}` : ''}`]];
  });
}

/** Every parameter is asked for: defaults are only for those who ask by hand. */
function checkColumns({ step, sql }: Fence, then: Runbook): string[] {
  const columns = columnsOf(sql);
  if (columns === null) return [];
  const variables = [...variablesOf(then.params).keys()];
  const named = columns.filter((column) => column !== null);
  const missing = columns.length > named.length ? [] : variables.filter((name) => !named.includes(name));
  const unknown = named.filter((name) => !variables.includes(name));
  const twice = named.filter((name, index) => named.indexOf(name) !== index);
  return [
    ...missing.map((name) => `the ${step} has no column ${name}, which ${then.name} takes`),
    ...unknown.map((name) => `the ${step} has a column ${name}; ${then.name} takes ${variables.join(', ')}`),
    ...twice.map((name) => `the ${step} has two columns ${name}`),
  ];
}
