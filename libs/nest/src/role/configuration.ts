/**
 * What a role process is told by its environment: read once at the start, checked as a whole, frozen.
 *
 * Everything else (brokers, regions, datasets, limits) stands in the catalogue. A bad value never starts a process:
 * each finding names the variable, what is wrong, and what to set. Values that may hold secrets are never repeated in
 * a finding and are printed redacted. Unknown variables are not refused: orchestrators set `LOCKSTEP_..._SERVICE_HOST`
 * and the like for a service of that name.
 */
import { isIPv4 } from 'node:net';
import { isRegionName } from '@lockstep/protocol';
import type { RegionName } from '@lockstep/protocol';
import type { LogLevel } from '@lockstep/telemetry';
import { z } from 'zod';
import {
  describedText,
  findingsOf,
  meaningsOf,
  parseUrl,
  withoutSecrets,
  type ConfigurationFinding,
  type Parsed,
} from '../configuration/described-schema.js';
import { meaningTable } from '../configuration/meaning-table.js';
import { catalogueFolder, regionDatabase, spanCollector } from '../configuration/region-options.js';

export const ROLES = ['gateway', 'replicator', 'coordinator'] as const;
export type RoleName = (typeof ROLES)[number];

export interface RoleConfiguration {
  readonly roles: readonly RoleName[];
  readonly region: RegionName;
  /** Name of this process in logs, metrics and leases. */
  readonly instance: string;
  /** Folder of the catalogue. */
  readonly catalogue: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly postgresUrl: string;
  /** Null: control entries go out unsigned. */
  readonly signingKeyFile: string | null;
  /** Null: no spans. */
  readonly otlpUrl: string | null;
  /** Null: nobody told where traces are looked at. */
  readonly tracesUrl: string | null;
  /** Share of new traces that are sampled, 0 to 1. */
  readonly traceRatio: number;
  readonly auth: 'none';
  readonly logLevel: LogLevel;
}

/** What a process is that serves nobody: a service that is a gateway for itself. */
export type UnservedConfiguration = Omit<RoleConfiguration, 'listen' | 'auth' | 'logLevel'>;

export type ConfigurationReading =
  | { readonly kind: 'valid'; readonly configuration: RoleConfiguration }
  | { readonly kind: 'invalid'; readonly findings: readonly ConfigurationFinding[] };

/** Of new traces, where nobody says otherwise. */
export const TRACE_RATIO_DEFAULT = 0.01;

/** Exit code of a process that was told something it cannot use. */
export const EXIT_CODE_MISCONFIGURED = 2;

type Environment = { readonly [name: string]: string | undefined };

const LOG_LEVELS = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
] as const satisfies readonly LogLevel[];
const INSTANCE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const schema = z
  .object({
    LOCKSTEP_ROLES: describedText(
      { values: `a comma list of ${ROLES.join(', ')}`, fallback: null, meaning: 'What this process does.' },
      parseRoles,
    ),
    LOCKSTEP_REGION: describedText(
      { values: 'a region of topology.yaml', fallback: null, meaning: 'The region in which it runs.' },
      (text) => (isRegionName(text) ? { value: text } : { wrong: `${quote(text)} is no name of a region` }),
    ),
    LOCKSTEP_INSTANCE: describedText(
      {
        values: '1-63 letters, digits, dots, dashes or underscores',
        fallback: 'the host name',
        meaning: 'Name of this process in logs, metrics and leases.',
      },
      (text) =>
        INSTANCE_PATTERN.test(text) ? { value: text } : { wrong: `${quote(text)} is no name of an instance` },
    ),
    LOCKSTEP_CATALOGUE: catalogueFolder(null),
    LOCKSTEP_LISTEN: describedText(
      {
        values: 'host:port, for example 127.0.0.1:7100; port 0 takes a free one',
        fallback: '127.0.0.1:7100',
        meaning: 'Where it answers HTTP.',
      },
      parseListen,
    ),
    LOCKSTEP_POSTGRES_URL: regionDatabase(null),
    LOCKSTEP_SIGNING_KEY_FILE: describedText(
      {
        values: 'the path of an Ed25519 private key (PEM, PKCS8) that only its owner may read',
        fallback: 'control entries are not signed',
        meaning: 'By what a coordinator signs control entries; needed where topology.yaml names keys.',
      },
      (text) => ({ value: text }),
    ).optional(),
    LOCKSTEP_OTLP_URL: spanCollector('no spans are sent', 'Where spans are sent.').optional(),
    LOCKSTEP_TRACES_URL: describedText(
      {
        values: 'the base URL of a Jaeger, for example http://127.0.0.1:16686',
        fallback: 'the console shows trace ids without a link',
        meaning: 'Where people look at traces; the console of a coordinator leads there.',
      },
      (text) => parseUrl(text, ['http:', 'https:']),
    ).optional(),
    LOCKSTEP_TRACE_RATIO: describedText(
      {
        values: 'a number from 0 to 1',
        fallback: String(TRACE_RATIO_DEFAULT),
        meaning:
          "Share of new traces that are sampled; a caller's flag decides before it. Failed, open and slow requests and moves of shards are kept whatever it says.",
      },
      parseRatio,
    ),
    LOCKSTEP_AUTH: describedText(
      {
        values: 'none, together with a loopback LOCKSTEP_LISTEN',
        fallback: 'none',
        meaning: 'How callers are known.',
      },
      parseAuth,
    ),
    LOCKSTEP_LOG_LEVEL: describedText(
      {
        values: `one of ${LOG_LEVELS.join(', ')}`,
        fallback: 'info',
        meaning: 'The least level that is logged.',
      },
      (text) => {
        const value = LOG_LEVELS.find((level) => level === text);
        return value === undefined ? { wrong: `${quote(text)} is no level` } : { value };
      },
    ),
  })
  .superRefine((values, context) => {
    if (values.LOCKSTEP_AUTH === 'none' && !isLoopback(values.LOCKSTEP_LISTEN.host)) {
      context.addIssue({
        code: 'custom',
        path: ['LOCKSTEP_LISTEN'],
        message: `${quote(values.LOCKSTEP_LISTEN.host)} can be reached from elsewhere, and LOCKSTEP_AUTH=none lets everybody write`,
        params: { set: 'a loopback address, for example 127.0.0.1:7100' },
      });
    }
  });

