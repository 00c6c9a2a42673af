/** The two statements that end a prepared transaction: either is for good, so that no runbook does it. */
export function describeEnding(gid: string, database: string | null | undefined): string {
  const literal = `'${gid.replaceAll("'", "''")}'`;
  return [
    `In database ${database}, \`commit prepared ${literal}\` or \`rollback prepared ${literal}\` ends it; that is for a`,
    'person who knows what it was about, and no runbook does it.',
  ].join(' ');
}
