/**
 * Clients that go to another region after every call, with nothing but the token of their last answer: each sees its own
 * writes and never goes back, while regions lag and processes are killed.
 */
import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { REGIONS, write, type LocalCluster } from '../e2e/local-cluster.js';

const CLIENTS = 12;
/** Of each client's calls one in so many is a write. */
const WRITE_EVERY = 10;
const REFUSED_PAUSE_MS = 20;
const LAG_MS = 700;
/** Long enough that most reads meet a region that has caught up, whatever came before. */
const QUIET_MS = 3_000;

export interface HoppingReads {
  readonly reads: number;
  readonly writes: number;
  /** Told to ask again: a region that lags for longer than the read waits, or a process that is gone. */
  readonly refused: number;
  readonly faults: number;
}

/** Until so many reads were answered, and every fault had its turn. */
export async function expectNoStepBack(cluster: LocalCluster, readsWanted: number): Promise<HoppingReads> {
  const gateways = REGIONS.map((region) => cluster.gateway(region));
  const counts = { reads: 0, writes: 0, refused: 0, faults: 0 };
  const violations: string[] = [];
  let isOver = false;

  const hop = async (client: number): Promise<void> => {
    const key = `${REGIONS[client % 3]}:hop-${client}`;
    let token: string | null = null;
    /** What the client has seen last, by its own write or a read. */
    let seen = { version: 0, balance: 0 };
    const take = (via: number, version: number, balance: number, told: string | null): void => {
      if (version < seen.version || balance < seen.balance)
        violations.push(
          `${key} via ${REGIONS[via]}: ${version}/${balance} behind ${seen.version}/${seen.balance}`,
        );
      seen = { version, balance };
      token = told ?? token;
    };
    const opened = await write(cluster, 'eu', 'accounts', {
      events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
      ack: 'everywhere',
      timeoutMs: 20_000,
    });
    expect(opened).toMatchObject({ status: 200 });
    take(0, opened.body.sequence as number, 0, opened.body.token as string);
    for (let turn = client; !isOver; turn += 1) {
      const via = turn % 3;
      try {
        if (turn % WRITE_EVERY === 0) {
          const answer = await write(
            cluster,
            REGIONS[via]!,
            'accounts',
            { events: [{ key, type: 'credited', data: { amount: 1 } }], ack: 'accepted', timeoutMs: 5_000 },
            randomUUID(),
          );
          const {
            outcome,
            sequence,
            token: told,
          } = answer.body as {
            outcome?: string;
            sequence?: number;
            token?: string;
          };
          if (outcome === 'accepted' && answer.status === 200) {
            counts.writes += 1;
            take(via, sequence!, seen.balance + 1, told!);
          }
          continue;
        }
        const url = `${gateways[via]}/v1/datasets/accounts/rows/${encodeURIComponent(key)}?consistency=session&timeoutMs=2000`;
        const response = await fetch(url, { headers: { 'lockstep-token': token! } });
        const body = (await response.json()) as { version: number; row: { balance: number } };
        if (response.status === 200) {
          counts.reads += 1;
          take(via, body.version, body.row.balance, response.headers.get('lockstep-token'));
          continue;
        }
        if (response.status !== 412 && response.status !== 503 && response.status !== 429)
          violations.push(`${key} via ${REGIONS[via]}: ${response.status} ${JSON.stringify(body)}`);
      } catch (error) {
        // A gateway that is gone; what a write did then is unknown, and later reads may show it.
        if ((error as Error).name !== 'TypeError') throw error;
      }
      counts.refused += 1;
      await delay(REFUSED_PAUSE_MS);
    }
  };

  const hopping = Promise.all(Array.from({ length: CLIENTS }, (_, client) => hop(client)));
  // A client that fails must not be waited for.
  let failure: unknown = null;
  hopping.catch((error: unknown) => (failure = error));
  for (let turn = 0; failure === null && (turn < FAULTS.length || counts.reads < readsWanted); turn += 1) {
    await FAULTS[turn % FAULTS.length]!(cluster, REGIONS[turn % 3]!);
    counts.faults += 1;
    await delay(QUIET_MS);
  }
  isOver = true;
  await hopping;
  expect(violations).toEqual([]);
  return counts;
}

const FAULTS: readonly ((cluster: LocalCluster, region: string) => Promise<void>)[] = [
  async (cluster, region) => {
    await cluster.lockstep(['local', 'kill', region, 'replicator']);
  },
  async (cluster, region) => {
    await cluster.lockstep(['local', 'pause', region, 'replicator']);
    await delay(LAG_MS);
    await cluster.lockstep(['local', 'continue', region, 'replicator']);
  },
  async (cluster, region) => {
    await cluster.lockstep(['local', 'kill', region, 'gateway']);
  },
  async (cluster, region) => {
    await cluster.lockstep(['local', 'pause', region, 'postgres']);
    await delay(LAG_MS);
    await cluster.lockstep(['local', 'continue', region, 'postgres']);
  },
];
