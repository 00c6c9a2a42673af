import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Pair, type ParsedNode } from 'yaml';
import { interpolate, type Variables } from './interpolate.ts';
import type { Fault, Path } from './problem.ts';

/** The file's values with the environment's variables filled in, and where each of them stands. */
export interface Source {
  value: unknown;
  /** Of the value, or of its key; of the nearest thing around it where it is not in the file. */
  offsetOf(path: Path, on?: 'key'): number;
  isWritten(path: Path): boolean;
  /** It could not be read or a variable not be filled in, which has been said: whatever else is wrong with it follows from that. */
  isBroken(path: Path): boolean;
  /** The text as written, variables not filled in; null for what is not text. */
  textOf(path: Path): string | null;
  variablesOf(path: Path): readonly string[];
}

interface Entry {
  keyOffset: number | null;
  offset: number;
  text: string | null;
  variables: readonly string[];
  isBroken: boolean;
}

interface Reading {
  document: Document.Parsed;
  /** To point into a text at the variable that is wrong. */
  text: string;
  variables: Variables;
  entries: Map<string, Entry>;
  faults: Fault[];
  aliasCount: number;
}

type Spot = { path: Path; keyOffset: number | null };

const maxAliases = 100;
const maxEntries = 10_000;
const maxDepth = 25;

export function readSource(
  document: Document.Parsed,
  text: string,
  variables: Variables,
): { source: Source; faults: Fault[] } {
  const reading: Reading = { document, text, variables, entries: new Map(), faults: [], aliasCount: 0 };
  const value = readNode(document.contents, { path: [], keyOffset: null }, reading);
  return { source: createSource(value, reading.entries), faults: reading.faults };
}

/** The values at a path in which `*` stands for every item or key, with their own paths. */
export function select(value: unknown, pattern: Path): { path: Path; value: unknown }[] {
  const [step, ...rest] = pattern;
  if (step === undefined) return value === undefined ? [] : [{ path: [], value }];
  if (typeof value !== 'object' || value === null) return [];
  const keys = step === '*' ? Object.keys(value) : [String(step)].filter((key) => Object.hasOwn(value, key));
  return keys.flatMap((key) => {
    const step = Array.isArray(value) ? Number(key) : key;
    const found = select((value as Record<string, unknown>)[key], rest);
    return found.map((one) => ({ path: [step, ...one.path], value: one.value }));
  });
}

function createSource(value: unknown, entries: ReadonlyMap<string, Entry>): Source {
  const entryAt = (path: Path) => entries.get(JSON.stringify(path));
  const offsetOf = (path: Path, on?: 'key'): number => {
    const entry = entryAt(path);
    if (entry) return on === 'key' ? (entry.keyOffset ?? entry.offset) : entry.offset;
    return path.length === 0 ? 0 : offsetOf(path.slice(0, -1), 'key');
  };
  return {
    value,
    offsetOf,
    isWritten: (path) => entryAt(path) !== undefined,
    isBroken: (path) => entryAt(path)?.isBroken ?? false,
    textOf: (path) => entryAt(path)?.text ?? null,
    variablesOf: (path) => entryAt(path)?.variables ?? [],
  };
}

function readNode(node: ParsedNode | null, spot: Spot, reading: Reading): unknown {
  const offset = node?.range[0] ?? spot.keyOffset ?? 0;
  const entry: Entry = { keyOffset: spot.keyOffset, offset, text: null, variables: [], isBroken: false };
  if (spot.path.length > maxDepth || reading.entries.size >= maxEntries) return tooMuch(offset, reading);
  reading.entries.set(JSON.stringify(spot.path), entry);
  if (isMap(node)) return readMap(node.items, spot, reading);
  if (isSeq(node)) return node.items.map((item, index) => readNode(item, inside(spot, index, null), reading));
  if (isAlias(node)) {
    const target = resolveAlias(node, reading);
    entry.isBroken = target === null;
    return target === null ? undefined : readNode(target, spot, reading);
  }
  return isScalar(node) ? readScalar(node, entry, reading) : undefined;
}

function readMap(items: readonly Pair<ParsedNode, ParsedNode | null>[], spot: Spot, reading: Reading): object {
  const record: Record<string, unknown> = {};
  const firstOffsets = new Map<string, number>();
  for (const { key, value } of items) {
    const name = isScalar(key) ? String(key.value) : '';
    const keyOffset = key.range[0];
    const first = firstOffsets.get(name);
    if (first !== undefined) reading.faults.push(duplicateKey(name, keyOffset, lineAt(first, reading)));
    else if (name === '__proto__') reading.faults.push({ offset: keyOffset, message: 'this key is not allowed' });
    else record[name] = readNode(value, inside(spot, name, keyOffset), reading);
    firstOffsets.set(name, first ?? keyOffset);
  }
  return record;
}

/** An empty value is as good as a missing one: often every line below the key is commented out. */
function readScalar(node: ParsedNode, entry: Entry, reading: Reading): unknown {
  const value: unknown = isScalar(node) ? node.value : null;
  if (value === null) return undefined;
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value !== 'string') {
    reading.faults.push({ offset: entry.offset, message: 'tags (!name) are not read' });
    entry.isBroken = true;
    return undefined;
  }
  const filled = interpolate(value, reading.variables);
  for (const { sign, ...fault } of filled.faults) {
    const within = reading.text.slice(entry.offset, node.range[1]).indexOf(sign);
    reading.faults.push({ offset: entry.offset + Math.max(0, within), ...fault });
  }
  Object.assign(entry, { text: value, variables: filled.variables, isBroken: filled.faults.length > 0 });
  return filled.text;
}

function resolveAlias(alias: Alias.Parsed, reading: Reading): ParsedNode | null {
  const offset = alias.range[0];
  reading.aliasCount += 1;
  if (reading.aliasCount > maxAliases) return tooMuch(offset, reading) ?? null;
  const target = alias.resolve(reading.document);
  if (!target) reading.faults.push({ offset, message: 'there is no &anchor of this name before it' });
  return (target as ParsedNode | undefined) ?? null;
}

function inside(spot: Spot, step: string | number, keyOffset: number | null): Spot {
  return { path: [...spot.path, step], keyOffset };
}

/** Aliases of aliases grow without bound; said once. */
function tooMuch(offset: number, reading: Reading): undefined {
  const message = 'too many values or too deeply nested, aliases included';
  if (!reading.faults.some((fault) => fault.message === message)) reading.faults.push({ offset, message });
  return undefined;
}

function duplicateKey(name: string, offset: number, line: number): Fault {
  return { offset, message: `the key ${JSON.stringify(name)} was given before, on line ${line}` };
}

function lineAt(offset: number, reading: Reading): number {
  return reading.text.slice(0, offset).split('\n').length;
}
