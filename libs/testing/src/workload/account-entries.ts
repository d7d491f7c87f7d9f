/**
 * Accounts: pairs `<n>/x` and `<n>/y`, which share a shard, are opened in one entry; then money comes, goes, and moves
 * within the pair in one entry. Some debits are larger than any balance, so that the rule of the dataset answers.
 */
import type { HistoryEvent } from '../history/index.js';
import type { Chance } from '../world/chance.js';
import type { Ending } from './answer.js';
import type { Draft } from './draft.js';

const PAIRS_MIN = 12;
const PAIRS_MAX = 64;
/** More comes in than goes out, so that most debits are covered. */
const CREDIT_MAX = 1_000;
const DEBIT_MAX = 100;
/** More than all credits of a long run. */
const AMOUNT_TOO_LARGE = 1e15;

export class AccountEntries {
  /** Keys up to the slash, of pairs that are known to be open. */
  private readonly pairs: string[] = [];
  private opened = 0;

  constructor(
    private readonly chance: Chance,
    private readonly nameOf: (ordinal: string) => string,
  ) {}

  draw(): Draft {
    const { chance } = this;
    if (this.pairs.length < PAIRS_MIN || chance.next() < 0.1) return this.open();
    const pair = chance.pick(this.pairs);
    const [one, other] = chance.pick([
      [`${pair}/x`, `${pair}/y`],
      [`${pair}/y`, `${pair}/x`],
    ] as const);
    const kind = chance.next();
    if (kind < 0.4) return this.draft([moved(one, 'credited', 1 + chance.below(CREDIT_MAX))]);
    const amount = 1 + chance.below(DEBIT_MAX);
    if (kind < 0.6) return this.draft([moved(one, 'debited', amount)]);
    if (kind < 0.65) return this.draft([moved(one, 'debited', AMOUNT_TOO_LARGE + amount)]);
    return this.draft([moved(one, 'debited', amount), moved(other, 'credited', amount)]);
  }

  private open(): Draft {
    const { chance } = this;
    const pair = this.nameOf(`a${this.opened}`);
    this.opened += 1;
    const events = ['x', 'y'].map((end) => ({
      key: `${pair}/${end}`,
      type: 'opened',
      data: { owner: `owner ${chance.below(1_000)}`, currency: 'EUR' },
    }));
    return this.draft(events, ({ type }) => {
      if (type !== 'ok') return;
      if (this.pairs.length < PAIRS_MAX) this.pairs.push(pair);
      else this.pairs[chance.below(PAIRS_MAX)] = pair;
    });
  }

  private draft(events: readonly HistoryEvent[], settle: (ending: Ending) => void = () => undefined): Draft {
    const drawn = this.chance.next();
    const ack = drawn < 0.8 ? null : drawn < 0.9 ? 'accepted' : 'everywhere';
    return { events, isKeyed: true, wrongVersion: false, ack, settle };
  }
}

const moved = (key: string, type: 'credited' | 'debited', amount: number): HistoryEvent => ({
  key,
  type,
  data: { amount },
});
