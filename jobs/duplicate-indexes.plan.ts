/** One row of duplicate-indexes.sql: a valid index as the catalog holds it. */
export interface IndexRow {
  oid: number;
  schema: string;
  name: string;
  file: string;
  /** As SQL writes it, with its schema; so is `table`. */
  qualified: string;
  tableOid: number;
  table: string;
  method: string;
  sizeBytes: number;
  keyCount: number;
  /** Numbers of the table's columns, the included ones behind the keys; 0 for an expression. */
  columns: readonly string[];
  /** These three a key each. */
  opclasses: readonly string[];
  collations: readonly string[];
  orders: readonly string[];
  /** Node trees of all expressions, in the order of their keys; and of the predicate. */
  expressions: string | null;
  predicate: string | null;
  opclassOptions: string | null;
  options: string | null;
  isUnique: boolean;
  nullsAreEqual: boolean;
  isImmediate: boolean;
  /** Its own, or the foreign key of another table. */
  servesConstraint: boolean;
  isOfConstraint: boolean;
  isReplicaIdentity: boolean;
  isClustered: boolean;
  /** Attached to the index of a partitioned table. */
  isPartition: boolean;
}

export interface Redundancy {
  drop: IndexRow;
  /** Is dropped because of nothing itself. */
  keep: IndexRow;
  kind: 'duplicate' | 'prefix';
}

/**
 * Which indexes may go because another one stays. Decided for a table as a whole, strongest first: each is kept unless
 * one that is kept already does all that it does, so that of a pair never both go, nor A for B while B goes for C.
 */
export function planDrops(rows: readonly IndexRow[]): Redundancy[] {
  const shapes = rows.map(shapeOf).sort(byStrength);
  const kept = new Map<number, Shape[]>();
  const drops: Redundancy[] = [];
  for (const shape of shapes) {
    const { tableOid } = shape.row;
    const others = kept.get(tableOid) ?? [];
    const covering = shape.isNeeded ? [] : others.filter((other) => covers(other, shape));
    const same = covering.find((other) => other.keys.length === shape.keys.length);
    const keep = same ?? covering[0];
    if (keep) drops.push({ drop: shape.row, keep: keep.row, kind: same ? 'duplicate' : 'prefix' });
    else kept.set(tableOid, [...others, shape]);
  }
  return drops;
}

interface Shape {
  row: IndexRow;
  /** Something stands on it besides queries: it is never dropped. */
  isNeeded: boolean;
  /** Each with all that makes it the same as another one. */
  keys: readonly string[];
  included: readonly string[];
  /** All of the index that has to be equal, whatever its keys. */
  frame: string;
}

function shapeOf(row: IndexRow): Shape {
  const expressions = splitNodes(row.expressions ?? '');
  let next = 0;
  const keys = row.columns.slice(0, row.keyCount).map((column, at) => {
    const expression = column === '0' ? expressions[next++] : null;
    return JSON.stringify([column, row.opclasses[at], row.collations[at], row.orders[at], expression]);
  });
  const { isOfConstraint, servesConstraint, isReplicaIdentity, isClustered, isPartition } = row;
  return {
    row,
    isNeeded: isOfConstraint || servesConstraint || isReplicaIdentity || isClustered || isPartition,
    keys,
    included: row.columns.slice(row.keyCount),
    // How full a btree's pages are is nothing that queries depend on; what other methods are told may decide what they find.
    frame: JSON.stringify([row.method, row.predicate, row.method === 'btree' ? null : row.options]),
  };
}

/** Whoever can cover another one comes before it; of equal ones the needed, then the unique, then the older. */
function byStrength(a: Shape, b: Shape): number {
  return (
    Number(b.isNeeded) - Number(a.isNeeded) ||
    b.keys.length - a.keys.length ||
    Number(b.row.isUnique) - Number(a.row.isUnique) ||
    b.included.length - a.included.length ||
    a.row.oid - b.row.oid
  );
}

/** Whether `wide` does all that `narrow` does. */
function covers(wide: Shape, narrow: Shape): boolean {
  if (wide.frame !== narrow.frame || !hasOptionsOf(wide, narrow)) return false;
  if (narrow.keys.some((key, at) => key !== wide.keys[at])) return false;
  const returned = new Set([...wide.included, ...wide.row.columns.slice(0, wide.row.keyCount)]);
  if (narrow.included.some((column) => !returned.has(column))) return false;
  const isPrefix = narrow.keys.length < wide.keys.length;
  // Only a btree is read by the beginning of its keys as if that were all of it.
  if (isPrefix && wide.row.method !== 'btree') return false;
  if (!narrow.row.isUnique) return true;
  const { isUnique, isImmediate, nullsAreEqual } = wide.row;
  return !isPrefix && isUnique && isImmediate && nullsAreEqual === narrow.row.nullsAreEqual;
}

/** Options of operator classes are seldom used: with any, only the very same will do. */
function hasOptionsOf(wide: Shape, narrow: Shape): boolean {
  const given = (shape: Shape) => shape.row.opclassOptions?.replaceAll(/NULL|[{},]/g, '') ?? '';
  if (given(wide) === '' && given(narrow) === '') return true;
  return wide.row.opclassOptions === narrow.row.opclassOptions;
}

/** The nodes of a list as pg_node_tree writes it: ({…} {…}), with a backslash before a brace that is none. */
function splitNodes(text: string): string[] {
  const nodes: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '{' && depth++ === 0) start = at;
    else if (text[at] === '}' && --depth === 0) nodes.push(text.slice(start, at + 1));
  }
  return nodes;
}
