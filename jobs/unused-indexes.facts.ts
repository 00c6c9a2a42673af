/** One row of unused-indexes.sql: a valid index on which nothing stands but queries, as one node knows it. */
export interface IndexRow {
  oid: number;
  schema: string;
  name: string;
  file: string;
  tableOid: string;
  /** As SQL writes it, with its schema; so is `table`. */
  qualified: string;
  table: string;
  method: string;
  sizeBytes: number;
  columns: string;
  isPartial: boolean;
  /** What it is made of: one of the same name with another one is another index. */
  identity: string;
  /** What the node counted. Null where it knows nothing of it. */
  scans: number | null;
  lastScanSeconds: number | null;
  /** Of its table, as the node counted: rows that were written to its indexes. */
  writes: number | null;
  /** For each foreign key whose rows it finds: the other indexes that find all of them. */
  foreignKeys: readonly (readonly number[])[];
  /** Another one does no more than this one, so that duplicate-indexes may say to drop that. */
  isKeptForAnother: boolean;
}

/** What a node says of itself; times are epoch seconds by its own clock. */
export interface ServerRow {
  systemIdentifier: string;
  nowSeconds: number;
  /** When its counters of this database began, as far as it knows. */
  countedSinceSeconds: number | null;
  isCounting: boolean;
  isAurora: boolean;
  /** Of Aurora: it does not tell this login what readers there are. */
  hidesReaders: boolean;
  /** Of a standby: what it is called by the node that it streams from, and by Aurora. */
  slot: string | null;
  application: string | null;
  senders: readonly Sender[];
}

/** A standby, as the node that it streams from lists it, or a reader, as Aurora does. */
export interface Sender {
  application: string | null;
  client: string | null;
  slot: string | null;
}

export interface NodeFacts {
  server: ServerRow;
  indexes: readonly IndexRow[];
}

/** What a node said of a database. */
export interface Known {
  node: string;
  isStandby: boolean;
  facts: NodeFacts;
}

/** Of the 2,000 figures that a day's sample has room for some say when it was taken. */
export const maxIndexes = 1_990;

export function keyOf({ qualified, identity }: IndexRow): string {
  return `${qualified}#${identity}`;
}
