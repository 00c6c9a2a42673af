import { type Chain, longestWaiter, sharersOf } from './lock-chains.chain.ts';
import type { ChainSession } from './lock-chains.graph.ts';
import { describeEnding } from './shared/prepared.ts';
import { count, countWaiting, describeClient, inWords, isIdleInTransaction } from './shared/sessions.ts';

/** `isPassing`: the lock is handed from one short transaction to the next. */
export function titleOf(chain: Chain, isPassing: boolean): string {
  const waiting = countWaiting(chain.victims.size);
  if (isPassing) return `${waiting} in turn for ${chain.object.name}`;
  if (typeof chain.root === 'string') return `${waiting} behind one prepared transaction`;
  const root = chain.graph.sessions.get(chain.root);
  if (root && isIdleInTransaction(root)) return `${waiting} behind one idle transaction`;
  if (root?.state === 'active' && root.backendType === 'client backend')
    return `${waiting} behind one running statement`;
  if (root?.backendType === 'startup') return `${waiting} behind a lock taken on the primary`;
  return `${waiting} behind one ${root?.backendType === 'client backend' ? 'idle session' : (root?.backendType ?? 'session')}`;
}

interface Remarks {
  notOffered: string | null;
  isPassing: boolean;
}

export function summarize(chain: Chain, { notOffered, isPassing }: Remarks): string {
  const root = typeof chain.root === 'number' ? chain.graph.sessions.get(chain.root) : undefined;
  return [
    root ? describeRoot(chain, root) : describePrepared(chain),
    `They wait for ${chain.object.name}${longestText(chain)}.`,
    isPassing && `The lock passes from one transaction to the next. Who wants it: ${listWriters(chain)}.`,
    sharersText(chain),
    isReplayHeldUp(chain) && 'One of them is the startup process: nothing is replayed here meanwhile.',
    root && notOffered && `Pid ${root.pid} is not offered to be stopped: it ${notOffered}.`,
  ]
    .filter(Boolean)
    .join('\n');
}

function sharersText(chain: Chain): string {
  const sharers = sharersOf(chain);
  if (sharers === 0) return '';
  const others = `${count(sharers, 'other session')} that ${sharers === 1 ? 'locks' : 'lock'} rows of that table`;
  return `At least this one holds the row; ${others} may share it, which no view of the server shows.`;
}

function isReplayHeldUp(chain: Chain): boolean {
  return chain.waiters.some(({ backendType }) => backendType === 'startup');
}

function longestText(chain: Chain): string {
  const longest = longestWaiter(chain);
  if (longest === null) return '; for how long is not known';
  return `, the longest for ${longest.waitSource === 'query_start' ? 'at most ' : ''}${inWords(longest.waitSeconds)}`;
}

function describeRoot(chain: Chain, root: ChainSession): string {
  const who = `pid ${root.pid} (${describeClient(root)})`;
  const { isTransaction, name } = chain.object;
  const holding = isTransaction ? 'its transaction still open' : `holding a lock on ${name}`;
  if (root.backendType === null) return `${who}, hidden from the monitoring role, ${holding}.`;
  if (root.backendType === 'startup') return `${who} replays WAL, ${holding} for a transaction on the primary.`;
  if (root.state === null) return `${who}, ${holding}.`;
  if (isIdleInTransaction(root))
    return `${who} has been idle in transaction for ${inWords(root.stateSeconds ?? 0)}, ${holding}.`;
  if (root.state !== 'active') return `${who} is ${root.state}, ${holding}.`;
  const age = `in a transaction of ${inWords(root.transactionSeconds ?? 0)}`;
  return `${who} has been running one statement for ${inWords(root.statementSeconds ?? 0)} ${age}, ${holding}.`;
}

function describePrepared({ root, graph, object }: Chain): string {
  const prepared = graph.prepared.get(String(root));
  const holds = object.isTransaction ? 'is still open' : `holds a lock on ${object.name}`;
  return [
    `A transaction of role ${prepared?.owner} was prepared ${inWords(prepared?.preparedSeconds ?? 0)} ago and ${holds}.`,
    describeEnding(String(root), prepared?.database),
  ].join(' ');
}

/** "web (role app) 38 sessions, etl (role batch) 2 sessions, 300 others". */
function listWriters({ graph, root, victims }: Chain): string {
  const tally = new Map<string, number>();
  const seen = [root, ...victims.keys()].flatMap((pid) => graph.sessions.get(Number(pid)) ?? []);
  for (const { application, user, backendType } of seen) {
    // Of very many only some were looked at closely.
    if (backendType === null) continue;
    const who = `${application || 'an unnamed application'} (role ${user ?? 'unknown'})`;
    tally.set(who, (tally.get(who) ?? 0) + 1);
  }
  const ranked = [...tally].sort(([, a], [, b]) => b - a).slice(0, 3);
  const others = victims.size + 1 - ranked.reduce((sum, [, number]) => sum + number, 0);
  const named = ranked.map(([who, number]) => `${who} ${count(number, 'session')}`);
  return [...named, ...(others > 0 ? [`${others.toLocaleString('en-US')} others`] : [])].join(', ');
}