type Variable = keyof typeof schema.shape;
const VARIABLES = Object.keys(schema.shape) as readonly Variable[];

/** @param hostName names the instance where LOCKSTEP_INSTANCE is not set. */
export function readRoleConfiguration(environment: Environment, hostName: string): ConfigurationReading {
  const fallbacks: { readonly [name in Variable]?: string } = {
    LOCKSTEP_INSTANCE: hostName,
    LOCKSTEP_LISTEN: '127.0.0.1:7100',
    LOCKSTEP_TRACE_RATIO: String(TRACE_RATIO_DEFAULT),
    LOCKSTEP_AUTH: 'none',
    LOCKSTEP_LOG_LEVEL: 'info',
  };
  // An empty value is how compose files and shells spell "not set".
  const told = Object.fromEntries(VARIABLES.map((name) => [name, environment[name] || fallbacks[name]]));
  const read = schema.safeParse(told);
  if (!read.success) return { kind: 'invalid', findings: findingsOf(schema, read.error) };
  const values = read.data;
  return {
    kind: 'valid',
    configuration: Object.freeze({
      roles: values.LOCKSTEP_ROLES,
      region: values.LOCKSTEP_REGION,
      instance: values.LOCKSTEP_INSTANCE,
      catalogue: values.LOCKSTEP_CATALOGUE,
      listen: values.LOCKSTEP_LISTEN,
      postgresUrl: values.LOCKSTEP_POSTGRES_URL,
      signingKeyFile: values.LOCKSTEP_SIGNING_KEY_FILE ?? null,
      otlpUrl: values.LOCKSTEP_OTLP_URL ?? null,
      tracesUrl: values.LOCKSTEP_TRACES_URL ?? null,
      traceRatio: values.LOCKSTEP_TRACE_RATIO,
      auth: values.LOCKSTEP_AUTH,
      logLevel: values.LOCKSTEP_LOG_LEVEL,
    }),
  };
}

/** The configuration by variable, for the log of the start; no secrets. */
export function redactedConfiguration(configuration: RoleConfiguration): {
  readonly [name in Variable]: string;
} {
  const { listen } = configuration;
  return {
    LOCKSTEP_ROLES: configuration.roles.join(','),
    LOCKSTEP_REGION: configuration.region,
    LOCKSTEP_INSTANCE: configuration.instance,
    LOCKSTEP_CATALOGUE: configuration.catalogue,
    LOCKSTEP_LISTEN: `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}`,
    LOCKSTEP_POSTGRES_URL: withoutSecrets(configuration.postgresUrl),
    LOCKSTEP_SIGNING_KEY_FILE: configuration.signingKeyFile ?? '',
    LOCKSTEP_OTLP_URL: configuration.otlpUrl === null ? '' : withoutSecrets(configuration.otlpUrl),
    LOCKSTEP_TRACES_URL: configuration.tracesUrl === null ? '' : withoutSecrets(configuration.tracesUrl),
    LOCKSTEP_TRACE_RATIO: String(configuration.traceRatio),
    LOCKSTEP_AUTH: configuration.auth,
    LOCKSTEP_LOG_LEVEL: configuration.logLevel,
  };
}

/** The table of the README, in the schema's order. */
export const configurationTable = (): string => meaningTable('Variable', meaningsOf(schema));

function parseRoles(text: string): Parsed<readonly RoleName[]> {
  const names = text.split(',').map((name) => name.trim());
  const strange = names.find((name) => !ROLES.some((role) => role === name));
  if (strange !== undefined) return { wrong: `${quote(strange)} is no role` };
  if (new Set(names).size < names.length) return { wrong: 'a role is named twice' };
  return { value: ROLES.filter((role) => names.includes(role)) };
}

function parseListen(text: string): Parsed<RoleConfiguration['listen']> {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]/]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) return { wrong: `${quote(text)} is no host and port` };
  return { value: { host, port: Number(port) } };
}

function parseRatio(text: string): Parsed<number> {
  return /^(0(\.\d{1,9})?|1(\.0{1,9})?)$/.test(text)
    ? { value: Number(text) }
    : { wrong: `${quote(text)} is no number from 0 to 1` };
}

function parseAuth(text: string): Parsed<'none'> {
  if (text === 'none') return { value: 'none' };
  return {
    wrong: text === 'jwt' ? 'jwt is not available yet' : `${quote(text)} is no kind of authentication`,
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 60));
