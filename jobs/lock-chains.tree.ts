import type { Chain } from './lock-chains.chain.ts';
import type { Blocker, ChainSession, Graph } from './lock-chains.graph.ts';
import { inBrief } from './shared/sessions.ts';

/** A phone shows fewer columns, a thread more; both scroll. */
const width = 88;
export const worstShown = 5;
const markedMost = 2;
/** As much as a thread is asked to hold: three messages a hundred lines. */
export const wholeTree = 300;

interface Drawing extends Pick<Chain, 'graph' | 'amplifiers'> {
  children: ReadonlyMap<Blocker, readonly number[]>;
  hidden: ReadonlyMap<Blocker, number>;
}

/** Root, amplifiers and those that wait longest, five unless told; the others are counted where they stand. */
export function drawTree({ graph, root, victims, waiters, amplifiers }: Chain, most = worstShown): string {
  const marked = amplifiers.slice(0, markedMost);
  const byWait = waiters.map(({ pid }) => pid);
  const worst = byWait.filter((pid) => !marked.includes(pid)).slice(0, most);
  const shown = new Set([...marked, ...worst]);
  const children = new Map<Blocker, number[]>();
  const hidden = new Map<Blocker, number>();
  // The nearest that is shown; victims come in the order of their distance from the root.
  const above = new Map<number, Blocker>();
  for (const [pid, blocker] of victims)
    above.set(pid, blocker === root || shown.has(Number(blocker)) ? blocker : (above.get(Number(blocker)) ?? root));
  for (const pid of byWait) {
    const parent = above.get(pid) ?? root;
    if (shown.has(pid)) children.set(parent, [...(children.get(parent) ?? []), pid]);
    else hidden.set(parent, (hidden.get(parent) ?? 0) + 1);
  }
  return [clip(rootText(graph, root)), ...drawBelow({ graph, amplifiers: marked, children, hidden }, root, '')].join(
    '\n',
  );
}

function drawBelow(drawing: Drawing, parent: Blocker, indent: string): string[] {
  const children = drawing.children.get(parent) ?? [];
  const hidden = drawing.hidden.get(parent) ?? 0;
  const lines = children.flatMap((pid, index) => {
    const isLast = index === children.length - 1 && hidden === 0;
    return [
      drawWaiter(drawing, pid, `${indent}${isLast ? '└─' : '├─'} `),
      ...drawBelow(drawing, pid, `${indent}${isLast ? '   ' : '│  '}`),
    ];
  });
  return hidden > 0 ? [...lines, `${indent}└─ … ${hidden} more`] : lines;
}

function drawWaiter({ graph, amplifiers }: Drawing, pid: number, prefix: string): string {
  const session = graph.sessions.get(pid);
  const who = session?.mode === 'AccessExclusiveLock' ? 'reader' : 'writer';
  const mark = amplifiers.includes(pid) ? `  ← makes every ${who} wait` : '';
  return clip(`${prefix}${pid} waits${waitText(session)}  ${statementOf(session)}`, mark);
}

/** What a session runs; of one that runs nothing, what it is. */
function statementOf(session: ChainSession | undefined): string {
  if (!session || session.query) return session?.query ?? '';
  const isClient = ['client backend', null].includes(session.backendType);
  return isClient && session.user === null ? 'logging in' : (session.backendType ?? '');
}

function waitText(session: ChainSession | undefined): string {
  if (session?.waitSeconds == null) return '';
  const { waitSeconds, waitSource, placeSeconds } = session;
  const wait = ` ${waitSource === 'query_start' ? '≤ ' : ''}${inBrief(waitSeconds)}`;
  const isElsewhere = waitSource === 'first-seen' && placeSeconds !== undefined;
  return isElsewhere ? `${wait} (in this place ${inBrief(placeSeconds)})` : wait;
}

function rootText(graph: Graph, root: Blocker): string {
  if (typeof root === 'string') {
    const prepared = graph.prepared.get(root);
    return `prepared transaction ${root}  ${inBrief(prepared?.preparedSeconds ?? 0)}`;
  }
  const session = graph.sessions.get(root);
  const seconds = session?.state === 'active' ? session.statementSeconds : session?.stateSeconds;
  const state = session?.state ?? session?.backendType ?? 'hidden';
  return `${root} ${state}${seconds == null ? '' : ` ${inBrief(seconds)}`}  ${session?.query ?? ''}`;
}

/** One line, cut so that the mark still fits. Names and texts of a server may hold line breaks. */
function clip(text: string, mark = ''): string {
  const room = width - mark.length;
  const line = text.replace(/[\r\n\t\v\f]+/g, ' ').trimEnd();
  return (line.length > room ? `${line.slice(0, room - 1)}…` : line) + mark;
}
