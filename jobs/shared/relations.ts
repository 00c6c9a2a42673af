/** What a runbook about a relation needs to tell it from its successor; `file` is its relfilenode, as text. */
export interface Relation {
  schema: string;
  name: string;
  oid: number;
  file: string;
}

/** The variables of a runbook's parameter `index` of type relation. */
export function indexParams(index: Relation & { tableOid: string | number }): Record<string, string> {
  const { schema, name, oid, file, tableOid } = index;
  return {
    index_schema: schema,
    index_name: name,
    index_oid: String(oid),
    index_file: file,
    index_table: String(tableOid),
  };
}

/** The variables of a runbook's parameter `table` of type relation: a table is its own. */
export function tableParams({ schema, name, oid, file }: Relation): Record<string, string> {
  return {
    table_schema: schema,
    table_name: name,
    table_oid: String(oid),
    table_file: file,
    table_table: String(oid),
  };
}

/** Below it is the server's own, which no runbook touches. */
export const firstOwnOid = 16_384;
