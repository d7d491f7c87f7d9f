/**
 * A local cluster as seen from its data folder: `cluster.json` says where its roles answer, `control.json` how its
 * supervisor is spoken to. Both files are contracts; nothing of the supervisor's code is needed here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from './cli-error.js';

export interface ClusterFile {
  readonly kafka: { readonly brokers: readonly string[]; readonly pids: readonly (number | null)[] };
  readonly regions: Readonly<
    Record<
      string,
      {
        readonly gateway: string;
        readonly coordinator: string;
        readonly replicator: string;
        readonly postgres: string;
      }
    >
  >;
}

export interface ClusterStatus {
  readonly state: string;
  readonly pid: number;
  readonly cluster: ClusterFile | null;
  readonly processes: readonly {
    readonly name: string;
    readonly pid: number | null;
    readonly state: string;
    readonly log: string;
  }[];
  readonly wideArea: {
    readonly delayMs: number;
    readonly cuts: readonly { readonly region: string; readonly lost: string }[];
    readonly swallowing: readonly {
      readonly region: string;
      readonly due: number;
      readonly swallowed: number;
    }[];
  } | null;
}

/** The same from `src` and from `dist`. */
const defaultFolder = resolve(dirname(fileURLToPath(import.meta.url)), '../../../.lockstep/local');
const ANSWER_MS_MAX = 120_000;

export function localFolder(data: string | undefined): string {
  return data === undefined ? defaultFolder : resolve(data);
}

export function readCluster(data: string | undefined): ClusterFile {
  const path = join(localFolder(data), 'cluster.json');
  if (!existsSync(path)) throw notRunning(data);
  return JSON.parse(readFileSync(path, 'utf8')) as ClusterFile;
}

/** One call to the supervisor; its refusals are shown as it words them. */
export async function askSupervisor(
  data: string | undefined,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const file = join(localFolder(data), 'control.json');
  if (!existsSync(file)) throw notRunning(data);
  const { socket, token } = JSON.parse(readFileSync(file, 'utf8')) as { socket: string; token: string };
  const { status, text } = await new Promise<{ status: number; text: string }>((settle, fail) => {
    const outgoing = request(
      {
        socketPath: socket.replace(/^@/, '\0'),
        method,
        path,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (answer += chunk));
        response.on('end', () => settle({ status: response.statusCode ?? 0, text: answer }));
      },
    );
    outgoing.setTimeout(ANSWER_MS_MAX, () =>
      outgoing.destroy(new CliError(1, `The supervisor has not answered within ${ANSWER_MS_MAX / 1000} s.`)),
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ECONNREFUSED' ? notRunning(data) : error),
    );
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
  const answer = JSON.parse(text) as { message?: string };
  if (status === 200) return answer;
  throw new CliError(status === 422 ? 2 : 1, answer.message ?? `The supervisor answered ${status}.`);
}

function notRunning(data: string | undefined): CliError {
  return new CliError(
    1,
    `No local cluster runs on ${localFolder(data)}. Start one with npm start${data === undefined ? '' : ` -- --data ${data}`}.`,
  );
}
