/**
 * Load whose outcome can be judged: unit credits to a few accounts, through every gateway, each under a key of its own.
 *
 * Every answer is remembered as it was told. Afterwards `settle` makes each unknown definite the way a client would, by
 * its `Location`, and `expectEffectsOnce` compares: a balance is the number of credits that were accepted, in every
 * region. One more is an effect that happened twice or a refusal that lied, one less is a lost acknowledgement.
 */
import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  call,
  eventually,
  REGIONS,
  write,
  type Answered,
  type LocalCluster,
  type Region,
} from '../e2e/local-cluster.js';

export interface Told {
  readonly account: string;
  readonly via: Region;
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly answer: Answered;
}

interface WriterOptions {
  /** Part of the accounts' names, so that writers do not meet. */
  readonly name: string;
  readonly ack: 'accepted' | 'quorum' | 'everywhere';
  readonly inFlight: number;
  readonly timeoutMs: number;
  readonly homes?: readonly Region[];
  readonly via?: readonly Region[];
  /** Between the answer and the next write of the same loop. */
  readonly pauseMs?: number;
  /** Before the next write of the same loop. */
  readonly afterAnswer?: (told: Told) => Promise<void>;
}

const ACCOUNTS_PER_HOME = 3;
/** A client that is told to go away does not come back at once. */
const REFUSED_PAUSE_MS = 50;

export class AccountWriter {
  readonly told: Told[] = [];
  private stopped = false;
  private running: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly cluster: LocalCluster,
    private readonly options: WriterOptions,
    readonly accounts: readonly string[],
  ) {}

  static async open(cluster: LocalCluster, options: WriterOptions): Promise<AccountWriter> {
    const accounts = (options.homes ?? REGIONS).flatMap((home) =>
      Array.from({ length: ACCOUNTS_PER_HOME }, (_, i) => `${home}:${options.name}-${i}`),
    );
    for (const key of accounts) {
      const answer = await write(cluster, 'us', 'accounts', {
        events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
        ack: 'everywhere',
        timeoutMs: 20_000,
      });
      expect(answer).toMatchObject({ status: 200 });
    }
    return new AccountWriter(cluster, options, accounts);
  }

  /** Writes until `stop`, `inFlight` at a time. */
  start(): void {
    const via = this.options.via ?? REGIONS;
    this.running = Promise.all(
      Array.from({ length: this.options.inFlight }, async (_, loop) => {
        for (let i = loop; !this.stopped; i += 1) {
          const told = await this.credit(
            this.accounts[(i * 7) % this.accounts.length]!,
            via[i % via.length]!,
          );
          await this.options.afterAnswer?.(told);
          const pauseMs = told.answer.status >= 429 ? REFUSED_PAUSE_MS : (this.options.pauseMs ?? 0);
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      }),
    );
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  async credit(account: string, via: Region): Promise<Told> {
    const { ack, timeoutMs } = this.options;
    const body = { events: [{ key: account, type: 'credited', data: { amount: 1 } }], ack, timeoutMs };
    const askedMs = Date.now();
    const answer = await write(this.cluster, via, 'accounts', body, randomUUID());
    const told = { account, via, askedMs, answeredMs: Date.now(), answer };
    this.told.push(told);
    return told;
  }

  /** How often each status was answered to writes through these gateways that were asked and answered in that time. */
  statuses({
    fromMs = 0,
    toMs = Infinity,
    via = REGIONS,
  }: {
    readonly fromMs?: number;
    readonly toMs?: number;
    readonly via?: readonly Region[];
  } = {}): Readonly<Record<number, number>> {
    const counts: Record<number, number> = {};
    for (const told of this.told) {
      if (told.askedMs < fromMs || told.answeredMs > toMs || !via.includes(told.via)) continue;
      counts[told.answer.status] = (counts[told.answer.status] ?? 0) + 1;
    }
    return counts;
  }

  /**
   * What the region was named for as a holder, its database holds, before it folds anything more: at least that
   * sequence of the shard is committed there (I7).
   */
  async expectToldIsStored(region: Region): Promise<void> {
    const told = new Map<string, number>();
    for (const { answer } of this.told) {
      const { shard, sequence, stages } = answer.body;
      const named =
        stages?.everywhere !== undefined ||
        stages?.accepted?.region === region ||
        stages?.quorum?.regions.includes(region) === true;
      if (named) told.set(shard, Math.max(told.get(shard) ?? 0, sequence));
    }
    expect(told.size).toBeGreaterThan(0);
    const rows = await this.cluster.sql(
      region,
      'select shard, sequence from lockstep.cursor where shard = any($1)',
      [[...told.keys()]],
    );
    const stored = new Map(rows.map((row) => [row['shard'] as string, Number(row['sequence'])]));
    for (const [shard, sequence] of told) expect(stored.get(shard)).toBeGreaterThanOrEqual(sequence);
  }

  /** Only what the contract knows: reached, not known to be reached in time, or refused with a time to come back. */
  expectHonestAnswers(): void {
    for (const { answer } of this.told) {
      if (answer.status === 503 || answer.status === 429)
        expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      else if (answer.status === 202) expect(answer.headers.get('location')).toMatch(/^\//);
      else expect(answer).toMatchObject({ status: 200, body: { outcome: 'accepted' } });
    }
  }

  /** Every account, in every region: exactly the credits that were accepted, once everything unknown is definite. */
  async expectEffectsOnce(): Promise<void> {
    const accepted = new Map(this.accounts.map((account) => [account, 0]));
    const areAccepted = await Promise.all(this.told.map((told) => this.isAccepted(told)));
    for (const [i, { account }] of this.told.entries()) {
      if (areAccepted[i] === true) accepted.set(account, accepted.get(account)! + 1);
    }
    const expected = [...accepted].map(([id, balance]) => ({ id, balance: String(balance) }));
    for (const region of REGIONS) {
      const rows = await eventually(
        () =>
          this.cluster.sql(
            region,
            'select id, balance from accounts join unnest($1::text[]) with ordinality as a(id, n) using (id) order by n',
            [this.accounts],
          ),
        (found) => JSON.stringify(found) === JSON.stringify(expected),
        20_000,
      ).catch(() => null);
      if (rows !== null) continue;
      // For the difference between the two.
      expect({
        region,
        rows: await this.cluster.sql(region, 'select id, balance from accounts where id = any($1)', [
          this.accounts,
        ]),
      }).toEqual({ region, rows: expect.arrayContaining(expected) });
    }
  }

  /** A 202 is asked again by its receipt until it is definite. */
  private async isAccepted({ answer, via }: Told): Promise<boolean> {
    if (answer.status !== 202) return answer.body.outcome === 'accepted';
    if (answer.body.outcome === 'accepted') return true;
    const location = answer.headers.get('location')!;
    const settled = await eventually(
      () => call(`${this.cluster.gateway(via)}${location}&wait=accepted&timeoutMs=5000`),
      ({ status, body }) =>
        (status === 200 && body.outcome !== 'unknown') || body.code === 'never-or-expired',
      60_000,
    );
    return settled.body.outcome === 'accepted';
  }
}
