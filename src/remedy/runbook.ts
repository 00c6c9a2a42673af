import type { Code, Nodes } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { frontmatterFromMarkdown } from 'mdast-util-frontmatter';
import { frontmatter } from 'micromark-extension-frontmatter';
import { suggest } from '../config/nearest.ts';
import type { Risk, RunbookClass } from '../model.ts';
import { type FrontMatter, type ParamType, type Problem, parseFrontMatter } from './front-matter.ts';
import { scan } from './psql.ts';

export const stepNames = ['precondition', 'evidence', 'act', 'progress', 'verify', 'cleanup', 'undo'] as const;
export type StepName = (typeof stepNames)[number];

/** A step of a plan: the very bytes that are shown, hashed, approved, stored and sent. */
export interface Step {
  step: StepName;
  sql: string;
}

/** A fence as it is written, its parameters still psql's variables. */
export interface Fence extends Step {
  /** Of the fence's first line in the file. */
  line: number;
  /** Majors that it is for, both included. */
  versions: { from: number; to: number };
}

export interface Runbook {
  /** The file's name without `.md`. */
  name: string;
  file: string;
  title: string;
  /** Jobs that offer it, or `manual`. */
  for: readonly string[];
  risk: Risk;
  class: RunbookClass;
  node: 'primary' | 'standby' | 'any';
  params: Readonly<Record<string, { type: ParamType; about: string }>>;
  locks: string;
  stopWhen: string;
  undo: string;
  /** Milliseconds; 0 is none. */
  limits: { statementMs: number; lockMs: number; verifyMs: number };
  /** The Markdown below the front matter, fences included. */
  prose: string;
  fences: readonly Fence[];
}

/** `file` is how problems name it: `runbooks/x.md`. All problems at once, as `runbooks/x.md:31: …`. */
export function parseRunbook(markdown: string, file: string): { runbook: Runbook | null; problems: string[] } {
  const tree = fromMarkdown(markdown, {
    extensions: [frontmatter()],
    mdastExtensions: [frontmatterFromMarkdown()],
  });
  const head = tree.children[0]?.type === 'yaml' ? tree.children[0] : null;
  const { data, params, problems } = head
    ? parseFrontMatter(head.value, lineOf(head) + 1)
    : {
        data: null,
        params: null,
        problems: [{ line: 1, message: 'the file must begin with front matter between two lines of ---' }],
      };
  const name = file.replace(/^.*\//, '').replace(/\.md$/, '');
  if (!/^[a-z][a-z0-9-]{0,59}$/.test(name))
    problems.push({ line: 1, message: `the name ${JSON.stringify(name)} must be lower-case letters, digits and -` });
  const fences = readFences(tree, problems);
  checkSteps(fences, problems);
  if (params) checkParams(params, fences, problems);
  const listed = problems.sort((a, b) => a.line - b.line).map(({ line, message }) => `${file}:${line}: ${message}`);
  const prose = markdown.slice(head?.position?.end.offset ?? 0).trim();
  return {
    runbook: data && listed.length === 0 ? assemble(data, { name, file, prose, fences }) : null,
    problems: listed,
  };
}

function assemble(data: FrontMatter, rest: Pick<Runbook, 'name' | 'file' | 'prose' | 'fences'>): Runbook {
  const { title, risk, node, params, locks, undo, timeouts } = data;
  return {
    ...rest,
    title,
    for: data.for,
    risk,
    class: data.class,
    node,
    params,
    locks,
    stopWhen: data.stop_when,
    undo,
    limits: { statementMs: timeouts.statement, lockMs: timeouts.lock, verifyMs: timeouts.verify },
  };
}

function readFences(node: Nodes, problems: Problem[]): Fence[] {
  if (node.type === 'code') return node.lang?.toLowerCase() === 'sql' ? readFence(node, problems) : [];
  return 'children' in node ? node.children.flatMap((child) => readFences(child, problems)) : [];
}

function readFence(node: Code, problems: Problem[]): Fence[] {
  const line = lineOf(node);
  const [word = '', ...options] = (node.meta ?? '').split(/\s+/).filter(Boolean);
  const step = stepNames.find((name) => name === word);
  const versions = readVersions(options);
  if (!step) problems.push({ line, message: unknownStep(word) });
  if (!versions)
    problems.push({ line, message: `${options.join(' ')} is not understood; expected versions=17+, 14-16 or 15` });
  return step && versions ? [{ step, versions, line, sql: readStatement(node.value, line, problems) }] : [];
}

function unknownStep(word: string): string {
  if (word === '') return `say after sql which step this is: ${stepNames.join(', ')}; or mark it psql, if it is prose`;
  const hint = suggest(word, stepNames);
  return `there is no step ${JSON.stringify(word)}; expected ${stepNames.join(', ')}${hint ? `; ${hint}` : ''}`;
}

function readVersions(options: readonly string[]): Fence['versions'] | null {
  const [option, ...more] = options;
  if (option === undefined) return { from: 0, to: 999 };
  const [, from, plus, to] = /^versions=(\d{1,3})(?:(\+)|-(\d{1,3}))?$/.exec(option) ?? [];
  if (from === undefined || more.length > 0) return null;
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

function checkSteps(fences: readonly Fence[], problems: Problem[]): void {
  for (const step of ['precondition', 'act', 'verify'] as const) {
    if (!fences.some((fence) => fence.step === step))
      problems.push({ line: 1, message: `there is no fence "sql ${step}"` });
  }
  for (const [index, fence] of fences.entries()) {
    const twin = fences
      .slice(0, index)
      .find((one) => one.step === fence.step && one.versions.from === fence.versions.from);
    if (twin)
      problems.push({
        line: fence.line,
        message: `a second ${fence.step} for the same versions as on line ${twin.line}`,
      });
  }
}

function checkParams(params: FrontMatter['params'], fences: readonly Fence[], problems: Problem[]): void {
  const used = new Set<string>();
  for (const fence of fences) {
    for (const piece of scan(fence.sql)) {
      if (piece.kind !== 'literal' && piece.kind !== 'identifier' && piece.kind !== 'bare') continue;
      const line = fence.line + fence.sql.slice(0, piece.at).split('\n').length;
      const message = misuse(piece, params);
      if (message) problems.push({ line, message });
      used.add(piece.name);
    }
  }
  const unused = Object.keys(params).filter((name) => !used.has(name));
  for (const name of unused) problems.push({ line: 1, message: `the parameter ${name} is used by no fence` });
}

function misuse(piece: { kind: string; name: string }, params: FrontMatter['params']): string | null {
  const { kind, name } = piece;
  const param = Object.hasOwn(params, name) ? params[name] : undefined;
  // An array's slice such as [1:2] looks like a variable to psql too; it leaves what it does not know as it is.
  if (kind === 'bare') return param ? `:${name} would be pasted as it is; write :'${name}' or :"${name}"` : null;
  const hint = suggest(name, Object.keys(params));
  if (!param) return `the parameter ${name} is not declared in params${hint ? `; ${hint}` : ''}`;
  const isName = kind === 'identifier';
  return isName && param.type !== 'identifier'
    ? `:"${name}" is a name, but ${name} is declared as ${param.type}`
    : null;
}

function lineOf(node: Nodes): number {
  return node.position?.start.line ?? 1;
}
