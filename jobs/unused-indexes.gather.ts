import type { Ask } from '../src/detect/job.ts';
import { askOrReason } from './shared/ask-or-reason.ts';
import type { IndexRow, NodeFacts, Sender, ServerRow } from './unused-indexes.facts.ts';

type Server = Omit<ServerRow, 'slot' | 'application' | 'hidesReaders'> & { isStandby: boolean };

/** What a node counted of the indexes of a database, and which other nodes may count besides. */
export async function gatherUse(ask: Ask, leastBytes: number): Promise<NodeFacts> {
  const [server] = (await ask('server')) as unknown as [Server];
  const indexes = (await ask(undefined, [leastBytes])) as unknown as IndexRow[];
  const { isStandby, isAurora } = server;
  const names = isStandby ? await askOrReason(ask, isAurora ? 'instance' : 'receiver', []) : null;
  const readers = isAurora && !isStandby ? await askOrReason(ask, 'readers', []) : null;
  const own = { slot: null, application: null, ...names?.rows[0] };
  const senders = readers ? (readers.rows as unknown as Sender[]) : server.senders;
  return { server: { ...server, ...own, senders, hidesReaders: (readers?.refusal ?? null) !== null }, indexes };
}
