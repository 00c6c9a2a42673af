import { defaultNodeName } from './config.ts';
import type { Path, Remark } from './problem.ts';
import { type Source, select } from './source.ts';
import { readPlace } from './url.ts';

interface Named {
  path: Path;
  key: string;
}

/** Two targets of a name, two nodes of a name in a target, one server watched twice, one port for two servers. */
export function findDuplicates(source: Source, lineOf: (path: Path) => number): Remark[] {
  const urls = repeated(nodePlaces(source));
  const doubled = new Set(urls.map(({ again }) => JSON.stringify(again.path.slice(0, -1))));
  const nodeNames = select(source.value, ['targets', '*'])
    .flatMap(({ path }) => repeated(namesOfNodes(source, path)))
    .filter(({ again }) => !doubled.has(JSON.stringify(again.path.slice(0, 4))));
  const remark = (what: string, hint: string) => (pair: Repeated) => ({
    level: 'error' as const,
    path: pair.again.path,
    message: `${what} line ${lineOf(pair.first.path)}`,
    hint,
  });
  return [
    ...repeated(textsAt(source, ['targets', '*', 'name'])).map(
      remark('a second target of this name; the first is on', 'give each target its own name'),
    ),
    ...nodeNames.map(remark('a second node of this name in the target; the first is on', 'give each its own `name`')),
    ...urls.map(remark('this server and database is a node already, on', 'each server is a node of one target, once')),
    ...samePort(source),
  ];
}

interface Repeated {
  first: Named;
  again: Named;
}

function repeated(named: readonly Named[]): Repeated[] {
  const firsts = new Map<string, Named>();
  return named.flatMap((again) => {
    const first = firsts.get(again.key);
    if (!first) firsts.set(again.key, again);
    return first ? [{ first, again }] : [];
  });
}

function textsAt(source: Source, pattern: Path): Named[] {
  return select(source.value, pattern).flatMap(({ path, value }) => {
    return typeof value === 'string' && !source.isBroken(path) ? [{ path, key: value }] : [];
  });
}

function nodePlaces(source: Source): Named[] {
  return textsAt(source, ['targets', '*', 'nodes', '*', 'url']).flatMap(({ path, key }) => {
    const place = readPlace(key);
    if (!('host' in place)) return [];
    return [{ path, key: JSON.stringify([place.host.toLowerCase(), place.port, place.database]) }];
  });
}

/** A node without a name has its URL's host and port for one. */
function namesOfNodes(source: Source, target: Path): Named[] {
  return select(source.value, [...target, 'nodes', '*']).flatMap(({ path }) => {
    const [named] = textsAt(source, [...path, 'name']);
    const [url] = textsAt(source, [...path, 'url']);
    if (named) return [named];
    const name = url && defaultNodeName(url.key);
    return name ? [{ path: url.path, key: name }] : [];
  });
}

function samePort(source: Source): Remark[] {
  const [slack] = select(source.value, ['slack', 'port']);
  const [http] = select(source.value, ['http', 'port']);
  const port = Number(slack?.value);
  if (!slack || !port || port !== Number(http?.value ?? 8080)) return [];
  const message = 'this is also the port of health, readiness and metrics';
  return [{ level: 'error', path: slack.path, message, hint: 'give slack.port or http.port another number' }];
}
