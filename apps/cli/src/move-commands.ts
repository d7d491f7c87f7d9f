/**
 * `lockstep switchover | failover | evacuate | preflight | cancel | decisions`: where shards have their homes, through a
 * coordinator. What it has decided goes on whether or not somebody waits for it here.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  awaitEnd,
  confirm,
  withActor,
  withReason,
  withTimeout,
  type ActingOptions,
  type ActorOption,
  type AwaitingOptions,
} from './acting.js';
import { CliError } from './cli-error.js';
import {
  wordsOfDecisions,
  wordsOfPrediction,
  type Approval,
  type Decision,
  type Governed,
  type Predicted,
} from './decision-words.js';
import { print, table, tell } from './output.js';
import { addReplayCommands } from './replay-commands.js';
import {
  askRole,
  callRole,
  isRefusal,
  shardInPath,
  refusalIn,
  withAddress,
  type AddressOptions,
  type RoleAnswer,
} from './role-call.js';

interface Check {
  readonly code: string;
  readonly passed: boolean;
  readonly detail: string;
  readonly next: string;
}

interface Preflight extends Predicted {
  readonly shard: string;
  readonly from: string;
  readonly to: string;
  readonly move: string;
  readonly allowed: boolean;
  readonly checks: readonly Check[];
  /** Why the loss is what it is. */
  readonly loss: string;
  /** Why the expected time is not known; null when it is. */
  readonly expectedUnknown: string | null;
}

interface UnknownDecision {
  readonly decision: null;
}

interface Evacuation {
  readonly evacuation: number | null;
  readonly region: string;
  readonly shards: readonly {
    readonly shard: string;
    readonly to: string;
    readonly decision: number | null;
    readonly outcome: string | null;
  }[];
}

interface MoveOptions extends AwaitingOptions, ActorOption {
  readonly dryRun?: boolean;
  readonly acceptLoss?: boolean;
}

interface EvacuateOptions extends AwaitingOptions {
  readonly dryRun?: boolean;
  readonly failover?: boolean;
  readonly concurrency?: number;
}

/** How long a coordinator may keep its first answer back: so that the first stages are seen while they are new. */
const FIRST_ANSWER_MS_MAX = 2_000;

export function addMoveCommands(program: Command): void {
  withMove(program.command('switchover').description('move a shard to another home, without loss')).action(
    (shard: string, to: string, options: MoveOptions) => moveShard('switchover', shard, to, options),
  );
  withActor(withMove(program.command('failover').description('move a shard away from a home that is lost')))
    .option(
      '--accept-loss',
      'take the loss of what the next home lacks; needs the approval of another person',
    )
    .action((shard: string, to: string, options: MoveOptions) => moveShard('failover', shard, to, options));

  withTimeout(
    withReason(
      program
        .command('evacuate')
        .description('move every shard away from a region')
        .argument('<from>', 'the region')
        .option('--failover', 'without the region, because it is lost')
        .addOption(
          new Option('--concurrency <n>', 'moves under way at once (2)').argParser((text) => {
            if (/^\d{1,2}$/.test(text)) return Number(text);
            throw new InvalidArgumentError('Expected a whole number.');
          }),
        )
        .option('--dry-run', 'show what would be moved, and move nothing'),
    ),
  ).action(evacuate);

  withAddress(
    program
      .command('preflight')
      .description('what a move would cost, and whether it is allowed')
      .argument('<shard>', 'such as accounts/0')
      .argument('<to>', 'the region that would be its home')
      .option('--failover', 'without its home of now'),
  ).action(async (shard: string, to: string, options: AddressOptions & { readonly failover?: boolean }) => {
    const move = options.failover === true ? 'failover' : 'switchover';
    const query = new URLSearchParams({ shard, to, move }).toString();
    showPreflight((await askRole('coordinator', `/v1/preflight?${query}`, options)) as Preflight, options);
  });

  withTimeout(
    withReason(
      program
        .command('cancel')
        .description('end a move that is under way; before its fence everything is as before')
        .argument('<decision>', 'its number'),
    ),
  ).action(cancel);

  const decisions = program
    .command('decisions')
    .description('what was decided about homes and what was not, with its reasons, newest first')
    .argument('[shard]', 'of this shard only');
  addReplayCommands(decisions);
  withAddress(decisions).action(async (shard: string | undefined, options: AddressOptions) => {
    const query = shard === undefined ? '' : `?${new URLSearchParams({ shard }).toString()}`;
    const answer = (await askRole('coordinator', `/v1/decisions${query}`, options)) as {
      readonly decisions: readonly Decision[];
      readonly governed?: readonly Governed[];
      readonly approvals?: readonly Approval[];
    };
    const { approvals = [], decisions: moves, governed = [] } = answer;
    print(answer, options, () => wordsOfDecisions(moves, governed, approvals));
  });
}

