/** One row of wraparound.sql. */
export interface AgedDatabase {
  name: string;
  takesConnections: boolean;
  xidAge: number;
  mxidAge: number;
  /** From this age on autovacuum freezes, even where it is off. */
  xidForcedAt: number;
  mxidForcedAt: number;
  isAutovacuumOn: boolean;
  nextXid: number;
  nextMultixact: number;
  sharersAtMost: number;
  mayListFiles: boolean;
}

/** One row of wraparound.holders.sql. */
export interface AgeHolder {
  kind: 'session' | 'standby' | 'slot' | 'prepared';
  name: string;
  who: string | null;
  ageXids: number;
}

/** One row of wraparound.tables.sql, of the database that it was asked in. */
export interface AgedTable {
  database: string;
  name: string;
  isToast: boolean;
  xidAge: number;
  mxidAge: number;
  sizeBytes: number;
}

export interface AgeFacts {
  databases: readonly AgedDatabase[];
  holders: readonly AgeHolder[];
  tables: readonly AgedTable[];
  /** Null where the role may not list files. */
  members: number | null;
}

/** There are as many ids in each direction; the last 3 million are kept back for who mends it. */
export const allIds = 2 ** 31;
export const stopsAt = allIds - 3_000_000;

export interface Counter {
  kind: 'xid' | 'mxid';
  what: string;
  age(database: AgedDatabase): number;
  ageOfTable(table: AgedTable): number;
  forcedAt(database: AgedDatabase): number;
  next(database: AgedDatabase): number;
}

export const counters: readonly Counter[] = [
  {
    kind: 'xid',
    what: 'transaction ids',
    age: ({ xidAge }) => xidAge,
    ageOfTable: ({ xidAge }) => xidAge,
    forcedAt: ({ xidForcedAt }) => xidForcedAt,
    next: ({ nextXid }) => nextXid,
  },
  {
    kind: 'mxid',
    what: 'multixact ids',
    age: ({ mxidAge }) => mxidAge,
    ageOfTable: ({ mxidAge }) => mxidAge,
    forcedAt: ({ mxidForcedAt }) => mxidForcedAt,
    next: ({ nextMultixact }) => nextMultixact,
  },
];

/** Where a counter stands, and where it goes. */
export interface Course {
  oldest: AgedDatabase;
  age: number;
  forcedAt: number;
  /** Ids a second, and until when they last if nothing is frozen; null where the past is not known. */
  rate: number | null;
  etaSeconds: number | null;
  isFalling: boolean;
}
