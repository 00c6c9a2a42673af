import { relationOf, statementsOf } from '../plan.ts';
import { type ActKind, actsOf } from './act-kind.ts';
import { type GuardInput, no, type Verdict, yes } from './verdict.ts';

/** The role that acts, its name as the server quotes it, and how it stands to a role whose rights it needs. */
export interface Membership {
  role: string;
  version: number;
  isMember: boolean;
  /** Before 16 a property of the role, since then of each of its memberships. */
  inherits: boolean;
}

/** What gives a role the rights of another: to a member which does not inherit them, the same grant again gives nothing. */
export function adviseGrant(granted: string, { role, version, isMember, inherits }: Membership): string {
  if (!isMember) return `grant ${granted} to ${role}`;
  const found = `it is a member of ${granted} and does not inherit its rights (NOINHERIT)`;
  if (version >= 160_000) return `${found}: grant ${granted} to ${role} with inherit true`;
  return `${found}: ${inherits ? `grant ${granted} to ${role}` : `alter role ${role} inherit`}`;
}

interface Rights extends Membership {
  /** Names as the server quotes them. */
  owner: string;
  schema: string;
  tablespace: string | null;
  name: string;
  tableName: string;
  isOwnerSuperuser: boolean;
  owns: boolean;
  ownsDatabase: boolean;
  maintains: boolean;
  usesSchema: boolean;
  createsInSchema: boolean;
  createsInTablespace: boolean;
}

const rightsSql = `
  -- What may this role do with that relation? MAINTAIN is a word since 17; usage is membership whose rights are inherited.
  select quote_ident(current_user) as role, quote_ident(o.rolname) as owner, quote_ident(n.nspname) as schema,
    quote_ident(s.spcname) as tablespace, format('%I.%I', n.nspname, c.relname) as name,
    format('%I.%I', tn.nspname, t.relname) as "tableName", current_setting('server_version_num')::int as version,
    o.rolsuper as "isOwnerSuperuser",
    pg_has_role(current_user, c.relowner, 'usage') as owns, pg_has_role(current_user, c.relowner, 'member') as "isMember",
    (select me.rolinherit from pg_catalog.pg_roles me where me.rolname = current_user) as inherits,
    pg_has_role(current_user, d.datdba, 'usage') as "ownsDatabase",
    case when current_setting('server_version_num')::int >= 170000 then has_table_privilege(t.oid, 'MAINTAIN')
         else false end as maintains,
    has_schema_privilege(n.oid, 'usage') as "usesSchema", has_schema_privilege(n.oid, 'create') as "createsInSchema",
    coalesce(has_tablespace_privilege(s.oid, 'create'), true) as "createsInTablespace"
  from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_roles o on o.oid = c.relowner
    join pg_catalog.pg_database d on d.datname = current_database()
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class t on t.oid = coalesce(i.indrelid, c.oid)
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    -- None where it lies in the database's own, for which nobody needs a right.
    left join pg_catalog.pg_tablespace s on s.oid = c.reltablespace
  where c.oid = $1::oid`;

/** Asked before the act: for a VACUUM that it may not do the server says OK and a warning. */
export async function mayAct({ session, plan }: GuardInput): Promise<Verdict | null> {
  const relation = relationOf(plan);
  if (!relation) return null;
  const { rows } = await session.query(rightsSql, [relation.oid]);
  const rights = rows[0] as unknown as Rights | undefined;
  if (!rights) return no(`cannot judge what the action role may do: ${relation.schema}.${relation.name} is gone`);
  const isUndone = statementsOf(plan, 'undo').length > 0;
  const why = actsOf(plan).map((kind) => whyNotAllowed(kind, rights, isUndone));
  const first = why.find((one) => one !== null);
  return first === undefined ? yes(`${rights.role} may do it`) : no(first as string);
}

/** Pure; the statement that would let it comes last. */
function whyNotAllowed(kind: ActKind, rights: Rights, isUndone: boolean): string | null {
  const { role, name, schema } = rights;
  if (kind === 'other') return `cannot judge which rights this act needs on ${name}: no guard knows its statement`;
  if (!rights.usesSchema) return `${role} may not use the schema ${schema}: grant usage on schema ${schema} to ${role}`;
  const isMaintained = (kind === 'vacuum' || kind === 'analyze') && (rights.ownsDatabase || rights.maintains);
  if (!rights.owns && !isMaintained) return whyNotOwner(kind, rights);
  if (kind === 'create-index' && !rights.createsInSchema) return whyNotCreated('schema', rights);
  return kind === 'drop-index' && isUndone ? whyNotMadeAgain(rights) : null;
}

const toDo: Record<Exclude<ActKind, 'other'>, string> = {
  reindex: 'rebuild',
  'create-index': 'index',
  'drop-index': 'drop',
  vacuum: 'vacuum',
  analyze: 'analyze',
  alter: 'alter',
};

function whyNotOwner(kind: Exclude<ActKind, 'other'>, rights: Rights): string {
  const { role, owner, name, tableName } = rights;
  const what = `${role} may not ${toDo[kind]} ${name}, which belongs to ${owner}`;
  if (rights.isMember) return `${what}: ${adviseGrant(owner, rights)}`;
  if ((kind === 'vacuum' || kind === 'analyze') && rights.version >= 170_000)
    return `${what}: grant maintain on ${tableName} to ${role}`;
  if (rights.isOwnerSuperuser)
    return `${what}, a superuser, whom no action role should be a member of: alter table ${tableName} owner to <a role without it>, and grant that role to ${role}`;
  const left = `${role} may rebuild ${name}, and could not drop what a stopped rebuild leaves behind`;
  return `${kind === 'reindex' && rights.maintains ? left : what}: grant ${owner} to ${role}`;
}

function whyNotMadeAgain(rights: Rights): string | null {
  if (!rights.createsInSchema) return whyNotCreated('schema', rights);
  return rights.createsInTablespace ? null : whyNotCreated('tablespace', rights);
}

function whyNotCreated(where: 'schema' | 'tablespace', rights: Rights): string {
  const { role, name } = rights;
  const found = `${role} could not make the index again or anew, in the ${where} of ${name}`;
  return `${found}: grant create on ${where} ${rights[where]} to ${role}`;
}
