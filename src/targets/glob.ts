/**
 * Whether a name fits a pattern in which `*` stands for anything. Piece after piece and never back: a name that anybody
 * chooses can't make this slow.
 */
export function fitsGlob(name: string, glob: string): boolean {
  const [first = '', ...others] = glob.split(/\*+/);
  const last = others.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
