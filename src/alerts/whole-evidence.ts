import type { Finding } from '../model.ts';
import { addThreadLine, type CardRef } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';

/** So much of monospaced text fits into a thread's line also when half of it has to be escaped. */
const chunkCharacters = 600;

/** What a card has no room for goes into its thread, in pieces of whole lines. */
export async function tellWholeEvidence(db: Queryable, card: CardRef, finding: Finding): Promise<void> {
  for (const lines of chunk(finding.wholeEvidence?.split('\n') ?? [])) await addThreadLine(db, card, [{ lines }]);
}

function chunk(lines: readonly string[]): string[] {
  const chunks: string[] = [];
  for (const line of lines) {
    const last = chunks.at(-1);
    if (last !== undefined && last.length + line.length < chunkCharacters)
      chunks[chunks.length - 1] = `${last}\n${line}`;
    else chunks.push(line);
  }
  return chunks;
}
