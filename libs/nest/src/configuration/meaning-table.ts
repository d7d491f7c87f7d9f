/**
 * Tables of configuration in pages, generated from the schemas, so that they cannot tell something else.
 */
import type { NamedMeaning } from './described-schema.js';

const BEGIN = '<!-- configuration:begin -->';
const END = '<!-- configuration:end -->';

/** The Markdown between the markers. */
export function meaningTable(heading: string, meanings: readonly NamedMeaning[]): string {
  const rows = meanings.map(({ name, values, fallback, meaning }) => [
    `\`${name}\``,
    fallback ?? 'must be set',
    values,
    meaning,
  ]);
  return [[heading, 'Default', 'Values', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** The page with the table between its markers. @throws Error when it has not exactly one pair of them. */
export function withTable(page: string, table: string): string {
  const { before, after } = splitAtMarkers(page);
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}

/** True when the page shows the table; how its columns are padded does not matter. */
export function showsTable(page: string, table: string): boolean {
  return unpadded(splitAtMarkers(page).table) === unpadded(table);
}

function splitAtMarkers(page: string): {
  readonly before: string;
  readonly table: string;
  readonly after: string;
} {
  const [before, rest, ...more] = page.split(BEGIN);
  const [table, after, ...others] = rest?.split(END) ?? [];
  if (
    before === undefined ||
    table === undefined ||
    after === undefined ||
    more.length > 0 ||
    others.length > 0
  ) {
    throw new Error(`The page needs one pair of markers: ${BEGIN} and, after it, ${END}.`);
  }
  return { before, table, after };
}

const unpadded = (table: string): string => table.trim().replaceAll(/-{3,}/g, '---').replaceAll(/ +/g, ' ');
