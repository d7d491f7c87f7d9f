/** A new home that is lost in its turn: two regions say so, and it is failed over without a person. A test may break it. */
import {
  decision,
  moveInputs,
  say,
  SHARD,
  stage,
  withMove,
  type BrokenControl,
} from './control-audit.fixture.js';
import type { FindingCode } from './finding.js';
import type { BrokenRun } from './judge.fixture.js';

/** Of the entry that fails us over, behind two votes. */
const FAILOVER = 16n;
/** Places among the commands: where the first move is done, and of a vote. */
const DONE = 9;
const VOTE = 14;
const POLICY = { coolDownMs: 600_000, budget: 1, windowMs: 3_600_000 };

const vote = (about: string, opinion = 'unfit'): object => ({ kind: 'vote', about, opinion });
const join = { kind: 'join', replaces: null };

const inputs = (region: string, at: number, more: object = {}): { [name: string]: unknown } => ({
  ...{ at, logTimeMs: 21_000, region, against: [], needed: 2, unfit: [region], isPlausible: true },
  ...{
    movable: 1,
    automatic: 1,
    pause: null,
    evacuation: null,
    lastAtMs: null,
    spent: 0,
    ...POLICY,
    ...more,
  },
});

const failover = (at: number, region = 'us', to = 'ap', policy: object = {}): object => ({
  ...{ kind: 'fail-over', term: 1n, region, shards: [{ shard: SHARD, to }] },
  inputs: inputs(region, at, policy),
});

const byGovernor = (from: string, to: string, epoch: bigint, evacuation: bigint | null): object =>
  decision(from, to, epoch, { actor: 'governor', evacuation });

function withFailover(run: BrokenRun): BrokenControl {
  const control = withMove(run);
  say(control, 'eu', 21, vote('us'));
  say(control, 'ap', 21.5, vote('us'));
  say(control, 'eu', 22, failover(15));
  say(control, 'eu', 23, byGovernor('us', 'ap', 2n, FAILOVER));
  return control;
}

type Planted = (run: BrokenRun) => void;

/** A second failover, of the next home, by two votes again. */
function again(run: BrokenRun, t: number, policy: object, before: (control: BrokenControl) => void): void {
  const control = withFailover(run);
  before(control);
  say(control, 'eu', t, vote('us'));
  say(control, 'ap', t, vote('us'));
  say(control, 'eu', t + 1, failover(control.commands.length, 'us', 'ap', policy));
}

const acknowledge = (control: BrokenControl, untilMs: number): void =>
  say(control, 'us', 25, { kind: 'approval', subject: `failover:${FAILOVER}`, untilMs });

export const CORRECT_GOVERNORS: readonly (readonly [title: string, plant: Planted])[] = [
  ['of a failover that two others agreed upon', withFailover],
  [
    'of a second one behind the cool-down, within the budget',
    (run) => again(run, 700, { budget: 2 }, () => undefined),
  ],
  [
    'of a second one when somebody has acknowledged the first',
    (run) => again(run, 30, {}, (control) => acknowledge(control, 100_000)),
  ],
  [
    'of a second one within the cool-down, of what the first did not move',
    (run) => {
      const control = withFailover(run);
      say(control, 'eu', 30, vote('us'));
      say(control, 'ap', 30, vote('us'));
      const next = failover(control.commands.length, 'us', 'ap', { budget: 2 });
      say(control, 'eu', 31, { ...next, shards: [{ shard: 'orders/9', to: 'ap' }] });
    },
  ],
  [
    'of a next home that only a process found unfit which is gone',
    (run) => {
      const control = withMove(run);
      say(control, 'us', 20.5, vote('ap'));
      say(control, 'us', 20.7, join);
      for (const observer of ['eu', 'ap']) say(control, observer, 21, vote('us'));
      say(control, 'eu', 22, failover(17));
    },
  ],
  [
    'of a further epoch for a promotion that is stuck behind its fence',
    (run) => {
      const control = withMove(run);
      control.commands[DONE] = harmless(control, DONE);
      say(control, 'eu', 35, byGovernor('us', 'ap', 2n, null));
    },
  ],
  [
    'of what a pause held back that had just ended',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, { kind: 'pause', scope: 'all', untilMs: 22_000 });
      say(control, 'eu', 22.5, { kind: 'heartbeat', term: 1n });
      say(control, 'eu', 23, {
        kind: 'held',
        region: 'us',
        term: 1n,
        inputs: inputs('us', 15, { pause: 14 }),
      });
    },
  ],
];

