import { fromMarkdown } from 'mdast-util-from-markdown';
import { frontmatterFromMarkdown } from 'mdast-util-frontmatter';
import { frontmatter } from 'micromark-extension-frontmatter';
import type { Risk, RunbookClass } from '../../model.ts';
import { checkFences } from './fence-checks.ts';
import { type Fence, lineOf, readFences, type StepName } from './fences.ts';
import { type FrontMatter, parseFrontMatter } from './front-matter.ts';
import type { Params } from './params.ts';

/** A step of a plan: the very bytes that are shown, hashed, approved, stored and sent. */
export interface Step {
  step: StepName;
  sql: string;
  /** Of a cleanup or an undo: the runbook that does it, whose parameters are the columns that this asks for. */
  runbook?: string;
}

/** When the bot stops its own statement without asking. */
export interface StopWhen {
  /** More sessions than that have waited so long behind one that waits to lock all out. */
  waiting: number;
  afterMs: number;
  standbyLagBytes: number;
  slotWalBytes: number;
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
  params: Params;
  locks: string;
  /** Null: never. */
  stopWhen: StopWhen | null;
  settings: Readonly<Record<string, string>>;
  /** Multiples of the size that its precondition tells; null where that is no matter. */
  needs: { disk: number; wal: number } | null;
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
  checkFences(fences, params, problems);
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
    stopWhen: readStopWhen(data.stop_when),
    settings: data.settings,
    needs: data.needs ?? null,
    undo,
    limits: { statementMs: timeouts.statement, lockMs: timeouts.lock, verifyMs: timeouts.verify },
  };
}

function readStopWhen(value: FrontMatter['stop_when']): StopWhen | null {
  if (typeof value === 'string') return null;
  const { waiting, after, standby_lag: standbyLagBytes, slot_wal: slotWalBytes } = value;
  return { waiting, afterMs: after, standbyLagBytes, slotWalBytes };
}
