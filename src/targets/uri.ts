import { PgorderlyError } from '../errors.ts';

/** Never quotes the URL: every part of a mistyped one may hold a piece of the password. */
export function invalidUrl(found: string, hint: string): PgorderlyError {
  return new PgorderlyError('target-url-invalid', found, { hint });
}

/**
 * The parameters of a connection URI, empty ones included, by libpq's own grammar, which isn't that of web addresses: the password ends at
 * the first `@`, `#` means nothing, `+` is a plus. What libpq would read in a surprising way is refused instead.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parseUri(text: string): Map<string, string> {
  const rest = withoutScheme(text.trim());
  const end = rest.search(/[@/]/);
  const hasCredentials = end >= 0 && rest[end] === '@';
  const parameters = new Map<string, string>();
  if (hasCredentials) takeCredentials(rest.slice(0, end), parameters);
  takePlace(hasCredentials ? rest.slice(end + 1) : rest, parameters);
  return parameters;
}

function withoutScheme(text: string): string {
  const scheme = /^postgres(?:ql)?:\/\//.exec(text);
  if (scheme) return text.slice(scheme[0].length);
  throw invalidUrl(
    'The connection URL does not begin with postgres:// or postgresql://.',
    'Write it as postgres://user@host:5432/database; strings such as "host=… dbname=…" are not read.',
  );
}

function takeCredentials(text: string, parameters: Map<string, string>): void {
  const colon = text.indexOf(':');
  const user = colon < 0 ? text : text.slice(0, colon);
  if (/[?&=]/.test(user)) throw straySign('?, & or = stands in the user name', '%3F, %26 and %3D');
  parameters.set('user', decode(user, 'user name'));
  if (colon >= 0) parameters.set('password', decode(text.slice(colon + 1), 'password'));
}

function takePlace(text: string, parameters: Map<string, string>): void {
  const [place = '', query = ''] = splitOnce(text, '?');
  const [authority = '', database = ''] = splitOnce(place, '/');
  if (place.includes('@')) throw straySign('@ or / stands in the password or in the database name', '%40 and %2F');
  if (authority.includes(',')) throw severalHosts();
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(authority) ?? [];
  if (bracketed === undefined && plain === undefined) {
    throw invalidUrl(
      'The host of the connection URL cannot be read.',
      'Write an IPv6 address in brackets: [::1], and a socket folder as ?host=/var/run/postgresql.',
    );
  }
  parameters.set('host', decode(bracketed ?? plain ?? '', 'host'));
  parameters.set('port', decode(port ?? '', 'port'));
  parameters.set('dbname', decode(database, 'database name'));
  for (const pair of query.replace(/&$/, '').split('&')) if (query !== '') takeParameter(pair, parameters);
}

function takeParameter(pair: string, parameters: Map<string, string>): void {
  const [name = '', value] = splitOnce(pair, '=');
  if (name === '' || value === undefined || value.includes('=')) {
    throw invalidUrl(
      'A parameter of the connection URL is not of the form name=value.',
      'Percent-encode what is special inside a value: & as %26, = as %3D, % as %25.',
    );
  }
  const key = decode(name, 'name of a parameter');
  // JDBC's spelling, which libpq knows too.
  if (key === 'ssl' && value === 'true') parameters.set('sslmode', 'require');
  else parameters.set(key, decode(value, 'value of a parameter'));
}

export function severalHosts(): PgorderlyError {
  return invalidUrl(
    'The connection URL names several hosts.',
    "List each node's URL: pgorderly watches every node on its own and sees for itself which one is the primary.",
  );
}

function straySign(found: string, encoded: string): PgorderlyError {
  return invalidUrl(`The connection URL cannot be read: a raw ${found}.`, `Percent-encode them: ${encoded}.`);
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The error of decodeURIComponent says nothing that this one doesn't.
    throw invalidUrl(`The ${part} in the connection URL is not percent-encoded rightly.`, 'Write a % itself as %25.');
  }
}

/** The text before the first sign and, where there is one, the text after it. */
function splitOnce(text: string, sign: string): [string, string?] {
  const at = text.indexOf(sign);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
