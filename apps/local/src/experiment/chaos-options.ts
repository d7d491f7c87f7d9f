/** The options of `local chaos`, and what they mean where nothing was said. */
import { resolve } from 'node:path';
import { defaultDataFolder } from '../data-folder.js';
import { LocalError } from '../local-error.js';
import { parseOptions } from '../parse-options.js';
import { killNames, type Kills } from './chaos-plan.js';
import { SEED_MAX, wholeNumber } from './load-options.js';

export interface ChaosOptions {
  /** Absolute folder of the cluster. */
  readonly data: string;
  /** `null`: a random one. */
  readonly seed: number | null;
  readonly minutes: number;
  readonly kills: Kills | null;
  /** Absolute file; `null` is `history/chaos-<seed>.jsonl` in the data folder. */
  readonly log: string | null;
  readonly json: boolean;
}

export const chaosUsage = `npx lockstep local chaos [options]
Disturbs the cluster by a seeded plan: kills, pauses, and with --wan cuts and swallowed produce responses. At the end, or
at Ctrl-C, everything is continued, healed and started, and all processes are awaited.
  --minutes M    how long, fractions too (1)
  --kills TEXT   nothing but these kills, for example replicator=3,gateway=1,postgres=1,broker=1: each replicator three
                 times, each gateway once, one random database and one random broker once
  --seed N       for the same plan again (a random one, which is printed)
  --log FILE     where the disturbances are recorded (history/chaos-<seed>.jsonl in the data folder)
  --data DIR     data folder of the cluster (.lockstep/local)
  --json         the summary for programs; the lines go to stderr
Exit code: 0 = all processes are ready again, 1 = not all, 2 = it cannot be meant so.`;

/** A chaos run's name, and its file's: this and the seed. */
export const CHAOS_PREFIX = 'chaos-';

const MINUTES_MAX = 24 * 60;

export function parseChaosOptions(args: readonly string[], folder: string): ChaosOptions {
  const values = parseOptions(args, OPTIONS, chaosUsage);
  return {
    data: values.data === undefined ? defaultDataFolder : resolve(folder, values.data),
    seed: values.seed === undefined ? null : wholeNumber('--seed', values.seed, 0, SEED_MAX),
    minutes: values.minutes === undefined ? 1 : parseMinutes(values.minutes),
    kills: values.kills === undefined ? null : parseKills(values.kills),
    log: values.log === undefined ? null : resolve(folder, values.log),
    json: values.json === true,
  };
}

const OPTIONS = {
  data: { type: 'string' },
  seed: { type: 'string' },
  minutes: { type: 'string' },
  kills: { type: 'string' },
  log: { type: 'string' },
  json: { type: 'boolean' },
} as const;

function parseMinutes(text: string): number {
  const minutes = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (minutes > 0 && minutes <= MINUTES_MAX) return minutes;
  throw invalid('--minutes', text, `a number above 0 and up to ${MINUTES_MAX}, for example 0.5`);
}

function parseKills(text: string): Kills {
  const said = text.split(',').map((part) => part.split('='));
  const names = said.map(([name]) => name);
  const isGood = said.every(
    ([name, times, ...rest]) =>
      (killNames as readonly (string | undefined)[]).includes(name) &&
      /^\d{1,4}$/.test(times ?? '') &&
      rest.length === 0,
  );
  if (isGood && new Set(names).size === names.length)
    return Object.fromEntries(said.map(([name, times]) => [name, Number(times)]));
  throw invalid('--kills', text, `each name once with a number, of ${killNames.join(', ')}`);
}

function invalid(flag: string, text: string, wanted: string): LocalError {
  return new LocalError('invalid-option', `${flag} ${text}: expected ${wanted}.`);
}
