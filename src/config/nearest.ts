/** `did you mean "x"?` for the candidate a slip of the keyboard away; undefined where none is near. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const nearest = findNearest(word, candidates);
  return nearest === null ? undefined : `did you mean ${JSON.stringify(nearest)}?`;
}

/** The candidate a slip of the keyboard away; null where none is near. */
export function findNearest(word: string, candidates: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(Math.min(word.length, 40) / 3));
  let best: { candidate: string; distance: number } | null = null;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && distance < (best?.distance ?? Infinity)) best = { candidate, distance };
  }
  return best?.candidate ?? null;
}

/** Levenshtein's, with two swapped neighbours as one slip. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const edits = [at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + (isSame ? 0 : 1)];
      if (isSwapped) edits.push(at(before, j - 2) + 1);
      next.push(Math.min(...edits));
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
