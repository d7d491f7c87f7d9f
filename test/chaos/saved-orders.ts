/** What writers save: transaction n of a writer saves its first 1 to 5 rows, all in one shard, with the total n. */
const ROWS_MAX = 5;
/** Every ninth is rolled back after its saves. */
const ROLLED_BACK_EACH = 9;

export const isRolledBack = (transaction: number): boolean => transaction % ROLLED_BACK_EACH === 0;

/** Ids of the rows; the first one is in every transaction. */
export const savedBy = (writer: number, transaction: number): readonly string[] =>
  Array.from({ length: 1 + (transaction % ROWS_MAX) }, (_, index) => `eu:writer-${writer}/${index}`);

/** The totals that stand behind so many transactions, and how many saves were committed. */
export function saved(
  writer: number,
  transactions: number,
): { readonly totals: ReadonlyMap<string, number>; readonly saves: number } {
  const totals = new Map<string, number>();
  let saves = 0;
  for (let transaction = 1; transaction <= transactions; transaction += 1) {
    if (isRolledBack(transaction)) continue;
    const ids = savedBy(writer, transaction);
    saves += ids.length;
    for (const id of ids) totals.set(id, transaction);
  }
  return { totals, saves };
}
