/** What a service tells the module: one schema, checked as a whole when the application starts. */
import { TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX } from '@lockstep/protocol';
import { z } from 'zod';
import {
  describedText,
  describedWhole,
  describeFindings,
  findingsOf,
  meaningsOf,
  parseUrl,
  withoutSecrets,
} from '../configuration/described-schema.js';
import { meaningTable } from '../configuration/meaning-table.js';
import { LockstepError, ownProblem } from '../dataset/lockstep-error.js';

const schema = z.strictObject({
  gateway: describedText(
    {
      values: 'the base URL of a gateway, for example http://127.0.0.1:7101',
      fallback: null,
      meaning: 'Through which gateway this service writes and reads; the nearest one.',
    },
    (text) => parseUrl(text, ['http:', 'https:']),
  ),
  timeoutMs: describedWhole({
    min: 1,
    max: TIMEOUT_MS_MAX,
    unit: 'milliseconds',
    fallback: TIMEOUT_MS_DEFAULT,
    meaning: 'How long a call may take where it does not say so itself, repeats included.',
  }),
  settleMs: describedWhole({
    min: 1,
    max: TIMEOUT_MS_MAX,
    unit: 'milliseconds',
    fallback: 5_000,
    meaning: 'How long after its time-out the outcome of a write that is still unknown is asked for.',
  }),
  conflictsMax: describedWhole({
    min: 1,
    max: 1_000,
    unit: 'attempts',
    fallback: 32,
    meaning: 'How often `decide` decides anew when others changed the row meanwhile.',
  }),
  callsMax: describedWhole({
    min: 1,
    max: 100_000,
    unit: 'calls',
    fallback: 1_000,
    meaning: 'How many calls may be under way in this process; one more is refused at once.',
  }),
  drainMs: describedWhole({
    min: 1,
    max: TIMEOUT_MS_MAX,
    unit: 'milliseconds',
    fallback: 10_000,
    meaning: 'How long a shutdown waits for the calls under way; those left are told `unknown`.',
  }),
});

/** As a service writes it; what is absent has its default. */
export type LockstepOptions = z.input<typeof schema>;
export type LockstepConfiguration = Readonly<z.output<typeof schema>>;

/** @throws LockstepError `misconfigured` that names every option that cannot be used. */
export function readLockstepConfiguration(options: LockstepOptions): LockstepConfiguration {
  const read = schema.safeParse(options);
  if (read.success) return Object.freeze(read.data);
  throw new LockstepError(ownProblem('misconfigured', describeFindings(findingsOf(schema, read.error))));
}

/** For the log of a service's start; no secrets. */
export function printableConfiguration(configuration: LockstepConfiguration): LockstepConfiguration {
  return { ...configuration, gateway: withoutSecrets(configuration.gateway) };
}

/** The table of libs/nest's README. */
export const optionTable = (): string => meaningTable('Option', meaningsOf(schema));
