/** `lockstep pause | resume`: where homes stay as they are, whoever wants to move them, until a time or until resumed. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  awaitEnd,
  confirm,
  withReason,
  withTimeout,
  type ActingOptions,
  type AwaitingOptions,
} from './acting.js';
import { CliError } from './cli-error.js';
import { readDurationMs } from './duration.js';
import { print, table, tell } from './output.js';
import { askRole } from './role-call.js';

interface Pause {
  readonly pause: number;
  readonly scope: string;
  readonly until: string;
  readonly confirmed: boolean;
}

/** A pause that begins later. */
interface Window {
  readonly window: number;
  readonly scope: string;
  readonly from: string;
  readonly until: string;
}

/** As /v1/cluster tells it. */
export interface ListedWindow extends Window {
  readonly owner: string;
  readonly reason: string;
}

/** As /v1/cluster tells it. */
export interface ListedPause extends Pause {
  readonly owner: string;
  readonly reason: string;
}

interface PauseOptions extends AwaitingOptions {
  readonly from?: Date;
  readonly until?: Date;
  readonly for?: number;
}

const SCOPE = 'all, dataset:NAME, shard:DATASET/N or region:NAME';

export function addPauseCommands(program: Command): void {
  withTimeout(
    withReason(
      program
        .command('pause')
        .description('keep every home in a scope where it is')
        .argument('<scope>', SCOPE)
        .addOption(
          new Option('--from <time>', 'a maintenance window: it begins by itself then').argParser(readTime),
        )
        .addOption(new Option('--until <time>', 'such as 2026-11-21T20:00:00Z').argParser(readTime))
        .addOption(
          new Option('--for <duration>', 'such as 30m; s, m, h or d')
            .conflicts('until')
            .argParser(readDurationMs),
        ),
    ),
  ).action(pause);

  withReason(
    program.command('resume').description('end the pauses and windows of a scope').argument('<scope>', SCOPE),
  ).action(async (scope: string, options: ActingOptions) => {
    await confirm(options, () => `resume ${scope}?`);
    const { reason } = options;
    const answer = (await askRole('coordinator', '/v1/resume', options, { scope, reason })) as {
      readonly resumed: readonly number[];
    };
    print(answer, options, () => `Resumed ${scope}: ended ${answer.resumed.join(', ')}.`);
  });
}

/** Null: the coordinator does not know yet. */
export function describePauses(pauses: readonly ListedPause[] | null): string {
  if (pauses === null) return 'Pauses: ?';
  if (pauses.length === 0) return 'Nothing is paused.';
  return table(
    ['pause', 'scope', 'until', 'confirmed', 'owner', 'reason'],
    pauses.map((each) => [
      each.pause,
      each.scope,
      each.until,
      each.confirmed ? 'yes' : 'no',
      each.owner,
      each.reason,
    ]),
  );
}

/** What begins later; nothing when there is none. */
export function describeWindows(windows: readonly ListedWindow[]): readonly string[] {
  if (windows.length === 0) return [];
  const rows = windows.map((each) => [
    each.window,
    each.scope,
    each.from,
    each.until,
    each.owner,
    each.reason,
  ]);
  return [table(['window', 'scope', 'from', 'until', 'owner', 'reason'], rows)];
}

async function pause(scope: string, options: PauseOptions): Promise<void> {
  const { for: durationMs, from: begin, reason } = options;
  const end =
    durationMs === undefined ? options.until : new Date((begin?.getTime() ?? Date.now()) + durationMs);
  if (end === undefined) throw new CliError(2, 'Say how long: --until TIME or --for DURATION.');
  const until = end.toISOString();
  const from = begin?.toISOString();
  await confirm(options, () => `pause ${scope} ${from === undefined ? '' : `from ${from} `}until ${until}?`);
  const asked = { scope, reason, ...(from === undefined ? {} : { from }), until };
  const answer = (await askRole('coordinator', '/v1/pause', options, asked)) as Pause | Window;
  if ('window' in answer)
    print(
      answer,
      options,
      () => `Window ${answer.window}: ${answer.scope} is paused from ${answer.from} until ${answer.until}.`,
    );
  else await tellPause(answer, options);
}

async function tellPause(asked: Pause, options: PauseOptions): Promise<void> {
  const seen = asked.confirmed ? asked : await awaitConfirmation(asked, options);
  print(seen, options, () =>
    seen.confirmed
      ? `Paused ${seen.scope} until ${seen.until}: pause ${seen.pause}, confirmed.`
      : `Pause ${seen.pause} of ${seen.scope} is not confirmed.`,
  );
  if (!seen.confirmed)
    throw new CliError(
      1,
      `A move that was under way may still come about: npx lockstep status tells when pause ${seen.pause} is confirmed.`,
    );
}

function awaitConfirmation(asked: Pause, options: PauseOptions): Promise<Pause> {
  tell(`Pause ${asked.pause} is decided and not confirmed yet.`);
  return awaitEnd(
    options,
    async () => {
      const cluster = (await askRole('coordinator', '/v1/cluster', options)) as {
        readonly paused: readonly ListedPause[] | null;
      };
      return cluster.paused?.find(({ pause }) => pause === asked.pause) ?? asked;
    },
    ({ confirmed }) => confirmed,
  );
}

function readTime(text: string): Date {
  const time = new Date(text);
  if (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(time.getTime())
  )
    return time;
  throw new InvalidArgumentError('Expected a time with its zone, such as 2026-11-21T20:00:00Z.');
}
