/** The options of `local load`, and what they mean where nothing was said. */
import type { WorkloadAmount } from '@lockstep/testing/workload';
import { resolve } from 'node:path';
import { defaultDataFolder } from '../data-folder.js';
import { LocalError } from '../local-error.js';
import { parseOptions } from '../parse-options.js';

export interface LoadOptions {
  /** Absolute folder of the cluster. */
  readonly data: string;
  /** Null: a random one. */
  readonly seed: number | null;
  /** 0: as fast as answers come. */
  readonly entriesPerSecond: number;
  readonly amount: WorkloadAmount;
  /** Null: until the amount is written. */
  readonly secondsMax: number | null;
  readonly readsPercent: number;
  readonly repeatedPercent: number;
  readonly wrongVersionsPercent: number;
  readonly shortDeadlinesPercent: number;
  readonly clients: number;
  /** Absolute file; null is `history/<run>.jsonl` in the data folder. */
  readonly history: string | null;
  readonly json: boolean;
}

export const loadUsage = `npx lockstep local load [options]
Writes accounts, orders and readings through all gateways and keeps every question and answer in a history.
  --seconds N            how long (20), or how much:
  --accounts N           entries of accounts
  --orders N             events of orders
  --readings N           events of readings
  --rate N               entries per second over all gateways (200); 0 = as fast as answers come
  --clients N            clients at once, spread over the gateways (48)
  --seed N               for the same choices again (a random one, which is printed)
  --reads PERCENT        accepted writes after which a row is read, in any region: as it is, with the token, or strongly (5)
  --repeated PERCENT     operations that are sent again under their key, byte for byte (5)
  --wrong-versions PERCENT   events of orders that expect a wrong version (10)
  --short-deadlines PERCENT  calls that allow 1 to 50 ms (2)
  --history FILE         where the history goes (history/<run>.jsonl in the data folder)
  --data DIR             data folder of the cluster (.lockstep/local)
  --json                 the summary for programs`;

const SECONDS_DEFAULT = 20;
const SECONDS_MAX = 86_400;
const COUNT_MAX = 100_000_000;
const RATE_MAX = 1_000_000;
const CLIENTS_MAX = 1_000;
export const SEED_MAX = 2 ** 32 - 1;

export function parseLoadOptions(args: readonly string[], folder: string): LoadOptions {
  const values = parseOptions(args, OPTIONS, loadUsage);
  const number = (name: keyof typeof values, fallback: number, least: number, most: number): number => {
    const text = values[name];
    return typeof text === 'string' ? wholeNumber(`--${name}`, text, least, most) : fallback;
  };
  const isCounted = [values.accounts, values.orders, values.readings].some((said) => said !== undefined);
  if (isCounted && values.seconds !== undefined) {
    throw new LocalError('invalid-option', '--seconds says how long, counts say how much: give one of them.');
  }
  const accountEntries = number('accounts', 0, 0, COUNT_MAX);
  const orderEvents = number('orders', 0, 0, COUNT_MAX);
  const readingEvents = number('readings', 0, 0, COUNT_MAX);
  return {
    data: values.data === undefined ? defaultDataFolder : resolve(folder, values.data),
    seed: values.seed === undefined ? null : number('seed', 0, 0, SEED_MAX),
    entriesPerSecond: number('rate', 200, 0, RATE_MAX),
    amount: isCounted ? { kind: 'counted', accountEntries, orderEvents, readingEvents } : { kind: 'endless' },
    secondsMax: isCounted ? null : number('seconds', SECONDS_DEFAULT, 1, SECONDS_MAX),
    readsPercent: number('reads', 5, 0, 100),
    // A repeat repeats something: beyond half there would be nothing to repeat.
    repeatedPercent: number('repeated', 5, 0, 50),
    wrongVersionsPercent: number('wrong-versions', 10, 0, 100),
    shortDeadlinesPercent: number('short-deadlines', 2, 0, 100),
    clients: number('clients', 48, 1, CLIENTS_MAX),
    history: values.history === undefined ? null : resolve(folder, values.history),
    json: values.json === true,
  };
}

const OPTIONS = {
  data: { type: 'string' },
  seed: { type: 'string' },
  rate: { type: 'string' },
  seconds: { type: 'string' },
  accounts: { type: 'string' },
  orders: { type: 'string' },
  readings: { type: 'string' },
  reads: { type: 'string' },
  repeated: { type: 'string' },
  'wrong-versions': { type: 'string' },
  'short-deadlines': { type: 'string' },
  clients: { type: 'string' },
  history: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new LocalError(
    'invalid-option',
    `${flag} ${text}: expected a whole number from ${least} to ${most}.`,
  );
}
