/** A coordinator that answers what a test tells it to, and what the program says to people meanwhile. */
import { jest } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { runProgram } from './program.js';

export interface FakeAnswer {
  readonly status: number;
  readonly body: object;
}

/** Answers by call, such as `POST /v1/pause`, in order; the last one stays. `gone` breaks the connection. */
export interface Script {
  readonly [call: string]: readonly (FakeAnswer | 'gone')[];
}

/** What the coordinator was asked, in order. */
export type Asked = readonly { readonly call: string; readonly body: unknown }[];

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly asked: Asked;
}

/**
 * Runs one command line against a coordinator of its own.
 * @param typed what somebody at a terminal types; null when stdin is none.
 */
export async function run(
  script: Script,
  words: readonly string[],
  typed: string | null = null,
): Promise<Run> {
  const coordinator = await startCoordinator(script);
  try {
    const ended = await runLine([...words, '--url', coordinator.url], typed);
    return { ...ended, asked: coordinator.asked };
  } finally {
    await coordinator.close();
  }
}

async function startCoordinator(
  script: Script,
): Promise<{ readonly url: string; readonly asked: Asked; close(): Promise<void> }> {
  const asked: { call: string; body: unknown }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      const call = `${request.method} ${request.url}`;
      const answers = script[call] ?? [{ status: 404, body: { code: 'not-found', detail: `no ${call}` } }];
      const count = asked.filter((before) => before.call === call).length;
      asked.push({ call, body: text === '' ? null : JSON.parse(text) });
      const answer = answers[Math.min(count, answers.length - 1)]!;
      if (answer === 'gone') request.socket.destroy();
      else response.writeHead(answer.status).end(JSON.stringify(answer.body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function runLine(words: readonly string[], typed: string | null): Promise<Omit<Run, 'asked'>> {
  const out: string[] = [];
  const err: string[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: typed !== null });
  stdin.end(typed ?? '');
  const into =
    (lines: string[]) =>
    (text: unknown): void =>
      void lines.push(String(text));
  jest.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as unknown as typeof process.stdin);
  jest.spyOn(console, 'log').mockImplementation(into(out));
  jest.spyOn(console, 'error').mockImplementation(into(err));
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => (err.push(String(text)), true));
  try {
    return { code: await runProgram(words), out: out.join('\n'), err: err.join('\n') };
  } finally {
    jest.restoreAllMocks();
  }
}
