import type { Blocker, ChainSession, Graph } from './lock-chains.graph.ts';

/** One row of lock-chains.names.sql. */
export interface RelationName {
  oid: number;
  name: string;
  /** An index or a TOAST table. */
  isPart: boolean;
}

/** What a session waits for. A row is told by its table, since the rows in demand change each second. */
export interface Contended {
  /** The same whether or not names could be read. */
  key: string;
  /** "shop.orders", "a row of shop.orders", "the extension of shop.orders", "relation 16423", "advisory lock 42". */
  name: string;
  isRow: boolean;
  /** Nothing is known to be locked: what is waited for is that transactions end. */
  isTransaction: boolean;
}

const row = 'a row of ';
const parts = { tuple: row, transactionid: row, spectoken: row, page: 'a page of ', extend: 'the extension of ' };

export function contendedBy(graph: Graph, waiter: ChainSession, names: ReadonlyMap<number, RelationName>): Contended {
  const part = parts[waiter.lockType as keyof typeof parts] ?? '';
  const isRow = part === row;
  const relations = relationsOf(graph, waiter, isRow);
  const what = relations.length > 0 ? `relation ${relations[0]}` : otherName(waiter, isRow);
  const relation = waiter.isNameable && nameRelations(relations, names);
  return {
    key: `database ${waiter.lockDatabaseOid ?? waiter.databaseOid} ${what}`,
    name: `${relations.length > 0 ? part : ''}${relation || what}`,
    isRow,
    isTransaction: relations.length === 0 && (isRow || waiter.lockType === 'virtualxid'),
  };
}

/** The relation by its oid; of a row, those that it may be of. */
function relationsOf(graph: Graph, waiter: ChainSession, isRow: boolean): readonly number[] {
  if (waiter.relationOid !== null) return [waiter.relationOid];
  if (!isRow) return [];
  if (waiter.rowOf !== null) return [waiter.rowOf];
  // Without a lock on the row itself (a duplicate key): both sides have locked its table for writing.
  const others = (graph.blockersOf.get(waiter.pid) ?? []).map((blocker) => writesOf(graph, blocker));
  return (waiter.writes ?? []).filter((oid) => others.some((writes) => writes.includes(oid)));
}

function writesOf(graph: Graph, blocker: Blocker): readonly number[] {
  const row = typeof blocker === 'string' ? graph.prepared.get(blocker) : graph.sessions.get(blocker);
  return row?.writes ?? [];
}

function otherName({ lockType, objectKey }: ChainSession, isRow: boolean): string {
  if (isRow) return 'an open transaction';
  if (lockType === 'virtualxid') return 'older transactions';
  return lockType === 'advisory' ? advisoryName(objectKey ?? '') : [lockType, objectKey].filter(Boolean).join(' ');
}

/** As the application wrote it: one 64-bit number, or two of 32 bits. */
function advisoryName(objectKey: string): string {
  const [high = '0', low = '0', kind] = objectKey.split('/');
  const key =
    kind === '1' ? BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)) : `(${Number(high) | 0}, ${Number(low) | 0})`;
  return `advisory lock ${key}`;
}

/** A row's table is meant, not the indexes that were locked with it. */
function nameRelations(relations: readonly number[], names: ReadonlyMap<number, RelationName>): string {
  const known = relations.flatMap((oid) => names.get(oid) ?? []);
  const tables = known.filter((one) => !one.isPart);
  return (tables.length > 0 ? tables : known).map((one) => one.name.replace(/\s+/g, ' ')).join(' or ');
}
