import type { Code, Nodes } from 'mdast';
import { suggest } from '../../config/nearest.ts';
import type { Problem } from './front-matter.ts';
import { isBlank, type Piece, scan } from './psql.ts';

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
    if (end !== null && !isBlank(piece.text)) {
      problems.push({ line: at, message: 'a second statement; one fence is one statement' });
      break;
    }
    if (piece.kind === 'semicolon') end = piece.at;
    const message = notForUs(piece);
    if (message) problems.push({ line: at, message });
  }
  const sql = trim(text.slice(0, end ?? text.length));
  if (sql === '') problems.push({ line, message: 'the fence is empty' });
  return sql;
}

/** Why we could not send what psql would. */
function notForUs({ kind, text }: Piece): string | null {
  if (kind === 'unterminated') return `${text.slice(0, 2).trim()} is opened and never closed`;
  if (kind === 'backslash') return "psql's own commands (\\…) are not run";
  if (kind === 'defined') return `psql replaces ${text} by TRUE or FALSE; a parameter is always there`;
  // Where standard_conforming_strings is off, it ends elsewhere: for psql, and for the server.
  const isAmbiguous = kind === 'text' && text.startsWith("'") && text.includes('\\');
  return isAmbiguous ? "a backslash in a plain string is read in two ways; write E'…' and double it" : null;
}

/** As psql does it, which knows fewer kinds of space than JavaScript. */
function trim(sql: string): string {
  return sql.replace(/^[ \t\n\r\f\v]+|[ \t\n\r\f\v]+$/g, '');
}

export function lineOf(node: Nodes): number {
  return node.position?.start.line ?? 1;
}
