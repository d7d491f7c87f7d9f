/**
 * `lockstep quarantine [list | show | reapply | discard]`: what did not take effect where it was written. Late writes of former
 * homes are kept alike in every region; an entry of an outbox that was undone is kept by the region that was its home, and that
 * region's gateway is asked about it.
 */
import type { Command } from 'commander';
import { confirm, withActor, withReason, type ActorOption, type ActingOptions } from './acting.js';
import { CliError } from './cli-error.js';
import { print, table } from './output.js';
import { askRole, withAddress, type AddressOptions } from './role-call.js';

interface QuarantineView {
  readonly region: string;
  readonly attempts: readonly {
    readonly shard: string;
    readonly sequence: number;
    readonly region: string;
    readonly epoch: number;
    readonly shardEpoch: number;
    readonly key: string;
    readonly at: string;
    readonly idempotencyKeyHash: string | null;
    readonly outcome: Outcome | null;
  }[];
  /** Not of a gateway from before people could settle them. */
  readonly undone?: readonly UndoneEntry[];
}

interface Outcome {
  readonly verdict: string;
  readonly sequence: number;
}

interface UndoneEntry {
  readonly id: string;
  readonly shard: string;
  readonly key: string;
  readonly reason: string;
  readonly storedAt: string;
  readonly asked: { readonly by: string; readonly at: string } | null;
  readonly settled: {
    readonly as: 'accepted' | 'rejected' | 'discarded';
    readonly why: string;
    readonly sequence: number | null;
    readonly by: string;
    readonly at: string;
  } | null;
  readonly outcome: Outcome | null;
}

interface UndoneEntryInFull extends UndoneEntry {
  readonly region: string;
  readonly events: readonly { readonly key: string; readonly type: string; readonly data: unknown }[];
  readonly changes: readonly {
    readonly table: string;
    readonly key: string;
    readonly before: unknown;
    readonly after: unknown;
  }[];
  readonly would?: 'reapply' | 'accepted' | 'rejected' | 'discarded';
}

interface ListOptions extends AddressOptions {
  readonly limit?: string;
}

