/**
 * Critical writes of callers who stand beside the home's gateway, each with an account of its own, so that no caller
 * waits for another one's row. What is measured is a way to write; the ways take turns.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { cpus } from 'node:os';
import { atRate } from './pace.ts';
import { processorTime, timeBetween } from './processor-time.ts';

/** One way to write; a write that fails rejects. */
export interface Way {
  readonly name: string;
  write(caller: number): Promise<unknown>;
  /** Until nothing that was written is still on its way to any region. */
  settle(): Promise<void>;
}

export type Ack = 'logged' | 'accepted' | 'quorum' | 'everywhere';

export interface Receipt {
  readonly traceId: string;
  readonly stages: Readonly<Partial<Record<Ack, { readonly at: string }>>>;
}

const TIMEOUT_MS = 20_000;
const OPENING_AT_ONCE = 32;
const RAMP_MS = 1_000;
/** Ids without a slash spread over the shards of the group: so many of them are sure to meet every one. */
const SETTLING = 8;

export class Accounts {
  readonly #gateway: string;
  readonly #group: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  constructor(gateway: string, group: string) {
    this.#gateway = gateway;
    this.#group = group;
  }

  async open(callers: number): Promise<void> {
    const left = Array.from({ length: Math.max(callers, SETTLING) }, (_, caller) => caller).values();
    await Promise.all(
      Array.from({ length: OPENING_AT_ONCE }, async () => {
        for (const caller of left)
          await this.#post('everywhere', {
            key: this.#key(caller),
            type: 'opened',
            data: { owner: 'Ada', currency: 'EUR' },
          });
      }),
    );
  }

  way(ack: Ack): Way {
    return {
      name: `ack ${ack}`,
      write: (caller) => this.credit(caller, ack),
      // Writes behind all others of their shards.
      settle: async () => {
        await Promise.all(Array.from({ length: SETTLING }, (_, caller) => this.credit(caller, 'everywhere')));
      },
    };
  }

  credit(caller: number, ack: Ack): Promise<Receipt> {
    return this.#post(ack, { key: this.#key(caller), type: 'credited', data: { amount: 1 } });
  }

  close(): void {
    this.#agent.destroy();
  }

  #key(caller: number): string {
    return `${this.#group}:bench-${caller}`;
  }

  #post(ack: Ack, event: object): Promise<Receipt> {
    const text = JSON.stringify({ events: [event], ack, timeoutMs: TIMEOUT_MS });
    return new Promise((resolve, reject) => {
      const outgoing = request(`${this.#gateway}/v1/datasets/accounts/entries`, {
        agent: this.#agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          'idempotency-key': randomUUID(),
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(body) as Receipt);
          else reject(new Error(`a write with ack ${ack} was answered ${response.statusCode}: ${body}`));
        });
      });
      outgoing.end(text);
    });
  }
}

/** How long each of so many writes took, one after the other. */
export async function oneAfterAnother(way: Way, writes: number): Promise<readonly number[]> {
  const tookMs: number[] = [];
  for (let count = 0; count < writes; count += 1) {
    const startMs = performance.now();
    await way.write(0);
    tookMs.push(performance.now() - startMs);
  }
  return tookMs;
}

export interface Load {
  /** Answered per second, once all callers are under way. */
  readonly rate: number;
  readonly tookMs: readonly number[];
  /** Of all processors of this machine, between 0 and 1. */
  readonly busy: number;
}

/** So many callers who each wait for their answer. */
export async function manyAtOnce(way: Way, callers: number, seconds: number): Promise<Load> {
  const fromMs = performance.now() + RAMP_MS;
  const untilMs = fromMs + seconds * 1_000;
  const tookMs: number[] = [];
  const before = processorTime({});
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let startMs = performance.now(); startMs < untilMs; startMs = performance.now()) {
        await way.write(caller);
        const endMs = performance.now();
        if (endMs >= fromMs && endMs < untilMs) tookMs.push(endMs - startMs);
      }
    }),
  );
  const passedS = (performance.now() - startedMs) / 1_000;
  const used = Object.values(timeBetween(before, processorTime({}))).reduce((x, y) => x + y, 0);
  return { rate: tookMs.length / seconds, tookMs, busy: used / passedS / cpus().length };
}

export interface PacedLoad {
  /** From when a write was due until it was answered. */
  readonly tookMs: readonly number[];
  readonly refused: number;
}

/** So many a second, whether those before are answered or not: lateness does not slow the demand down. */
export const atPace = (way: Way, callers: number, perSecond: number, seconds: number): Promise<PacedLoad> =>
  atPaceUntil(way, callers, perSecond, (count) => count >= perSecond * seconds);

export async function atPaceUntil(
  way: Way,
  callers: number,
  perSecond: number,
  isOver: (count: number) => boolean,
): Promise<PacedLoad> {
  const tookMs: number[] = [];
  let refused = 0;
  const writes: Promise<void>[] = [];
  await atRate(perSecond, isOver, (count, dueMs) =>
    writes.push(
      way.write(count % callers).then(
        () => void tookMs.push(performance.now() - dueMs),
        () => void (refused += 1),
      ),
    ),
  );
  await Promise.all(writes);
  return { tookMs, refused };
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity;
}