export const GOVERNOR_DEFECTS: readonly (readonly [code: FindingCode, title: string, plant: Planted])[] = [
  [
    'failover-unfounded',
    'one vote alone',
    (run) => {
      const control = withFailover(run);
      control.commands[VOTE] = harmless(control, VOTE);
    },
  ],
  [
    'failover-unfounded',
    'a vote that was older than votes count',
    (run) => {
      const control = withFailover(run);
      say(control, 'eu', 26.2, { kind: 'heartbeat', term: 1n });
      say(control, 'eu', 27, failover(18, 'us', 'ap', { coolDownMs: 1, budget: 9 }));
    },
  ],
  [
    'failover-unfounded',
    'a vote of a region that finds all others unfit',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, vote('us'));
      say(control, 'ap', 21.5, vote('us'));
      say(control, 'ap', 21.5, vote('eu'));
      say(control, 'eu', 22, failover(16));
    },
  ],
  [
    'failover-unfounded',
    'a vote that was taken back',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, vote('us'));
      say(control, 'ap', 21.2, vote('us'));
      say(control, 'ap', 21.5, vote('us', 'fit'));
      say(control, 'eu', 22, failover(16));
    },
  ],
  [
    'failover-unfounded',
    'a vote of a process that is gone',
    (run) => {
      const control = withMove(run);
      for (const observer of ['eu', 'ap']) say(control, observer, 21, vote('us'));
      say(control, 'ap', 21.5, join);
      say(control, 'eu', 22, failover(16));
    },
  ],
  ['failover-repeated', 'within the cool-down', (run) => again(run, 30, { budget: 9 }, () => undefined)],
  ['failover-repeated', 'beyond the budget', (run) => again(run, 700, { budget: 1 }, () => undefined)],
  [
    'failover-repeated',
    'by an acknowledgement that was over',
    (run) => again(run, 30, {}, (control) => acknowledge(control, 26_000)),
  ],
  [
    'governor-overreached',
    'a shard that goes home again by itself',
    (run) => say(withFailover(run), 'eu', 24, byGovernor('ap', 'us', 3n, null)),
  ],
  [
    'governor-overreached',
    'a further epoch behind a promotion that is done',
    (run) => say(withMove(run), 'eu', 35, byGovernor('us', 'ap', 2n, null)),
  ],
  [
    'governor-overreached',
    'a second further epoch behind one promotion',
    (run) => {
      const control = withMove(run);
      control.commands[DONE] = harmless(control, DONE);
      say(control, 'eu', 35, byGovernor('us', 'ap', 2n, null));
      say(control, 'eu', 36, { ...stage('fenced'), decision: 14n });
      say(control, 'eu', 50, byGovernor('ap', 'us', 3n, null));
    },
  ],
  [
    'governor-overreached',
    'another region than the failover names',
    (run) => say(withFailover(run), 'eu', 24, byGovernor('us', 'eu', 2n, FAILOVER)),
  ],
  [
    'promoted-unfit',
    'a region that lagged',
    (run) => say(withMove(run), 'eu', 21, decided({ lagRecords: 1 })),
  ],
  [
    'promoted-unfit',
    'a region whose lag nobody knew',
    (run) => say(withMove(run), 'eu', 21, decided({ lagRecords: null })),
  ],
  [
    'promoted-unfit',
    'a region that withholds its vote',
    (run) => say(withMove(run), 'eu', 21, decided({ withheld: 'restored' })),
  ],
  [
    'promoted-unfit',
    'a region that may not hold it',
    (run) => say(withMove(run), 'eu', 21, decision('us', 'sa', 2n)),
  ],
  [
    'promoted-unfit',
    'a region that somebody finds unfit',
    (run) => {
      const control = withMove(run);
      for (const observer of ['eu', 'ap']) say(control, observer, 21, vote('us'));
      say(control, 'us', 21, vote('ap'));
      say(control, 'eu', 22, failover(16));
    },
  ],
  [
    'moved-while-paused',
    'a failover of a region that was paused when it was judged',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 20.5, { kind: 'pause', scope: 'region:us', untilMs: 1_000_000 });
      say(control, 'eu', 21, vote('us'));
      say(control, 'ap', 21.5, vote('us'));
      say(control, 'eu', 22, failover(16));
    },
  ],
  [
    'pause-outlived',
    'a pause that was over for more than a second',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, { kind: 'pause', scope: 'all', untilMs: 22_000 });
      say(control, 'eu', 23.5, { kind: 'heartbeat', term: 1n });
      say(control, 'eu', 24, {
        kind: 'held',
        region: 'us',
        term: 1n,
        inputs: inputs('us', 15, { pause: 14 }),
      });
    },
  ],
  [
    'pause-outlived',
    'a pause that was resumed',
    (run) => {
      const declined = { ...decision('us', 'ap', 2n), kind: 'declined', codes: ['paused'] };
      const late = { ...moveInputs('us', 'ap', 2n), at: 13, pause: 11 };
      say(withMove(run), 'eu', 21, { ...declined, inputs: late });
    },
  ],
];

/** Of ap, which told so of itself. */
function decided(told: object): object {
  const recorded = moveInputs('us', 'ap', 2n) as { seen: { regions: { region: string; told: object }[] } };
  const regions = recorded.seen.regions.map((one) =>
    one.region === 'ap' ? { ...one, told: { ...one.told, ...told } } : one,
  );
  return decision('us', 'ap', 2n, { inputs: { ...recorded, seen: { ...recorded.seen, regions } } });
}

const harmless = ({ commands }: BrokenControl, index: number): BrokenControl['commands'][number] => ({
  ...commands[index]!,
  command: { kind: 'fact' } as never,
});
