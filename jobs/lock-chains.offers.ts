import type { JudgeContext, Thresholds } from '../src/detect/job.ts';
import type { Offer } from '../src/model.ts';
import { type Chain, holdOf, sharersOf } from './lock-chains.chain.ts';
import { type Blocker, type ChainSession, freedBy } from './lock-chains.graph.ts';
import {
  count,
  countWaiting,
  inWords,
  isIdleInTransaction,
  statementParams,
  transactionParams,
  whyNotOffered,
} from './shared/sessions.ts';

interface Bounds {
  protectedBecause: JudgeContext<Thresholds>['protectedBecause'];
  /** A root that has held its lock for less is not offered: ending it would only hand the lock on to the next. */
  minHoldSeconds: number;
}

/** What would help, the cheapest first, and why the root is not offered, if it isn't: reads on from its name. */
export function offersFor(chain: Chain, bounds: Bounds): { offers: Offer[]; notOffered: string | null } {
  const queued = offerQueuedDdl(chain, bounds);
  const offers = queued ? [queued] : [];
  if (typeof chain.root === 'string')
    return { offers, notOffered: 'has no session: whether it is committed or rolled back is for a person to decide' };
  const session = chain.graph.sessions.get(chain.root);
  const notOffered = session ? whyRootNotOffered(chain, session, bounds) : 'has gone';
  return session && !notOffered
    ? { offers: [...offers, offerRoot(chain, session)], notOffered }
    : { offers, notOffered };
}

/** Many can queue; only those with most behind them are worth the counting. */
const candidates = 10;

/** The queued statement whose end frees most by itself. */
function offerQueuedDdl(chain: Chain, { protectedBecause }: Bounds): Offer | null {
  const choices = chain.amplifiers.slice(0, candidates).flatMap((pid) => {
    const session = chain.graph.sessions.get(pid);
    if (session?.state !== 'active' || !chain.confirmed.has(pid) || whyNotOffered(session, protectedBecause)) return [];
    const freed = freedBy(chain.graph, pid).size;
    return freed > 0 ? [{ session, freed }] : [];
  });
  const best = choices.sort((a, b) => b.freed - a.freed)[0];
  if (!best) return null;
  const { pid } = best.session;
  const what = `cancels pid ${pid}'s statement that queues for ${chain.objectOf(best.session).name}`;
  const lost = `its change is not made, ${lostWith(best.session)}`;
  const does = `${what}; ${lost}; ${frees(chain, pid)}.`;
  return { name: 'cancel-queued-ddl', params: statementParams(best.session, 1), does };
}

function whyRootNotOffered(chain: Chain, session: ChainSession, bounds: Bounds): string | null {
  if (session.preventsWraparound) return 'is an autovacuum that prevents wraparound';
  const why = whyNotOffered(session, bounds.protectedBecause);
  if (why) return why;
  if (session.lockType !== null) return 'waits itself, for somebody who could not be seen';
  if (session.xactStart === null || session.transactionSeconds === null)
    return 'holds its lock outside a transaction, as advisory locks may be held';
  if (!chain.confirmed.has(session.pid)) return 'was not confirmed to block anybody by pg_blocking_pids';
  const { seconds } = holdOf(chain);
  return seconds < bounds.minHoldSeconds ? `has kept them waiting for only about ${inWords(seconds)}` : null;
}

function offerRoot(chain: Chain, session: ChainSession): Offer {
  const { pid } = session;
  const lost = lostWith(session);
  if (isIdleInTransaction(session)) {
    const does = `ends pid ${pid}'s connection; ${lost}; ${frees(chain, pid)}. Cancel would do nothing: it is idle.`;
    return { name: 'terminate-session', params: transactionParams(session, 1), does };
  }
  const does = `cancels pid ${pid}'s statement; ${lost}; ${frees(chain, pid)}.`;
  return { name: 'cancel-query', params: statementParams(session, 1), does };
}

/** What nobody gets back: of a backup all it has copied so far, of any other transaction what it did. */
function lostWith({ application, transactionSeconds }: ChainSession): string {
  const age = inWords(transactionSeconds ?? 0);
  return backups.test(application ?? '')
    ? `${age} of ${application} are lost`
    : `its transaction of ${age} is rolled back`;
}

const backups = /^pg_(?:dump|dumpall|basebackup)\b/;

/** The choice that needs no button. */
export function costOfWaiting(chain: Chain): string {
  const root = typeof chain.root === 'number' ? chain.graph.sessions.get(chain.root) : undefined;
  const until = root ? endOf(root) : 'until somebody commits it or rolls it back';
  return `Or wait: nothing is lost, and ${countWaiting(chain.victims.size)} on, ${until}.`;
}

function endOf(root: ChainSession): string {
  if (isIdleInTransaction(root)) return `until pid ${root.pid}'s client goes on or leaves; nothing else ends it`;
  if (root.backendType === 'autovacuum worker' && !root.preventsWraparound)
    return 'until the autovacuum gives way, a second after somebody else wants its lock';
  return root.state === 'active'
    ? `until pid ${root.pid}'s transaction has ended`
    : `until pid ${root.pid} lets go of it`;
}

function frees(chain: Chain, gone: Blocker): string {
  const freed = [...freedBy(chain.graph, gone)].filter((pid) => chain.victims.has(pid)).length;
  if (freed === 0) return 'frees nobody by itself, since all who wait for it wait for others too';
  const all = chain.victims.size;
  const frees = gone === chain.root && sharersOf(chain) > 0 ? 'frees at most' : 'frees';
  return freed === all ? `${frees} ${count(freed, 'waiting session')}` : `${frees} ${freed} of ${all} waiting sessions`;
}
