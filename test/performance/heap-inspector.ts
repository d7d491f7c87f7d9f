/** The live heap of another Node process, asked through its inspector: what a collection of everything leaves. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The environment of a local cluster whose roles can be asked. */
export const INSPECTED = {
  NODE_OPTIONS: `--import=${join(import.meta.dirname, 'open-inspector.ts')} --disable-warning=ExperimentalWarning`,
};

/** Bytes and objects by what made them: a constructor's name, or in brackets a kind that has none. */
export type HeapContent = ReadonlyMap<string, { readonly objects: number; readonly bytes: number }>;

/** The last one: earlier lives of the process wrote to the same file. */
const ADDRESS = /Debugger listening on (ws:\S+)/g;
const NAMED = new Set(['object', 'native', 'closure']);

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly chunk: string };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class HeapInspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #chunks: string[] = [];
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Answer));
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process ended its inspector'));
    });
  }

  /** @param logFile where the process says its inspector's address. */
  static async attach(logFile: string): Promise<HeapInspector> {
    const address = [...readFileSync(logFile, 'utf8').matchAll(ADDRESS)].at(-1)?.[1];
    if (address === undefined) throw new Error(`${logFile} names no inspector`);
    const socket = new WebSocket(address);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error(`${address} does not answer`)));
    });
    return new HeapInspector(socket);
  }

  /** With the memory of its buffers. */
  async liveBytes(): Promise<number> {
    await this.#ask('HeapProfiler.collectGarbage');
    const usage = await this.#ask<{ readonly usedSize: number; readonly backingStorageSize: number }>(
      'Runtime.getHeapUsage',
    );
    return usage.usedSize + usage.backingStorageSize;
  }

  /** The process stands still meanwhile, some seconds. */
  async content(): Promise<HeapContent> {
    this.#chunks = [];
    await this.#ask('HeapProfiler.takeHeapSnapshot');
    const { snapshot, nodes, strings } = JSON.parse(this.#chunks.join('')) as {
      readonly snapshot: {
        readonly meta: {
          readonly node_fields: readonly string[];
          readonly node_types: readonly [readonly string[]];
        };
      };
      readonly nodes: readonly number[];
      readonly strings: readonly string[];
    };
    this.#chunks = [];
    const { node_fields: fields, node_types: types } = snapshot.meta;
    const [typeAt, nameAt, sizeAt] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field)) as [
      number,
      number,
      number,
    ];
    const content = new Map<string, { objects: number; bytes: number }>();
    for (let node = 0; node < nodes.length; node += fields.length) {
      const type = types[0][nodes[node + typeAt]!]!;
      const name = NAMED.has(type) ? strings[nodes[node + nameAt]!]! : `(${type})`;
      let sum = content.get(name);
      if (sum === undefined) content.set(name, (sum = { objects: 0, bytes: 0 }));
      sum.objects += 1;
      sum.bytes += nodes[node + sizeAt]!;
    }
    return content;
  }

  stop(): Promise<void> {
    this.#socket.close();
    return Promise.resolve();
  }

  #ask<T>(method: string): Promise<T> {
    const asked = Promise.withResolvers<unknown>();
    this.#asked += 1;
    this.#waiting.set(this.#asked, asked);
    this.#socket.send(JSON.stringify({ id: this.#asked, method }));
    return asked.promise as Promise<T>;
  }

  #hear({ id, method, params, result, error }: Answer): void {
    if (method === 'HeapProfiler.addHeapSnapshotChunk') this.#chunks.push(params!.chunk);
    if (id === undefined) return;
    const { resolve, reject } = this.#waiting.get(id)!;
    this.#waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error.message));
  }
}
