/** What every command line here has in common: strict options, no positionals, and the usage where something is not known. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { LocalError } from './local-error.js';

type OptionTypes = NonNullable<ParseArgsConfig['options']>;

/** @throws LocalError `unknown-option`, with what is wrong and the usage. */
export function parseOptions<const Options extends OptionTypes>(
  args: readonly string[],
  options: Options,
  usage: string,
) {
  try {
    return parseArgs({ args: [...args], strict: true, allowPositionals: false, options }).values;
  } catch (error) {
    const firstSentence = (error as Error).message.split('. ')[0] ?? '';
    throw new LocalError('unknown-option', `${firstSentence}.\n\n${usage}`);
  }
}
