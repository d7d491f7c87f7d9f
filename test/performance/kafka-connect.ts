/** A standalone worker of Kafka Connect with the Debezium plugins, asked over its REST interface. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { anyFreePort } from '@lockstep/local';
import { installJavaPeer } from './peer-packages.ts';

const START_MS_MAX = 60_000;
const END_MS_MAX = 10_000;
const LOOK_EVERY_MS = 100;
const LAST_WORDS = 4_000;
/** As the worker's own start script has it. */
const JAVA_OPTIONS = ['-Xms256m', '-Xmx2g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];

export type ConnectorSettings = Readonly<Record<string, string>>;

interface Status {
  readonly connector: { readonly state: string; readonly trace?: string };
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[];
}

export class KafkaConnect {
  readonly pid: number;
  readonly #url: string;
  readonly #log: string;
  readonly #end: () => Promise<void>;

  private constructor(url: string, { pid, log, end }: Awaited<ReturnType<typeof launch>>) {
    this.#url = url;
    this.pid = pid;
    this.#log = log;
    this.#end = end;
  }

  static async start(brokers: readonly string[]): Promise<KafkaConnect> {
    const peer = await installJavaPeer('kafka-connect', {
      pom: join(import.meta.dirname, 'peers/kafka-connect/pom.xml'),
      goals: ['dependency:copy-dependencies@worker', 'dependency:unpack-dependencies@plugins'],
    });
    const url = `http://127.0.0.1:${await anyFreePort()}`;
    const worker = new KafkaConnect(url, await launch(peer, brokers, url));
    const untilMs = performance.now() + START_MS_MAX;
    while (!(await worker.#serves())) {
      if (performance.now() > untilMs) {
        const words = worker.#lastWords();
        await worker.stop();
        throw new Error(`Kafka Connect does not serve:\n${words}`);
      }
      await sleep(LOOK_EVERY_MS);
    }
    return worker;
  }

  /** Answers as soon as its tasks are being started. */
  async begin(connector: string, settings: ConnectorSettings): Promise<void> {
    await this.#ask('PUT', `/connectors/${connector}/config`, settings);
  }

  /** Throws what a task has failed of. */
  async check(connector: string): Promise<void> {
    const status = (await this.#ask('GET', `/connectors/${connector}/status`)) as Status;
    for (const { state, trace } of [status.connector, ...status.tasks])
      if (state === 'FAILED') throw new Error(`${connector} failed: ${trace?.slice(0, LAST_WORDS)}`);
  }

  /** Its tasks end soon after, and keep their places. */
  async halt(connector: string): Promise<void> {
    await this.#ask('PUT', `/connectors/${connector}/stop`);
  }

  async resume(connector: string): Promise<void> {
    await this.#ask('PUT', `/connectors/${connector}/resume`);
  }

  /** When it answers, the tasks have ended. */
  async end(connector: string): Promise<void> {
    await this.#ask('DELETE', `/connectors/${connector}`);
  }

  stop(): Promise<void> {
    return this.#end();
  }

  async #serves(): Promise<boolean> {
    return fetch(`${this.#url}/connectors`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async #ask(method: string, path: string, body?: ConnectorSettings): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new Error(`Kafka Connect does not answer:\n${this.#lastWords()}`, { cause: error });
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}\n${this.#lastWords()}`);
    return text === '' ? null : JSON.parse(text);
  }

  #lastWords(): string {
    return readFileSync(this.#log, 'utf8').slice(-LAST_WORDS);
  }
}

async function launch(
  peer: string,
  brokers: readonly string[],
  url: string,
): Promise<{ readonly pid: number; readonly log: string; readonly end: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-connect-'));
  const properties = join(folder, 'worker.properties');
  const settings = {
    'bootstrap.servers': brokers.join(','),
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'offset.storage.file.filename': join(folder, 'offsets'),
    'plugin.path': join(peer, 'plugins'),
    listeners: url,
  };
  writeFileSync(
    properties,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const log = join(folder, 'connect.log');
  const file = openSync(log, 'w');
  const child = spawn(
    process.env['LOCKSTEP_LOCAL_JAVA'] ?? 'java',
    [
      ...JAVA_OPTIONS,
      ...['-cp', join(peer, 'worker/*'), '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
      ...['org.apache.kafka.connect.cli.ConnectStandalone', properties],
    ],
    { stdio: ['ignore', file, file] },
  );
  closeSync(file);
  const ended = once(child, 'exit');
  await once(child, 'spawn');
  return {
    pid: child.pid!,
    log,
    end: async () => {
      child.kill('SIGTERM');
      const insist = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
      await ended;
      clearTimeout(insist);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
