/** A home that moved as it must, in the correct run: its control log, the fence and what the new home wrote. A test may break it. */
import type { ControlCommand } from '@lockstep/protocol';
import type { AuditedCommand, ControlHistory } from './control-audit.js';
import { headerOf, REGIONS, type BrokenRun } from './judge.fixture.js';

export const SHARD = 'orders/0';
const SETTINGS = { graceMs: 1_000, leaseMs: 5_000, lagRecordsMax: 0 };
/** Of the decision, and of the pause behind the move. */
export const DECISION = 3n;
export const PAUSE = 11n;

export interface BrokenControl extends ControlHistory {
  readonly commands: AuditedCommand[];
  readonly finished: {
    -readonly [K in keyof ControlHistory['finished'][number]]: ControlHistory['finished'][number][K];
  }[];
  /** Of offsets of the shard. */
  readonly stood: Map<bigint, number>;
}

export function say(
  { commands }: BrokenControl,
  author: string,
  t: number,
  command: object,
  more: Partial<AuditedCommand> = {},
): void {
  commands.push({
    ...{
      at: BigInt(commands.length + 1),
      t,
      appendTimeMs: 1_000 * t,
      clockMs: 1_000 * t,
      verdict: 'accepted',
    },
    ...{ author: author as never, session: author, command: command as ControlCommand },
    ...more,
  });
}

/** What was seen of the shard when a move of it was judged: nothing was in the way. */
export function moveInputs(from: string, to: string, expectedEpoch: bigint): { [name: string]: unknown } {
  const told = { sequence: 4, epoch: Number(expectedEpoch), home: from, term: 1, decision: 0 };
  const well = { lagRecords: 0, halted: null, withheld: null };
  const seen = (region: string): object => ({
    ...{ region, isConnected: true, differs: false },
    told: { ...told, ...well },
  });
  const move = { move: 'failover', from, to, expectedEpoch: Number(expectedEpoch), acceptLoss: false };
  return {
    ...{ at: 2, ...move, lagRecordsMax: 0, open: null, pause: null },
    seen: { shard: SHARD, legal: REGIONS, regions: REGIONS.map(seen), rule: null },
  };
}

export const decision = (from: string, to: string, expectedEpoch: bigint, more: object = {}): object => ({
  ...{ kind: 'decision', term: 1n, shard: SHARD, from, to, expectedEpoch, move: 'failover', actor: 'alice' },
  ...{ evacuation: null, inputs: moveInputs(from, to, expectedEpoch), ...more },
});

export const stage = (event: string): object => ({ kind: 'stage', term: 1n, decision: DECISION, event });

/** The command that says so, to be changed. */
export function commandOf(
  control: BrokenControl,
  event: string,
): { -readonly [K in keyof AuditedCommand]: AuditedCommand[K] } {
  return control.commands.find(
    ({ command }) => command.kind === event || ('event' in command && command.event === event),
  )!;
}

/** From eu to us, with a pause and its end behind it. */
export function withMove(run: BrokenRun): BrokenControl {
  const stood = new Map([
    [4n, 7],
    [5n, 11],
  ]);
  const decided = { shard: SHARD, to: 'us', expectedEpoch: 1n } as never;
  const control: BrokenControl = {
    commands: [],
    finished: [{ ...(decided as object), decision: DECISION, outcome: 'done' } as never],
    stood,
    stoodAt: (shard, offset) => (shard === SHARD ? (stood.get(offset) ?? null) : null),
  };
  say(control, 'eu', 1, { kind: 'genesis', members: REGIONS, settings: SETTINGS });
  say(control, 'eu', 2, { kind: 'claim', term: 1n, replaces: 0n });
  say(control, 'eu', 4, decision('eu', 'us', 1n));
  say(control, 'eu', 5, stage('caught-up'));
  say(control, 'eu', 6, stage('fencing'));
  say(control, 'eu', 9, stage('fenced'));
  say(control, 'eu', 10, stage('folded'));
  say(control, 'eu', 14, stage('canary'));
  say(control, 'eu', 15, stage('open'));
  say(control, 'eu', 16, stage('done'));
  say(control, 'eu', 18, { kind: 'pause', scope: 'all', untilMs: 1_000_000 });
  say(control, 'eu', 19, { kind: 'paused', term: 1n, pause: PAUSE });
  say(control, 'us', 20, { kind: 'resume', pause: PAUSE });
  const body = { kind: 'fence', expectedEpoch: 1n, epoch: 2n, home: 'us', term: 1n, decision: DECISION };
  const place = { shard: SHARD, appendTimeMs: 1_000, verdict: 'accepted' } as const;
  run.records.push(
    { ...place, sequence: 5n, offset: 4n, header: headerOf('fence', 0n), control: body as never },
    {
      ...{ ...place, sequence: 6n, offset: 5n, control: null },
      header: {
        ...headerOf('data', 1n),
        publisher: 'c'.repeat(32) as never,
        region: 'us' as never,
        epoch: 2n as never,
      },
    },
  );
  for (const [t, region, sequence] of [
    [8, 'us', 5n],
    [9, 'eu', 5n],
    [12, 'us', 6n],
    [13, 'eu', 6n],
    [21, 'ap', 6n],
  ] as const)
    run.witnessed.commits!.push({ t, region, shard: SHARD, sequence });
  run.witnessed.control = control;
  return control;
}
