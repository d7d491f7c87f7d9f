/**
 * Imported before anything else (NODE_OPTIONS) by the processes of a cluster that `startFailing` starts. In a role it stands where
 * a connection of kafkajs takes a request, reads appends from their bytes, and sends a signal where the cluster's armed failpoint
 * says: just before the append is sent, or just after it was answered. In the supervisor, which gives a role nothing of its
 * caller's environment, it hands itself on to the roles. The product knows nothing of it.
 */
import { existsSync, linkSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ClusterFile } from '@lockstep/local';
import type { Failpoint, Hit } from './failpoints.js';
import { handOptionsOn, ownRole } from './hand-options-on.ts';

/** A signal of a process to itself may take a moment to stop it; nothing may be sent meanwhile. */
const SIGNAL_MS_MAX = 50;

/** What an append would have the log hold. */
interface Append {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly { readonly key: Buffer; readonly value: Buffer }[];
}

interface Call {
  readonly request: { readonly apiName: string; encode(): Promise<{ readonly buffer: Buffer }> };
  readonly response: { decode(payload: Buffer): Promise<unknown> };
}

type Send = (call: Call) => Promise<unknown>;

interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readString(): string | null;
}

const load = createRequire(import.meta.url);
const ConnectionClass = load('kafkajs/src/network/connection') as { readonly prototype: { send: Send } };
const DecoderClass = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => Decoder;
const decodeMessages = load('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
  decoder: Decoder,
) => Promise<Append['messages']>;

if (ownRole === undefined) handOptionsOn();
else standInAppends(dirname(dirname(process.env['LOCKSTEP_CATALOGUE']!)));

function standInAppends(data: string): void {
  const send = ConnectionClass.prototype.send;
  /** How often this process has met the failpoint of that name. */
  const met = new Map<string, number>();

  const pass = (moment: Failpoint['moment'], append: Append): void => {
    const failpoint = armedIn(data);
    if (failpoint === null || failpoint.moment !== moment || failpoint.appender !== ownRole) return;
    if (!isMetBy(failpoint, append)) return;
    const times = (met.get(failpoint.name) ?? 0) + 1;
    met.set(failpoint.name, times);
    if (times !== failpoint.nth) return;
    const pid = pidOf(data, failpoint.victim);
    if (!claim(join(data, `${failpoint.name}.hit`), { pid })) return;
    process.kill(pid, failpoint.signal);
    if (pid === process.pid) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SIGNAL_MS_MAX);
  };

  ConnectionClass.prototype.send = async function sendPassing(this: unknown, call) {
    if (call.request.apiName !== 'Produce') return send.call(this, call);
    const encoded = await call.request.encode();
    const append = await appendIn(encoded.buffer);
    return send.call(this, {
      ...call,
      request: {
        ...call.request,
        encode: async () => {
          pass('before', append);
          return encoded;
        },
      },
      response: {
        ...call.response,
        decode: (payload: Buffer) => {
          pass('after', append);
          return call.response.decode(payload);
        },
      },
    });
  };
}

/** Of a produce request with one partition, behind its header. */
async function appendIn(bytes: Buffer): Promise<Append> {
  const decoder = new DecoderClass(bytes);
  decoder.readString(); // transactional id
  decoder.readInt16(); // acks
  decoder.readInt32(); // time-out
  decoder.readInt32(); // topics
  const topic = decoder.readString()!;
  decoder.readInt32(); // partitions
  const partition = decoder.readInt32();
  return { topic, partition, messages: await decodeMessages(decoder) };
}

function armedIn(data: string): Failpoint | null {
  const file = join(data, 'failpoint.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Failpoint) : null;
}

const isMetBy = ({ at }: Failpoint, { messages, partition, topic }: Append): boolean =>
  topic === at.topic &&
  partition === at.partition &&
  messages.some(({ key, value }) => at.entry === entryName(topic, key.toString(), value.toString()));

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
