/**
 * One call to a gateway or a coordinator, over HTTP. Without an address it is found through the local cluster's files.
 * A refusal is a CliError with the role's own sentence; whoever may ask again tells `Unavailable` from the rest.
 */
import type { Command } from 'commander';
import { CliError } from './cli-error.js';
import { readCluster } from './local-cluster.js';

export type Role = 'gateway' | 'coordinator';

export interface AddressOptions {
  readonly url?: string;
  readonly region?: string;
  readonly data?: string;
  readonly json?: boolean;
}

export interface RoleAnswer {
  readonly origin: string;
  readonly status: number;
  readonly text: string;
}

/** Nobody answered, or whoever did cannot serve now. */
export class Unavailable extends CliError {}

const ANSWER_MS_MAX = 15_000;

export function withAddress(command: Command): Command {
  return command
    .option('--url <address>', 'the gateway or coordinator to ask, for example http://127.0.0.1:7101')
    .option('--region <region>', 'the region of the local cluster to ask (its first)')
    .option('--data <dir>', 'data folder of the local cluster')
    .option('--json', 'for programs');
}

/** @param body what is sent; without one it is read. */
export async function callRole(
  role: Role,
  path: string,
  options: AddressOptions,
  body?: object,
): Promise<RoleAnswer> {
  const address = new URL(
    path,
    options.url === undefined ? addressInLocalCluster(role, options) : parseAddress(options.url),
  );
  const { origin } = address;
  try {
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(address, { ...sent, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return { origin, status: response.status, text: await response.text() };
  } catch (error) {
    const { message, cause } = error as Error;
    throw new Unavailable(
      1,
      `${origin} does not answer: ${cause instanceof Error ? cause.message : message}`,
    );
  }
}

/** The body of an answer that is no refusal. */
export async function askRole(
  role: Role,
  path: string,
  options: AddressOptions,
  body?: object,
): Promise<unknown> {
  const answer = await callRole(role, path, options, body);
  if (isRefusal(answer)) throw refusalIn(answer);
  return JSON.parse(answer.text);
}

export const isRefusal = ({ status }: RoleAnswer): boolean => status < 200 || status > 299;

export function refusalIn({ origin, status, text }: RoleAnswer): CliError {
  const message = `${origin} answered ${status}: ${problemSentence(text)}`;
  return status === 503 ? new Unavailable(1, message) : new CliError(1, message);
}

function addressInLocalCluster(role: Role, options: AddressOptions): string {
  const { regions } = readCluster(options.data);
  const name = options.region ?? Object.keys(regions)[0] ?? '';
  const region = regions[name];
  if (region === undefined)
    throw new CliError(2, `There is no region ${name} here, only ${Object.keys(regions).join(', ')}.`);
  return region[role];
}

function parseAddress(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new CliError(2, `--url ${text}: expected an address such as http://127.0.0.1:7101.`);
}

function problemSentence(text: string): string {
  try {
    const { code, title, detail } = JSON.parse(text) as { code?: string; title?: string; detail?: string };
    return [code, detail ?? title].filter((part) => part !== undefined).join(': ') || text;
  } catch {
    return text.slice(0, 500);
  }
}

export function shardInPath(shard: string): string {
  if (/^[a-z][a-z0-9_]*\/\d+$/.test(shard)) return shard;
  throw new CliError(2, `A shard is written like accounts/0, not ${shard}.`);
}
