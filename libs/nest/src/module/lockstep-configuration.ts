/** What a service tells the module: one schema, checked as a whole when the application starts. */
import { isRegionName, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX } from '@lockstep/protocol';
import { z } from 'zod';
import {
  describedText,
  describedTexts,
  describedWhole,
  describeFindings,
  findingsOf,
  meaningsOf,
  parseUrl,
  withoutSecrets,
} from '../configuration/described-schema.js';
import { meaningTable } from '../configuration/meaning-table.js';
import { catalogueFolder, regionDatabase, spanCollector } from '../configuration/region-options.js';
import { LockstepError, ownProblem } from '../dataset/lockstep-error.js';

/** One for each region, and room. */
const GATEWAYS_MAX = 16;

const described = z.strictObject({
  gateway: describedTexts(
    {
      values: `the base URL of a gateway, for example http://127.0.0.1:7101, or a list of 1 to ${GATEWAYS_MAX} of them`,
      fallback: 'none; needed where no `region` is told',
      meaning:
        'Through which gateway this service writes and reads. Of a list, the nearest first, calls go to the first that answers.',
    },
    { max: GATEWAYS_MAX, parse: (text) => parseUrl(text, ['http:', 'https:']) },
  ).optional(),
  region: describedText(
    {
      values: 'a region of topology.yaml',
      fallback: 'none; told in place of `gateway`',
      meaning: 'This process is a gateway of that region itself: at home it appends to the log from here.',
    },
    (text) => (isRegionName(text) ? { value: text } : { wrong: 'it is no name of a region' }),
  ).optional(),
  catalogue: catalogueFolder('none; needed with `region`').optional(),
  postgresUrl: regionDatabase('none; needed with `region`').optional(),
  otlpUrl: spanCollector(
    'none: no spans are sent',
    'Where a process that is a gateway itself sends the spans of its calls.',
  ).optional(),
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

const schema = described.superRefine((values, context) => {
  const wrong = (name: keyof typeof values, message: string, set?: string): void =>
    context.addIssue({ code: 'custom', path: [name], message, params: { set } });
  const ofRegion = ['catalogue', 'postgresUrl', 'otlpUrl'] as const;
  if (values.region === undefined) {
    if (values.gateway === undefined) wrong('gateway', 'is not set');
    for (const name of ofRegion)
      if (values[name] !== undefined)
        wrong(name, 'means nothing without `region`', 'nothing, or tell `region`');
    return;
  }
  if (values.gateway !== undefined)
    wrong('gateway', 'stands beside `region`', 'nothing, or leave `region` away');
  for (const name of ['catalogue', 'postgresUrl'] as const)
    if (values[name] === undefined) wrong(name, 'is not set');
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
  const { gateway } = configuration;
  const urls = (['postgresUrl', 'otlpUrl'] as const).flatMap((name) => {
    const url = configuration[name];
    return url === undefined ? [] : [[name, withoutSecrets(url)] as const];
  });
  const gateways = gateway === undefined ? {} : { gateway: gateway.map(withoutSecrets) };
  return { ...configuration, ...gateways, ...Object.fromEntries(urls) };
}

/** The table of libs/nest's README. */
export const optionTable = (): string => meaningTable('Option', meaningsOf(schema));
