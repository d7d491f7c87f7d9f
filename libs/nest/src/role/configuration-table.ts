/**
 * The table of role configuration in the root README, generated from the schema, so that it cannot tell something else.
 */
import { variableMeanings } from './configuration.js';

const BEGIN = '<!-- configuration:begin -->';
const END = '<!-- configuration:end -->';

/** The Markdown between the markers. */
export function configurationTable(): string {
  const rows = variableMeanings().map(({ name, values, fallback, meaning }) => [
    `\`${name}\``,
    fallback ?? 'must be set',
    values,
    meaning,
  ]);
  return [['Variable', 'Default', 'Values', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** The page with the present table between its markers. @throws Error when it has not exactly one pair of them. */
export function withConfigurationTable(page: string): string {
  const { before, after } = splitAtMarkers(page);
  return `${before}${BEGIN}\n\n${configurationTable()}\n\n${END}${after}`;
}

/** True when the page shows the present table; how its columns are padded does not matter. */
export function configurationTableIsCurrent(page: string): boolean {
  return unpadded(splitAtMarkers(page).table) === unpadded(configurationTable());
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
