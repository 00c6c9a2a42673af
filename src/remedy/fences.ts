import type { Code, Nodes } from 'mdast';
import { suggest } from '../config/nearest.ts';
import type { Problem } from './front-matter.ts';
import { type Params, variablesOf } from './params.ts';
import { scan } from './psql.ts';

export const stepNames = ['precondition', 'evidence', 'act', 'progress', 'verify', 'cleanup', 'undo'] as const;
export type StepName = (typeof stepNames)[number];

/** A fence as it is written, its parameters still psql's variables. */
export interface Fence {
  step: StepName;
  sql: string;
  /** Of the fence's first line in the file. */
  line: number;
  /** Majors that it is for, both included. */
  versions: { from: number; to: number };
  /** Of a cleanup or an undo, the runbook that does it. */
  runbook: string | null;
}

export function readFences(node: Nodes, problems: Problem[]): Fence[] {
  if (node.type === 'code') return node.lang?.toLowerCase() === 'sql' ? readFence(node, problems) : [];
  return 'children' in node ? node.children.flatMap((child) => readFences(child, problems)) : [];
}

function readFence(node: Code, problems: Problem[]): Fence[] {
  const line = lineOf(node);
  const [word = '', ...options] = (node.meta ?? '').split(/\s+/).filter(Boolean);
  const step = stepNames.find((name) => name === word);
  const read = readOptions(options);
  if (!step) problems.push({ line, message: unknownStep(word) });
  if (!read)
    problems.push({
      line,
      message: `${options.join(' ')} is not understood; expected versions=17+, 14-16 or 15, or runbook=name`,
    });
  if (step && read && (read.runbook !== null) !== (step === 'cleanup' || step === 'undo'))
    problems.push({ line, message: 'runbook=… says which runbook does a cleanup or an undo, and nothing else' });
  return step && read ? [{ step, ...read, line, sql: readStatement(node.value, line, problems) }] : [];
}

function unknownStep(word: string): string {
  if (word === '') return `say after sql which step this is: ${stepNames.join(', ')}; or mark it psql, if it is prose`;
  const hint = suggest(word, stepNames);
  return `there is no step ${JSON.stringify(word)}; expected ${stepNames.join(', ')}${hint ? `; ${hint}` : ''}`;
}

function readOptions(options: readonly string[]): Pick<Fence, 'versions' | 'runbook'> | null {
  const given = new Map(options.map((option) => [option.split('=')[0] ?? '', option]));
  const [versions, runbook] = [readVersions(given.get('versions')), given.get('runbook')?.split('=')[1] ?? null];
  given.delete('versions');
  given.delete('runbook');
  const isName = runbook === null || /^[a-z][a-z0-9-]*$/.test(runbook);
  return versions && isName && given.size === 0 ? { versions, runbook } : null;
}

function readVersions(option: string | undefined): Fence['versions'] | null {
  if (option === undefined) return { from: 0, to: 999 };
  const [, from, plus, to] = /^versions=(\d{1,3})(?:(\+)|-(\d{1,3}))?$/.exec(option) ?? [];
  if (from === undefined) return null;
  const versions = { from: Number(from), to: plus ? 999 : Number(to ?? from) };
  return versions.from <= versions.to ? versions : null;
}

/** One statement, without the semicolon that psql needs and what comes after it. */
function readStatement(text: string, line: number, problems: Problem[]): string {
  let end: number | null = null;
  for (const piece of scan(text)) {
    const at = line + 1 + text.slice(0, piece.at).split('\n').length - 1;
    const isMore = end !== null && !/^(\s|--|\/\*)/.test(piece.text);
    if (piece.kind === 'semicolon') end ??= piece.at;
    if (piece.kind === 'unterminated')
      problems.push({ line: at, message: `${piece.text.slice(0, 2).trim()} is opened and never closed` });
    else if (piece.kind === 'backslash') problems.push({ line: at, message: "psql's own commands (\\…) are not run" });
    else if (isMore) {
      problems.push({ line: at, message: 'a second statement; one fence is one statement' });
      break;
    }
  }
  const sql = text.slice(0, end ?? text.length).trim();
  if (sql === '') problems.push({ line, message: 'the fence is empty' });
  return sql;
}

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
    for (const piece of scan(fence.sql)) {
      if (piece.kind !== 'literal' && piece.kind !== 'identifier' && piece.kind !== 'bare') continue;
      const line = fence.line + fence.sql.slice(0, piece.at).split('\n').length;
      const message = misuse(piece, variables);
      if (message) problems.push({ line, message });
      used.add(piece.name);
    }
  }
  const unused = Object.entries(params)
    .filter(([name, param]) => [...variablesOf({ [name]: param }).keys()].every((variable) => !used.has(variable)))
    .map(([name]) => name);
  for (const name of unused) problems.push({ line: 1, message: `the parameter ${name} is used by no fence` });
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

export function lineOf(node: Nodes): number {
  return node.position?.start.line ?? 1;
}
