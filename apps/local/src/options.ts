/**
 * The options of `npm start`, and how they meet those a data folder was made with.
 *
 * A cluster's shape belongs to its data: the first start records it, a later start without options takes it up, and an
 * option that says something else is refused instead of half applied.
 */
import { resolve } from 'node:path';
import { LocalError } from './local-error.js';
import { parseOptions } from './parse-options.js';

export type Ports =
  { readonly kind: 'default' } | { readonly kind: 'auto' } | { readonly kind: 'base'; readonly base: number };

/** What is recorded in the data folder. */
export interface ClusterOptions {
  /** `null`: every region of the catalogue. */
  readonly regions: readonly string[] | null;
  readonly brokers: 1 | 3;
  /** The region that all brokers stand in; `null`: each in another one. */
  readonly brokersIn: string | null;
  /** One-way delay between regions; `null` without proxies. */
  readonly wanMs: number | null;
  /** Absolute folder; `null` is the sample catalogue. */
  readonly catalogue: string | null;
  readonly otlpUrl: string | null;
  /** A Jaeger beside the cluster, to which all spans go. */
  readonly jaeger: boolean;
  readonly ports: Ports;
  /** A second replicator in every region. */
  readonly standby: boolean;
  /** The sample service in every region. */
  readonly ledger: boolean;
}

export interface Request {
  readonly action: 'start' | 'stop';
  /** Absolute folder; `null` is `.lockstep/local` in the project. */
  readonly data: string | null;
  readonly detach: boolean;
  readonly reset: boolean;
  /** Only what was said on the command line. */
  readonly said: Partial<ClusterOptions>;
}

export const defaultOptions: ClusterOptions = {
  regions: null,
  brokers: 1,
  brokersIn: null,
  wanMs: null,
  catalogue: null,
  otlpUrl: null,
  jaeger: false,
  ports: { kind: 'default' },
  standby: false,
  ledger: false,
};

export const usage = `npm start -- [options]
  --regions eu,us,ap   regions of the catalogue to run (all of them)
  --brokers 1|3        Kafka brokers (1)
  --brokers-in REGION  all brokers in one region instead of each in another
  --wan MS             one-way delay between regions, through TCP proxies
  --standby            a second replicator per region, which takes over from the first
  --ledger             the sample service (apps/ledger) in every region
  --catalogue DIR      catalogue to run instead of the sample
  --otlp URL           where traces go (nowhere)
  --jaeger             a Jaeger of its own, where traces go; built when it is first asked for
  --ports auto|BASE    free ports, or ports from BASE on (the well-known ones)
  --data DIR           where everything is kept (.lockstep/local)
  --detach             return when ready; \`npm run stop\` ends it
  --reset              forget the data first`;

const WAN_MS_MAX = 10_000;
/** The highest base whose whole plan stays below 65536. */
export const BASE_PORT_MAX = 60_000;

export function parseRequest(args: readonly string[], folder: string): Request {
  const values = parseOptions(args, OPTIONS, usage);
  if (values.jaeger === true && values.otlp !== undefined) {
    throw new LocalError(
      'invalid-option',
      'Traces go to one place: leave out --otlp for a Jaeger of this cluster, or --jaeger for a collector of your own.',
    );
  }
  return {
    action: values.stop === true ? 'stop' : 'start',
    data: values.data === undefined ? null : resolve(folder, values.data),
    detach: values.detach === true,
    reset: values.reset === true,
    said: {
      ...(values.regions === undefined ? {} : { regions: parseRegions(values.regions) }),
      ...(values.brokers === undefined ? {} : { brokers: parseBrokers(values.brokers) }),
      ...(values['brokers-in'] === undefined ? {} : { brokersIn: values['brokers-in'] }),
      ...(values.wan === undefined ? {} : { wanMs: wholeNumber('--wan', values.wan, 0, WAN_MS_MAX) }),
      ...(values.catalogue === undefined ? {} : { catalogue: resolve(folder, values.catalogue) }),
      ...(values.otlp === undefined ? {} : { otlpUrl: parseUrl(values.otlp) }),
      ...(values.jaeger === true ? { jaeger: true } : {}),
      ...(values.ports === undefined ? {} : { ports: parsePorts(values.ports) }),
      ...(values.standby === true ? { standby: true } : {}),
      ...(values.ledger === true ? { ledger: true } : {}),
    },
  };
}

/** What to run with: the record where there is one, else what was said over the defaults. */
export function settleOptions(
  said: Partial<ClusterOptions>,
  record: ClusterOptions | undefined,
): ClusterOptions {
  // Over the defaults too: a record may be older than an option.
  const recorded = { ...defaultOptions, ...(record ?? said) };
  const differing = (Object.keys(said) as (keyof ClusterOptions)[]).filter(
    (name) => JSON.stringify(said[name]) !== JSON.stringify(recorded[name]),
  );
  if (differing.length > 0) {
    const lines = differing.map(
      (name) => `  ${flags[name]}: made with ${shown(recorded[name])}, now ${shown(said[name])}`,
    );
    throw new LocalError(
      'option-conflict',
      `This data folder was made with other options:\n${lines.join('\n')}\n` +
        'Leave the option out to go on with the data, or add --reset to begin anew.',
    );
  }
  return recorded;
}

const flags: Readonly<Record<keyof ClusterOptions, string>> = {
  regions: '--regions',
  brokers: '--brokers',
  brokersIn: '--brokers-in',
  wanMs: '--wan',
  catalogue: '--catalogue',
  otlpUrl: '--otlp',
  jaeger: '--jaeger',
  ports: '--ports',
  standby: '--standby',
  ledger: '--ledger',
};

const OPTIONS = {
  regions: { type: 'string' },
  brokers: { type: 'string' },
  'brokers-in': { type: 'string' },
  wan: { type: 'string' },
  catalogue: { type: 'string' },
  data: { type: 'string' },
  otlp: { type: 'string' },
  ports: { type: 'string' },
  standby: { type: 'boolean' },
  ledger: { type: 'boolean' },
  jaeger: { type: 'boolean' },
  detach: { type: 'boolean' },
  reset: { type: 'boolean' },
  stop: { type: 'boolean' },
} as const;

function parseRegions(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !/^[a-z][a-z0-9-]{0,31}$/.test(name));
  if (wrong !== undefined)
    throw invalid('--regions', text, 'names separated by commas, for example eu,us,ap');
  if (new Set(names).size !== names.length) throw invalid('--regions', text, 'each region once');
  return names;
}

function parseBrokers(text: string): 1 | 3 {
  if (text === '1') return 1;
  if (text === '3') return 3;
  throw invalid('--brokers', text, '1 or 3');
}

function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw invalid('--otlp', text, 'an address such as http://127.0.0.1:4318');
}

function parsePorts(text: string): Ports {
  return text === 'auto'
    ? { kind: 'auto' }
    : { kind: 'base', base: wholeNumber('--ports', text, 1024, BASE_PORT_MAX) };
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw invalid(
    flag,
    text,
    `a whole number from ${least} to ${most}${flag === '--ports' ? ', or auto' : ''}`,
  );
}

function invalid(flag: string, text: string, wanted: string): LocalError {
  return new LocalError('invalid-option', `${flag} ${text}: expected ${wanted}.`);
}

function shown(value: ClusterOptions[keyof ClusterOptions] | undefined): string {
  if (value === null || value === undefined || value === false) return 'the default';
  if (value === true) return 'on';
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if ('kind' in value) return value.kind === 'base' ? String(value.base) : value.kind;
  return value.join(',');
}
