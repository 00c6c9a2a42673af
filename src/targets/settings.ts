import { userInfo } from 'node:os';
import { readService } from './service-file.ts';
import { invalidUrl, parseUri, severalHosts } from './uri.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** libpq's parameters that mean here what they mean there, and the variable that stands in for each. */
const kept = {
  host: 'PGHOST',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  service: 'PGSERVICE',
  servicefile: 'PGSERVICEFILE',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  options: 'PGOPTIONS',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: null,
} as const;

/** Parameters that can't be carried out, with the values under which that makes no difference. */
const tolerated: Readonly<Record<string, 'any' | readonly string[]>> = {
  application_name: 'any',
  fallback_application_name: 'any',
  keepalives: 'any',
  keepalives_idle: 'any',
  keepalives_interval: 'any',
  keepalives_count: 'any',
  tcp_user_timeout: 'any',
  client_encoding: ['auto', 'UTF8', 'UTF-8', 'utf8', 'utf-8'],
  target_session_attrs: ['any'],
  load_balance_hosts: ['disable'],
  channel_binding: ['disable', 'prefer'],
  gssencmode: ['disable', 'prefer'],
  sslnegotiation: ['postgres'],
};

const toleratedVariables = {
  client_encoding: 'PGCLIENTENCODING',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  channel_binding: 'PGCHANNELBINDING',
  gssencmode: 'PGGSSENCMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  hostaddr: 'PGHOSTADDR',
} as const;

export type Settings = { [K in keyof typeof kept]?: string | undefined } & { user: string; port: string };

/** What libpq would use for this URL: from the URL, else the service file, else the environment, else its default. */
export function readSettings(url: string, environment: Environment): Settings {
  const given = parseUri(url);
  const variables = fromEnvironment(environment);
  const service = given.get('service') || variables.get('service');
  const files = { file: given.get('servicefile') || variables.get('servicefile'), environment };
  const defined = service ? readService(service, files) : new Map<string, string>();
  const merged = new Map([...variables, ...defined, ...[...given].filter(([, value]) => value !== '')]);
  // After an unencoded & in a password, the next parameter's name would be a piece of that password.
  refuseUnknown(given, 'The connection URL', !/[?&](?:ssl)?password=/.test(url));
  refuseUnknown(defined, 'The service', true);
  refuseUnknown(merged, 'The environment', true);
  for (const [name, value] of merged) refuseUnprintable(name, value);
  if (merged.get('host')?.includes(',') || merged.get('port')?.includes(',')) throw severalHosts();
  return { ...Object.fromEntries(merged), user: merged.get('user') ?? systemUser(), port: readPort(merged) };
}

function fromEnvironment(environment: Environment): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, variable] of [...Object.entries(kept), ...Object.entries(toleratedVariables)]) {
    const value = variable ? environment[variable] : undefined;
    if (value) found.set(name, value);
  }
  return found;
}

function refuseUnknown(parameters: Map<string, string>, source: string, mayName: boolean): void {
  for (const [name, value] of parameters) {
    if (Object.hasOwn(kept, name)) continue;
    const values = Object.hasOwn(tolerated, name) ? tolerated[name] : [];
    if (values === 'any' || values?.includes(value)) continue;
    const label = mayName && /^[a-z_]{1,40}$/.test(name) ? `"${name}"` : 'that is not shown here';
    throw invalidUrl(
      `${source} has a parameter ${label} that pgorderly cannot keep to.`,
      values && values.length > 0
        ? `Leave it out, or set it to ${values.join(' or ')}.`
        : `Known are ${Object.keys(kept).join(', ')}; in a value, & is written %26.`,
    );
  }
}

function refuseUnprintable(name: string, value: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are looked for.
  if (!/[\u0000-\u001f\u007f]/.test(value)) return;
  throw invalidUrl(
    `The connection URL holds a control character in its ${name}.`,
    'Remove it; often it is a line end.',
  );
}

function readPort(parameters: Map<string, string>): string {
  const port = parameters.get('port') ?? '5432';
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535) return port;
  throw invalidUrl(
    'The port of the connection URL is not a number from 1 to 65535.',
    'If the password holds a / or an @, write %2F or %40 instead.',
  );
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run under ids without a name; there libpq gives up too.
    throw invalidUrl(
      'The connection URL names no user, and this process has no user name.',
      'Add it: postgres://bot@…',
    );
  }
}
