import { suggest } from '../../config/nearest.ts';
import type { Fence } from './fences.ts';
import type { Problem } from './front-matter.ts';
import { type Params, variablesOf } from './params.ts';
import { type Piece, scan } from './psql.ts';

/** `params` is null where the front matter is too wrong to tell them. */
export function checkFences(fences: readonly Fence[], params: Params | null, problems: Problem[]): void {
  checkSteps(fences, problems);
  if (params) checkParams(params, fences, problems);
}

function checkSteps(fences: readonly Fence[], problems: Problem[]): void {
  for (const step of ['precondition', 'act', 'verify'] as const) {
    if (!fences.some((fence) => fence.step === step))
      problems.push({ line: 1, message: `there is no fence "sql ${step}"` });
  }
  // Several acts are carried out one after the other; of each other step there is one.
  const single = fences.filter((fence) => fence.step !== 'act');
  for (const [index, fence] of single.entries()) {
    const twin = single
      .slice(0, index)
      .find((one) => one.step === fence.step && one.versions.from === fence.versions.from);
    if (twin)
      problems.push({
        line: fence.line,
        message: `a second ${fence.step} for the same versions as on line ${twin.line}`,
      });
  }
}

function checkParams(params: Params, fences: readonly Fence[], problems: Problem[]): void {
  const used = new Set<string>();
  const variables = variablesOf(params);
  for (const fence of fences) {
    for (const piece of variablesIn(fence)) {
      const line = fence.line + fence.sql.slice(0, piece.at).split('\n').length;
      const message = misuse(piece, variables);
      if (message) problems.push({ line, message });
      used.add(piece.name);
    }
    checkIdentity(params, fence, problems);
  }
  const unused = Object.entries(params)
    .filter(([name, param]) => [...variablesOf({ [name]: param }).keys()].every((variable) => !used.has(variable)))
    .map(([name]) => name);
  for (const name of unused) problems.push({ line: 1, message: `the parameter ${name} is used by no fence` });
}

/** A name or a pid alone may by now be another's: these must be compared, where it matters in the act itself. */
function checkIdentity(params: Params, fence: Fence, problems: Problem[]): void {
  const used = new Set([...variablesIn(fence)].map(({ name }) => name));
  const needed = Object.entries(params).flatMap(([name, param]) => {
    if (param.type === 'relation' && fence.step === 'precondition')
      return ['schema', 'name', 'oid'].map((part) => `${name}_${part}`);
    const isNeeded = fence.step === 'precondition' || fence.step === 'act';
    return param.type === 'backend' && isNeeded ? [...variablesOf({ [name]: param }).keys()] : [];
  });
  const missing = needed.filter((name) => !used.has(name)).map((name) => `:'${name}'`);
  if (missing.length === 0) return;
  const message = `the ${fence.step} does not compare ${missing.join(', ')}: it could be about another one by then`;
  problems.push({ line: fence.line, message });
}

function* variablesIn({ sql }: Fence): Generator<Piece & { name: string }> {
  for (const piece of scan(sql))
    if (piece.kind === 'literal' || piece.kind === 'identifier' || piece.kind === 'bare') yield piece;
}

function misuse(piece: { kind: string; name: string }, variables: ReturnType<typeof variablesOf>): string | null {
  const { kind, name } = piece;
  const type = variables.get(name);
  const isPasted = type === 'definition';
  if (kind === 'bare' && type && !isPasted) return `:${name} would be pasted as it is; write :'${name}' or :"${name}"`;
  // An array's slice such as [1:2] looks like a variable to psql too; it leaves what it does not know as it is.
  if (kind === 'bare') return null;
  const hint = suggest(name, [...variables.keys()]);
  if (!type) return `the parameter ${name} is not declared in params${hint ? `; ${hint}` : ''}`;
  if (isPasted) return `${name} is a statement; write :${name}`;
  return kind === 'identifier' && type !== 'identifier'
    ? `:"${name}" is a name, but ${name} is declared as ${type}`
    : null;
}
