import type { Ask, NodeRole, Row } from '../src/detect/job.ts';
import { askOrReason } from './shared/ask-or-reason.ts';
import type { HorizonRow } from './xmin-horizon.holders.ts';
import type { NodeHorizon } from './xmin-horizon.standby.ts';

/** Aurora has no senders and no receivers of WAL: what its readers hold, and what they are called, it tells otherwise. */
export async function gatherHorizon(ask: Ask, { isStandby, flavour }: NodeRole): Promise<NodeHorizon> {
  const rows = (await ask()) as unknown as HorizonRow[];
  if (flavour !== 'aurora') {
    const [receiver] = isStandby ? await ask('receiver') : [];
    return { rows, receiver: toReceiver(receiver), readersRefused: false };
  }
  if (isStandby) {
    const { rows: instances } = await askOrReason(ask, 'instance', []);
    return { rows, receiver: toReceiver(instances[0]), readersRefused: false };
  }
  const { rows: readers, refusal } = await askOrReason(ask, 'readers', []);
  return { rows: addReaders(rows, readers), receiver: null, readersRefused: refusal !== null };
}

function toReceiver(row: Row | undefined): NodeHorizon['receiver'] {
  return row ? (row as unknown as NodeHorizon['receiver']) : null;
}

function addReaders(rows: readonly HorizonRow[], readers: readonly Row[]): HorizonRow[] {
  const [first] = rows;
  if (!first) return [];
  const { nextXid, freezeMaxAge, changedRows } = first;
  const ofServer = { nextXid, freezeMaxAge, changedRows };
  const holders = rows.filter(({ kind }) => kind !== null);
  const held = readers.map((reader) => ({ ...nobody, ...ofServer, ...reader, kind: 'standby' as const }));
  const all = [...holders, ...held].sort((a, b) => (b.ageXids ?? 0) - (a.ageXids ?? 0));
  return all.length > 0 ? all : [first];
}

const nobody: Omit<HorizonRow, 'nextXid' | 'freezeMaxAge' | 'changedRows' | 'kind'> = {
  name: null,
  ageXids: null,
  held: null,
  knownSeconds: null,
  owner: null,
  preparedIn: null,
  usedBy: null,
  pid: null,
  backendStart: null,
  xactStart: null,
  queryStart: null,
  user: null,
  database: null,
  application: null,
  client: null,
  backendType: null,
  state: null,
  waitEvent: null,
  transactionSeconds: null,
  statementSeconds: null,
  stateSeconds: null,
  query: null,
};
