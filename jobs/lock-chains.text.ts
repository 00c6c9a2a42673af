import { type Chain, longestWaiter } from './lock-chains.chain.ts';
import type { ChainSession } from './lock-chains.graph.ts';
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
    root && notOffered && `Pid ${root.pid} is not offered to be stopped: it ${notOffered}.`,
  ]
    .filter(Boolean)
    .join('\n');
}

function longestText(chain: Chain): string {
  const longest = longestWaiter(chain);
  if (longest === null) return '; for how long is hidden from the monitoring role';
  return `, the longest for ${longest.waitSource === 'query_start' ? 'at most ' : ''}${inWords(longest.waitSeconds)}`;
}

function describeRoot(chain: Chain, root: ChainSession): string {
  const who = `pid ${root.pid} (${describeClient(root)})`;
  const holding = `holding a lock on ${chain.object.name}`;
  if (root.state === null) return `${who}, ${root.backendType ?? 'hidden from the monitoring role'}, ${holding}.`;
  if (isIdleInTransaction(root))
    return `${who} has been idle in transaction for ${inWords(root.stateSeconds ?? 0)}, ${holding}.`;
  if (root.state !== 'active') return `${who} is ${root.state}, ${holding}.`;
  const age = `in a transaction of ${inWords(root.transactionSeconds ?? 0)}`;
  return `${who} has been running one statement for ${inWords(root.statementSeconds ?? 0)} ${age}, ${holding}.`;
}

function describePrepared({ root, graph, object }: Chain): string {
  const prepared = graph.prepared.get(String(root));
  const literal = `'${String(root).replaceAll("'", "''")}'`;
  return [
    `A transaction of role ${prepared?.owner} was prepared ${inWords(prepared?.preparedSeconds ?? 0)} ago and holds a lock on ${object.name}.`,
    `In database ${prepared?.database}, \`commit prepared ${literal}\` or \`rollback prepared ${literal}\` ends it; that is for a`,
    'person who knows what it was about, and no runbook does it.',
  ].join(' ');
}

/** "web (role app) 38 sessions, etl (role batch) 2 sessions". */
function listWriters({ graph, root, victims }: Chain): string {
  const tally = new Map<string, number>();
  for (const pid of [root, ...victims.keys()]) {
    const session = graph.sessions.get(Number(pid));
    const who = `${session?.application || 'an unnamed application'} (role ${session?.user})`;
    tally.set(who, (tally.get(who) ?? 0) + 1);
  }
  const ranked = [...tally].sort(([, a], [, b]) => b - a).slice(0, 3);
  return ranked.map(([who, number]) => `${who} ${count(number, 'session')}`).join(', ');
}
