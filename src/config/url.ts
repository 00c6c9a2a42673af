/** What is wrong with a value; the message reads on from the value: `"general" is not a channel id`. */
export interface ValueFault {
  message: string;
  hint: string;
}

export interface Place {
  host: string;
  port: string;
  database: string;
}

/** Where a connection URL leads, by libpq's grammar (the password ends at the first `@`); only what a file can show. */
export function readPlace(url: string): Place | ValueFault {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(url.trim()) ?? [];
  if (rest === undefined) return { message: 'is not a postgres:// URL', hint: writeUrl };
  const [, authority = '', database = '', query = ''] =
    /^(?:[^@/]*@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  if (`${authority}${database}`.includes('@')) {
    return { message: 'has an @ or a / in its password', hint: 'percent-encode them: %40 and %2F' };
  }
  const parameters = new URLSearchParams(query.replaceAll('+', '%2B'));
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(authority) ?? [];
  const host = parameters.get('host') || decode(bracketed ?? plain ?? '') || parameters.get('service') || '';
  if (authority.includes(',') || host.includes(',')) return severalHosts;
  if (bracketed === undefined && plain === undefined) {
    return { message: 'has a host that cannot be read', hint: 'write an IPv6 address in brackets: [::1]' };
  }
  if (host === '') return { message: 'names no host', hint: writeUrl };
  return withPort({ host, port: parameters.get('port') || port || '5432', database: decode(database) });
}

export function postgresUrlFault(url: string): ValueFault | null {
  const place = readPlace(url);
  return 'host' in place ? null : place;
}

/** Null where it is a URL of one of the schemes, with a host. */
export function urlFault(url: string, schemes: readonly string[]): ValueFault | null {
  const example = `${schemes[0]}://localhost`;
  const parsed = parseUrl(url);
  const isRight = parsed !== null && schemes.includes(parsed.protocol.slice(0, -1)) && parsed.hostname !== '';
  return isRight ? null : { message: `is not a ${schemes.join(':// or ')}:// URL`, hint: `write it as ${example}` };
}

const writeUrl = 'write it as postgres://user@host:5432/database';

const severalHosts: ValueFault = {
  message: 'names several hosts',
  hint: 'write one; a target lists each of its servers as a node, and which one is the primary is seen',
};

function withPort(place: Place): Place | ValueFault {
  const isPort = /^\d{1,5}$/.test(place.port) && Number(place.port) >= 1 && Number(place.port) <= 65535;
  return isPort ? place : { message: 'has a port that is not a number from 1 to 65535', hint: writeUrl };
}

function parseUrl(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Only compared and shown; whoever connects says what is wrong with it.
    return text;
  }
}
