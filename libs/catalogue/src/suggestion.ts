/** The known word that an unknown one was probably meant to be; null when none is near. */
export function nearestWord(word: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** What to write instead: the known word that is near, else the list of known words. */
export function nearestOrKnown(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  if (nearest !== null) return `write \`${nearest}\``;
  return known.length === 0 ? 'remove it' : `use one of ${known.join(', ')}`;
}

/** Insertions, deletions, replacements and swaps of neighbours between two short words. */
function editDistance(from: string, to: string): number {
  let earlier: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1];
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      next.push(
        Math.min(
          row[j - 1]! + (same ? 0 : 1),
          row[j]! + 1,
          next[j - 1]! + 1,
          swapped ? earlier[j - 2]! + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    earlier = row;
    row = next;
  }
  return row[to.length]!;
}
