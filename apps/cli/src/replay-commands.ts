/**
 * `lockstep decisions replay | export`: the control log is folded here, record by record, and every decision in it is judged
 * again from what was recorded with it (I15). The coordinator that hands the records out is believed in nothing else.
 */
import {
  controlPageJson,
  NOTHING_REPLAYED,
  replayDecisions,
  type ControlPage,
  type DecisionDifference,
  type Judgement,
  type Replay,
} from '@lockstep/protocol';
import { Option, type Command } from 'commander';
import { CliError } from './cli-error.js';
import { controlPages, type PagesOptions } from './control-pages.js';
import { print, tell } from './output.js';
import { withAddress, type AddressOptions } from './role-call.js';

export function addReplayCommands(decisions: Command): void {
  withAddress(decisions.command('replay').description('judge every decision of the control log again'))
    .addOption(
      new Option('--file <file>', 'a log that `export` wrote, instead of a coordinator').conflicts([
        'url',
        'region',
        'data',
      ]),
    )
    .action(replay);
  withAddress(
    decisions.command('export').description('the control log as it stands, page by page in lines of JSON'),
  ).action(async (options: AddressOptions) => {
    for await (const page of controlPages(options)) console.log(JSON.stringify(controlPageJson(page)));
  });
}

async function replay(options: PagesOptions): Promise<void> {
  let replayed = NOTHING_REPLAYED;
  let first: ControlPage | null = null;
  let last: ControlPage | null = null;
  for await (const page of controlPages(options)) {
    first ??= page;
    last = page;
    replayed = replayDecisions(page.records, replayed);
    if (page.nextOffset < page.endOffset) tell(`offset ${page.nextOffset} of ${page.endOffset}`);
  }
  const { differences, entries, unfolded } = replayed;
  if (entries === 0 && unfolded > 0)
    throw new CliError(
      2,
      `The control log begins at offset ${first!.startOffset} and holds no snapshot: nothing in it can be judged again.`,
    );
  const told = describe(replayed, first!, last!);
  print(told, options, () => [sentenceOf(told), ...differences.map(paragraphOf)].join('\n'));
  if (differences.length > 0)
    throw new CliError(1, `The replay differs from the log in ${differences.length} places.`);
}

function describe(
  { compared, decisions, differences, entries, terms, unfolded }: Replay,
  first: ControlPage,
  last: ControlPage,
) {
  return {
    log: first.log,
    fromOffset: String(first.fromOffset),
    nextOffset: String(last.nextOffset),
    entries,
    unfolded,
    terms,
    decisions,
    compared,
    differences: differences.map(({ at, offset, ...difference }) => ({
      at: Number(at),
      offset: String(offset),
      ...difference,
    })),
  };
}

function sentenceOf({
  compared,
  decisions,
  differences,
  entries,
  fromOffset,
  nextOffset,
  terms,
  unfolded,
}: ReturnType<typeof describe>): string {
  const lines = [
    `${entries} entries from offset ${fromOffset} to ${nextOffset}, ${terms} terms: ${decisions} decisions judged again, ${compared} of them compared with the log before them.`,
  ];
  if (unfolded > 0)
    lines.push(
      `${unfolded} entries were not folded: they stand before the first snapshot, or behind a state that differs.`,
    );
  if (differences.length === 0) lines.push('No difference.');
  return lines.join('\n');
}

const paragraphOf = ({ at, code, detail, offset, recorded, recomputed }: DecisionDifference): string =>
  [
    `${code} at ${at} (offset ${offset}): ${detail}`,
    ...(recorded === null ? [] : [`  recorded:   ${judgementOf(recorded)}`]),
    ...(recomputed === null ? [] : [`  recomputed: ${judgementOf(recomputed)}`]),
  ].join('\n');

const judgementOf = ({ inputs, refusedBy }: Judgement): string =>
  `${refusedBy.length === 0 ? 'decided' : `refused by ${refusedBy.join(', ')}`}, from ${JSON.stringify(inputs)}`;