const withMove = (command: Command): Command =>
  withTimeout(
    withReason(
      command
        .argument('<shard>', 'such as accounts/0')
        .argument('<to>', 'the region that shall be its home')
        .option('--dry-run', 'show what would be checked, and move nothing'),
    ),
  );

async function moveShard(
  move: 'switchover' | 'failover',
  shard: string,
  to: string,
  options: MoveOptions,
): Promise<void> {
  const path = `/v1/shards/${shardInPath(shard)}/${move}`;
  const { acceptLoss, as: actor, reason } = options;
  const asked = {
    to,
    reason,
    ...(acceptLoss === true ? { acceptLoss } : {}),
    ...(actor === undefined ? {} : { actor }),
  };
  const rehearse = async (): Promise<Preflight> =>
    (await askRole('coordinator', path, options, { ...asked, dryRun: true })) as Preflight;
  if (options.dryRun === true) return showPreflight(await rehearse(), options);

  await confirm(options, async () => {
    const preflight = await rehearse();
    if (!preflight.allowed) showPreflight(preflight, options);
    tell(costOf(preflight));
    return `move ${shard} from ${preflight.from} to ${to}?`;
  });
  const answer = await callRole('coordinator', path, options, { ...asked, ...firstAnswer(options) });
  const decision = decisionIn(answer, options);
  if (decision.decision === null) throw notKnown(`npx lockstep decisions ${shard}`);
  const ended = await awaitDecision(decision, options);
  print(ended, options, () => sentenceOf(ended));
  if (ended.outcome === null) throw stillUnderWay(ended, options);
  if (ended.outcome !== 'done')
    throw new CliError(1, `${shard} was not moved to ${to}: the decision ended as ${ended.outcome}.`);
}

async function cancel(number: string, options: AwaitingOptions): Promise<void> {
  if (!/^[1-9]\d{0,15}$/.test(number))
    throw new CliError(2, `A decision is named by its number, not by ${number}: npx lockstep decisions`);
  await confirm(options, () => `cancel decision ${number}?`);
  const path = `/v1/decisions/${number}/cancel`;
  const { reason } = options;
  const decision = (await askRole('coordinator', path, options, { reason })) as Decision;
  const ended = await awaitDecision(decision, options);
  print(ended, options, () => sentenceOf(ended));
  if (ended.outcome === null) throw stillUnderWay(ended, options);
  if (ended.outcome !== 'cancelled')
    throw new CliError(1, `Decision ${number} was not cancelled: it ended as ${ended.outcome}.`);
}

