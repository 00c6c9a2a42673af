import type { Judged } from '../src/model.ts';
import { inBytes } from './shared/sizes.ts';

/** One row of logical-replication.tables.sql, or of logical-replication.columns.sql. */
export interface PublishedTable {
  oid: number;
  schema: string;
  name: string;
  /** As SQL writes it, with its schema. */
  qualified: string;
  /** relreplident: its primary key, an index that was chosen, or nothing; or one that what is published does not fit. */
  identity: 'd' | 'i' | 'n' | 'unfit';
  sizeBytes: number;
  updates: boolean;
  deletes: boolean;
  publications: string[];
  /** That could be its replica identity as it is; quoted. */
  usableIndex: string | null;
}

/** Each is told by itself, up to here: a publication of all tables may find hundreds at once. */
const mostAlerts = 10;
const mostNamed = 50;
/** The limit of the statement. */
const maxRows = 1_000;

/** What is published in a database without anything by which a subscriber could tell a row. */
export interface Published {
  database: string;
  tables: readonly PublishedTable[];
}

/** The oldest tables first, so that a new one moves none of the others. */
export function judgePublished({ database, tables }: Published): Judged[] {
  const byAge = [...tables].sort((a, b) => a.oid - b.oid);
  const rest = byAge.slice(mostAlerts);
  return [...byAge.slice(0, mostAlerts).map(judgeTable), ...(rest.length > 0 ? [judgeRest(rest, database)] : [])];
}

function judgeTable(table: PublishedTable): Judged {
  const { schema, name, oid, qualified, sizeBytes, publications, usableIndex, updates, deletes } = table;
  return {
    database: null,
    fingerprint: qualified,
    severity: 'warning',
    title: `${actionsOf(table)} of ${qualified} fail: it is published and ${titles[table.identity]}`,
    summary: [
      `${causes[table.identity]}, so a subscriber could not tell which row is meant, and PostgreSQL refuses the statement.`,
      `Published by ${publications.join(', ')}. ${inBytes(sizeBytes)}. Inserts go on.`,
      cureOf(table),
    ].join('\n'),
    subject: { kind: 'table', schema, name, oid, table: qualified },
    facts: { publications, updates, deletes, identity: table.identity, usableIndex, sizeBytes },
    runbooks: [],
    impact: { what: `${actionsOf(table)} fail in the application`, etaSeconds: null },
  };
}

const none = 'has no replica identity';
const titles: Readonly<Record<PublishedTable['identity'], string>> = {
  d: none,
  i: none,
  n: none,
  unfit: 'its replica identity does not fit',
};

const causes: Readonly<Record<PublishedTable['identity'], string>> = {
  d: 'It has no primary key that is valid and not deferrable',
  i: 'The index that was its replica identity is gone, or cannot be used',
  n: 'It is told to have none (replica identity nothing)',
  unfit: 'Columns that are left out belong to its replica identity, or the row filter looks at others',
};

function cureOf({ qualified, identity, usableIndex }: PublishedTable): string {
  if (identity === 'unfit')
    return 'Publish all columns of its replica identity, and filter by these alone: alter publication … set table …;';
  if (usableIndex) return `alter table ${qualified} replica identity using index ${usableIndex};`;
  return `alter table ${qualified} add primary key (…); or, which writes each old row to the WAL as a whole: alter table ${qualified} replica identity full;`;
}

function actionsOf({ updates, deletes }: PublishedTable): string {
  return [updates ? 'updates' : '', deletes ? 'deletes' : ''].filter(Boolean).join(' and ');
}

function judgeRest(rest: readonly PublishedTable[], database: string): Judged {
  const named = rest.slice(0, mostNamed).map(({ qualified }) => qualified);
  return {
    database: null,
    fingerprint: 'more published tables',
    severity: 'warning',
    title: 'more published tables have no replica identity, so their updates or deletes fail',
    summary: `${rest.length}${rest.length + mostAlerts >= maxRows ? ' or more' : ''} besides those that are told by themselves.`,
    evidence: [...named, ...(rest.length > mostNamed ? [`… ${rest.length - mostNamed} more`] : [])].join('\n'),
    subject: { kind: 'database', name: database },
    facts: { tables: rest.length },
    runbooks: [],
    impact: { what: 'updates or deletes fail in the application', etaSeconds: null },
  };
}