interface ReapplyOptions extends AddressOptions, ActorOption {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

interface DiscardOptions extends ActingOptions, ActorOption {
  readonly dryRun?: boolean;
}

const PLACE = 'a dataset, or a shard such as accounts/0; without it all';
const ENTRY = 'its idempotency key, as `lockstep quarantine list` tells it';

export function addQuarantineCommands(program: Command): void {
  const quarantine = withAddress(
    program
      .command('quarantine')
      .description('late writes of former homes, newest first, and undone entries of an outbox')
      .argument('[place]', PLACE)
      .option('--limit <count>', 'how many of each at most (100)'),
  ).action(showBoth);

  withAddress(
    quarantine
      .command('list')
      .description('entries of an outbox that were undone, those that nobody has settled first')
      .argument('[place]', PLACE)
      .option('--limit <count>', 'how many at most (100)'),
  ).action(async (place: string | undefined, options: ListOptions) => {
    const { region, undone = [] } = await readQuarantine(place, options);
    print({ region, undone }, options, () => wordsOfUndone(region, undone));
  });

  withAddress(
    quarantine
      .command('show')
      .description('one of them, with its events and rows')
      .argument('<entry>', ENTRY),
  ).action(async (entry: string, options: AddressOptions) => {
    const told = await ofEntry(entry, '', options);
    print(told, options, () => wordsOfEntry(told));
  });

  withActor(
    withAddress(
      quarantine
        .command('reapply')
        .description('writes it again under its own key at the present home; asked again it has one effect')
        .argument('<entry>', ENTRY)
        .option('--yes', 'act without asking')
        .option('--dry-run', 'show what would be done, and do nothing'),
    ),
  ).action(reapply);

  withActor(
    withReason(
      quarantine
        .command('discard')
        .description('settles it without any effect')
        .argument('<entry>', ENTRY)
        .option('--dry-run', 'show what would be discarded, and discard nothing'),
    ),
  ).action(async (entry: string, options: DiscardOptions) => {
    const { as: actor, dryRun = false, reason } = options;
    if (!dryRun)
      await confirm(options, async () => {
        const told = await ofEntry(entry, '', options);
        return `${wordsOfEntry(told)}\n\ndiscard it for good?`;
      });
    const told = await ofEntry(entry, '/discard', options, { reason, actor, dryRun });
    print(told, options, () =>
      dryRun ? `${wordsOfEntry(told)}\n\nIt would be discarded.` : `${entry}: ${wordsOfSettled(told)}.`,
    );
  });
}

async function reapply(entry: string, options: ReapplyOptions): Promise<void> {
  const { as: actor, dryRun = false } = options;
  if (!dryRun)
    await confirm({ ...options, reason: '' }, async () => {
      const told = await ofEntry(entry, '', options);
      return `${wordsOfEntry(told)}\n\nwrite it again?`;
    });
  const told = await ofEntry(entry, '/reapply', options, { actor, dryRun });
  print(told, options, () => {
    if (told.would === undefined) return `${entry}: ${wordsOfSettled(told)}.`;
    const would = told.would === 'reapply' ? 'It would be written again' : `Its key is ${told.would} already`;
    return `${wordsOfEntry(told)}\n\n${would}.`;
  });
  if (dryRun) return;
  const { settled } = told;
  if (settled === null)
    throw new CliError(1, `What became of ${entry} is not known yet: ask again, it has one effect at most.`);
  if (settled.as !== 'accepted')
    throw new CliError(1, `${entry} was rejected (${settled.why}): save anew what is missing.`);
}

async function showBoth(place: string | undefined, options: ListOptions): Promise<void> {
  const view = await readQuarantine(place, options);
  const { attempts, region, undone = [] } = view;
  const fateOf = ({ idempotencyKeyHash, outcome }: QuarantineView['attempts'][number]): string => {
    if (outcome !== null) return `${outcome.verdict} at ${outcome.sequence}`;
    return idempotencyKeyHash === null ? 'it had none' : 'none yet';
  };
  print(view, options, () =>
    [
      attempts.length === 0
        ? `${region} keeps no late write of a former home.`
        : table(
            ['at', 'shard', 'sequence', 'written by', 'epoch', 'then', 'first key', 'outcome of its key'],
            attempts.map((attempt) => [
              attempt.at,
              attempt.shard,
              attempt.sequence,
              attempt.region,
              attempt.epoch,
              attempt.shardEpoch,
              attempt.key,
              fateOf(attempt),
            ]),
          ),
      ...(undone.length === 0
        ? []
        : [`Undone entries of an outbox, kept by ${region}:`, wordsOfUndone(region, undone)]),
    ].join('\n'),
  );
}

async function readQuarantine(place: string | undefined, options: ListOptions): Promise<QuarantineView> {
  const query = new URLSearchParams();
  if (place !== undefined) query.set(place.includes('/') ? 'shard' : 'dataset', place);
  if (options.limit !== undefined) query.set('limit', options.limit);
  return (await askRole('gateway', `/v1/quarantine?${query.toString()}`, options)) as QuarantineView;
}

const ofEntry = async (
  entry: string,
  act: '' | '/reapply' | '/discard',
  options: AddressOptions,
  body?: object,
): Promise<UndoneEntryInFull> =>
  (await askRole(
    'gateway',
    `/v1/quarantine/${encodeURIComponent(entry)}${act}`,
    options,
    body,
  )) as UndoneEntryInFull;

const wordsOfUndone = (region: string, undone: readonly UndoneEntry[]): string =>
  undone.length === 0
    ? `${region} keeps no undone entry of an outbox.`
    : table(
        ['entry', 'stored at', 'shard', 'first key', 'undone because', 'settled'],
        undone.map((entry) => [
          entry.id,
          entry.storedAt,
          entry.shard,
          entry.key,
          entry.reason,
          wordsOfSettled(entry),
        ]),
      );

function wordsOfSettled({ asked, outcome, settled }: UndoneEntry): string {
  if (settled !== null) {
    const at = settled.sequence === null ? '' : ` at ${settled.sequence}`;
    const why = settled.why === settled.as ? '' : ` (${settled.why})`;
    return `${settled.as}${at}${why}, by ${settled.by}`;
  }
  if (outcome !== null) return `not yet; its key is ${outcome.verdict} at ${outcome.sequence}`;
  return asked === null ? 'not yet' : `not known; asked for by ${asked.by} at ${asked.at}`;
}

const wordsOfEntry = (entry: UndoneEntryInFull): string =>
  [
    `${entry.id} of ${entry.shard}, stored in ${entry.region} at ${entry.storedAt}, undone: ${entry.reason}`,
    `settled: ${wordsOfSettled(entry)}`,
    table(
      ['event', 'key', 'data'],
      entry.events.map(({ data, key, type }) => [type, key, JSON.stringify(data)]),
    ),
    table(
      ['row', 'before', 'after'],
      entry.changes.map(({ after, before, key, table: name }) => [
        `${name} ${key}`,
        JSON.stringify(before),
        JSON.stringify(after),
      ]),
    ),
  ].join('\n');