async function evacuate(region: string, options: EvacuateOptions): Promise<void> {
  const path = `/v1/regions/${encodeURIComponent(region)}/evacuate`;
  const { concurrency, failover, reason } = options;
  const asked = {
    reason,
    ...(failover === true ? { move: 'failover' } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
  const rehearse = async (): Promise<Evacuation> =>
    (await askRole('coordinator', path, options, { ...asked, dryRun: true })) as Evacuation;
  if (options.dryRun === true) {
    const plan = await rehearse();
    return print(plan, options, () => evacuationTable(plan));
  }

  await confirm(options, async () => {
    const plan = await rehearse();
    tell(evacuationTable(plan));
    return `move ${plan.shards.length} shards away from ${region}?`;
  });
  const answer = await callRole('coordinator', path, options, { ...asked, ...firstAnswer(options) });
  if (isRefusal(answer)) throw withChecks(answer, options);
  const evacuation = JSON.parse(answer.text) as Evacuation;
  if (evacuation.evacuation === null) throw notKnown('npx lockstep decisions');
  const ended = await awaitEvacuation(evacuation, options);
  print(ended, options, () => evacuationTable(ended));
  const open = ended.shards.filter(({ outcome }) => outcome === null).length;
  if (open > 0)
    throw new CliError(1, `${open} moves are not over after ${options.timeout} s; they go on by themselves.`);
  const left = ended.shards.filter(({ outcome }) => outcome !== 'done').length;
  if (left > 0) throw new CliError(1, `${left} of ${ended.shards.length} shards were not moved.`);
}

const firstAnswer = ({ timeout }: AwaitingOptions): { readonly timeoutMs: number } => ({
  timeoutMs: Math.min(timeout * 1_000, FIRST_ANSWER_MS_MAX),
});

/** A move that ended otherwise is told as a refusal, with its decision inside. */
function decisionIn(answer: RoleAnswer, options: ActingOptions): Decision | UnknownDecision {
  if (!isRefusal(answer)) return JSON.parse(answer.text) as Decision | UnknownDecision;
  const decision = partOf(answer, 'decision') as Decision | undefined;
  if (decision === undefined) throw withChecks(answer, options);
  return decision;
}

/** The refusal; its checks are shown, when it has some. */
function withChecks(answer: RoleAnswer, options: ActingOptions): CliError {
  const checks = partOf(answer, 'checks') as readonly Check[] | undefined;
  if (checks !== undefined) print(JSON.parse(answer.text), options, () => checksTable(checks));
  return refusalIn(answer);
}

function partOf({ text }: RoleAnswer, name: string): unknown {
  try {
    return (JSON.parse(text) as { readonly [name: string]: unknown })[name];
  } catch {
    // What stands between may answer for a coordinator, in its own words.
    return undefined;
  }
}

/** Tells each stage once, until the move has ended or the time is over. */
async function awaitDecision(first: Decision, options: AwaitingOptions): Promise<Decision> {
  let told = 0;
  const tellStages = (decision: Decision): Decision => {
    for (const { at, sequence, stage } of decision.stages.filter((each) => each.sequence > told)) {
      tell(`${at} ${decision.shard} ${stage}`);
      told = sequence;
    }
    return decision;
  };
  if (first.outcome === null) tell(`Decision ${first.decision} is under way.`);
  tellStages(first);
  if (first.outcome !== null) return first;
  const path = `/v1/decisions?decision=${first.decision}`;
  return awaitEnd(
    options,
    async () => {
      const answer = (await askRole('coordinator', path, options)) as { decisions: readonly Decision[] };
      // A coordinator that has not folded so far yet does not know it.
      return tellStages(answer.decisions[0] ?? first);
    },
    ({ outcome }) => outcome !== null,
  );
}

/** Tells the end of each move once, until all have ended or the time is over. */
async function awaitEvacuation(first: Evacuation, options: AwaitingOptions): Promise<Evacuation> {
  const told = new Set<string>();
  const tellEnds = (evacuation: Evacuation): Evacuation => {
    for (const { outcome, shard, to } of evacuation.shards) {
      if (outcome !== null && !told.has(shard)) tell(`${shard} to ${to}: ${outcome}`);
      if (outcome !== null) told.add(shard);
    }
    return evacuation;
  };
  const isOver = ({ shards }: Evacuation): boolean => shards.every(({ outcome }) => outcome !== null);
  if (!isOver(first)) tell(`Evacuation ${first.evacuation ?? '?'} is under way.`);
  if (isOver(tellEnds(first))) return first;
  return awaitEnd(
    options,
    async () => {
      const { evacuations } = (await askRole('coordinator', '/v1/history', options)) as {
        evacuations: readonly Evacuation[];
      };
      return tellEnds(evacuations.find(({ evacuation }) => evacuation === first.evacuation) ?? first);
    },
    isOver,
  );
}

function showPreflight(preflight: Preflight, options: AddressOptions): void {
  print(preflight, options, () =>
    [costOf(preflight), ...explained(preflight), checksTable(preflight.checks)].join('\n'),
  );
  const refusing = preflight.checks.filter(({ passed }) => !passed).map(({ code }) => code);
  if (!preflight.allowed)
    throw new CliError(
      1,
      `${preflight.shard} cannot be moved to ${preflight.to} now: ${refusing.join(', ')}.`,
    );
}

function costOf({ entriesLost, expectedMs, from, move, recordsToFold, shard, to }: Preflight): string {
  const known = (count: number | null): string => String(count ?? '?');
  return `${move} of ${shard} from ${from} to ${to}: ${known(recordsToFold)} records to fold, about ${known(expectedMs)} ms, ${known(entriesLost)} entries lost`;
}

const explained = (preflight: Preflight): readonly string[] => [
  `In words: ${wordsOfPrediction(preflight)}.`,
  preflight.loss,
  ...(preflight.expectedUnknown === null ? [] : [`No time is given because ${preflight.expectedUnknown}.`]),
];

const checksTable = (checks: readonly Check[]): string =>
  table(
    ['check', 'passed', 'detail', 'next'],
    checks.map(({ code, detail, next, passed }) => [code, passed ? 'yes' : 'no', detail, passed ? '' : next]),
  );

const sentenceOf = ({ decision, detail, epoch, from, move, outcome, shard, stage, to }: Decision): string =>
  `Decision ${decision}, ${move} of ${shard} from ${from} to ${to}, epoch ${epoch}: ${outcome ?? stage ?? '?'}${detail === '' ? '' : ` (${detail})`}`;

/** Without a decision it is awaited, or only planned. */
const evacuationTable = ({ shards }: Evacuation): string =>
  table(
    ['shard', 'to', 'decision', 'outcome'],
    shards.map(({ decision, outcome, shard, to }) => [shard, to, decision ?? '-', outcome ?? '-']),
  );

const notKnown = (where: string): CliError =>
  new CliError(
    1,
    `The control log has not answered: whether it was decided is not known. ${where} will tell.`,
  );

const stillUnderWay = ({ decision, shard, stage }: Decision, { timeout }: AwaitingOptions): CliError =>
  new CliError(
    1,
    `Decision ${decision} is not over after ${timeout} s (${stage ?? '?'}); it goes on by itself. npx lockstep decisions ${shard} shows it.`,
  );
