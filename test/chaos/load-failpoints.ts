/**
 * Imported before anything else (NODE_OPTIONS) by the processes of a cluster that `startFailing` starts. In a role it stands where
 * kafkajs encodes a produce request and decodes its answer, and sends a signal where the cluster's armed failpoint says: just
 * before the append is sent, or just after it was answered. In the supervisor, which gives a role nothing of its caller's
 * environment, it hands itself on to the roles. The product knows nothing of it.
 */
import childProcess from 'node:child_process';
import { existsSync, linkSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import type { ClusterFile } from '@lockstep/local';
import type { Failpoint, Hit } from './failpoints.js';

/** A signal of a process to itself may take a moment to stop it; nothing may be sent meanwhile. */
const SIGNAL_MS_MAX = 50;

interface ProduceFields {
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly { readonly key: string; readonly value: string }[];
    }[];
  }[];
}

interface Call {
  readonly request: { encode(): Promise<unknown> };
  readonly response: { decode(payload: Buffer): Promise<unknown> };
}

interface Requests {
  readonly Produce: { protocol: (version: object) => (fields: ProduceFields) => Call };
}

const role = process.env['LOCKSTEP_ROLES'];
if (role === undefined) handOn();
else standInProduce(dirname(dirname(process.env['LOCKSTEP_CATALOGUE']!)), role);

function handOn(): void {
  const { spawn } = childProcess;
  const spawnWith = (command: string, args: readonly string[], options: childProcess.SpawnOptions) => {
    const env = options.env ?? {};
    if (env['LOCKSTEP_ROLES'] === undefined) return spawn(command, args, options);
    return spawn(command, args, {
      ...options,
      env: { ...env, NODE_OPTIONS: process.env['NODE_OPTIONS'] },
    });
  };
  childProcess.spawn = spawnWith as typeof spawn;
  syncBuiltinESMExports();
}

function standInProduce(data: string, ownRole: string): void {
  const { requests } = createRequire(import.meta.url)('kafkajs/src/protocol/requests') as {
    readonly requests: Requests;
  };
  const { protocol } = requests.Produce;
  /** How often this process has met the failpoint of that name. */
  const met = new Map<string, number>();

  const pass = (moment: Failpoint['moment'], fields: ProduceFields): void => {
    const failpoint = armedIn(data);
    if (failpoint === null || failpoint.moment !== moment || failpoint.appender !== ownRole) return;
    if (!isMetBy(failpoint, fields)) return;
    const times = (met.get(failpoint.name) ?? 0) + 1;
    met.set(failpoint.name, times);
    if (times !== failpoint.nth) return;
    const pid = pidOf(data, failpoint.victim);
    if (!claim(join(data, `${failpoint.name}.hit`), { pid })) return;
    process.kill(pid, failpoint.signal);
    if (pid === process.pid) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SIGNAL_MS_MAX);
  };

  requests.Produce.protocol = (version) => (fields) => {
    const { request, response } = protocol(version)(fields);
    const encode = request.encode.bind(request);
    return {
      request: Object.assign(request, {
        encode: () => {
          pass('before', fields);
          return encode();
        },
      }),
      response: {
        ...response,
        decode: (payload: Buffer) => {
          pass('after', fields);
          return response.decode(payload);
        },
      },
    };
  };
}

function armedIn(data: string): Failpoint | null {
  const file = join(data, 'failpoint.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Failpoint) : null;
}

function isMetBy({ at }: Failpoint, { topicData }: ProduceFields): boolean {
  return topicData.some(({ partitions, topic }) =>
    partitions.some(
      ({ messages, partition }) =>
        topic === at.topic &&
        partition === at.partition &&
        messages.some(({ key, value }) => at.entry === entryName(topic, key, value)),
    ),
  );
}

/** Of the control log: the command, or the event of a stage. Of a shard: the kind; the key of a control entry is its kind. */
function entryName(topic: string, key: string, value: string): string {
  if (topic !== 'lockstep.control') return key.includes(':') ? 'data' : key;
  const { command } = JSON.parse(value) as {
    readonly command: { readonly kind: string; readonly event?: string };
  };
  return command.event ?? command.kind;
}

function pidOf(data: string, { process: name, region }: Failpoint['victim']): number {
  const { regions } = JSON.parse(readFileSync(join(data, 'cluster.json'), 'utf8')) as ClusterFile;
  return regions[region]!.pids[name]!;
}

/** Once for the whole cluster, whoever else meets the failpoint; whole when it is seen. */
function claim(file: string, hit: Hit): boolean {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, JSON.stringify(hit));
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
