/**
 * What did not take effect where it was written: late writes of former homes, as this region's fold kept them, and entries of
 * this region's outbox that were undone. The latter wait for a person, who has them applied again or discards them.
 *
 * To apply again is to write the entry's events under its own key at the present home, by whatever gateway is asked, as often
 * as is asked: the log gives a key one effect. Who asks is kept before anything is sent (I19), and the entry is settled by
 * what was told only.
 */
import {
  answerJson,
  answerProblem,
  decideDiscard,
  decideReapply,
  isIdempotencyKey,
  parseShardName,
  problem,
  readDiscardRequest,
  readReapplyRequest,
  settlementOf,
  time,
  type Answer,
  type DatasetName,
  type EntrySettlement,
  type Sequence,
  type SettledEntry,
  type UndoneEntry,
  type Verdict,
} from '@lockstep/protocol';
import { shardsOf } from '../shards-of.js';
import type { Quarantined, QueryStore } from '../ports/store.js';
import type { OutboxParkingStore } from '../ports/outboxes.js';
import type { UndoneInFull, UndoneStore } from '../ports/undone-store.js';
import type { Clock } from '../ports/world.js';
import type { Caller, GatewayDataset, GatewayOptions } from './gateway-options.js';
import type { LedgerFeed } from './ledger-feed.js';
import { readShards, strangeName } from './query.js';
import { answeringStore } from './refusals.js';
import { ReturnTurns } from './return-turns.js';
import type { WriteCall } from './writes.js';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

export interface QuarantineOptions extends Pick<GatewayOptions, 'datasets' | 'region'> {
  readonly feed: Pick<LedgerFeed, 'own'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly store: QueryStore & UndoneStore & OutboxParkingStore;
  /** Writes as this region's gateway does, at the home, wherever that is. */
  readonly write: (call: WriteCall) => Promise<Answer>;
}

/** What is asked of one entry. */
export interface EntryCall {
  /** The idempotency key that it was stored with. */
  readonly id: string;
  readonly body: string;
  readonly caller: Caller;
}

interface Found {
  readonly entry: UndoneInFull;
  readonly dataset: GatewayDataset;
  /** Of its shard, as far as this region has folded. */
  readonly logTimeMs: number;
}

export class Quarantine {
  private readonly turns = new ReturnTurns();

  constructor(private readonly options: QuarantineOptions) {}

  /** Both kinds, each with its newest first. */
  async list(query: { readonly [name: string]: string }): Promise<Answer> {
    const { datasets, region, store } = this.options;
    const strange = strangeName(query, ['dataset', 'shard', 'limit']);
    if (strange !== null) return answerProblem(problem('malformed', strange));
    const { limit = String(LIMIT_DEFAULT) } = query;
    if (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX)
      return answerProblem(problem('malformed', `limit must be a whole number from 1 to ${LIMIT_MAX}`));
    const asked = readShards(datasets, query);
    if ('refused' in asked) return asked.refused;
    return this.answering(async () => {
      const attempts = await store.quarantined(asked, Number(limit));
      const undone = await store.undone(asked, Number(limit));
      return answerJson(200, {
        region,
        attempts: attempts.map(describeAttempt),
        undone: undone.map(describeEntry),
      });
    });
  }

  /** One entry with its events and the rows that it changed. */
  show(id: string): Promise<Answer> {
    return this.answering(async () => {
      const found = await this.find(id);
      if ('refused' in found) return found.refused;
      return answerJson(200, this.describeInFull(found.entry));
    });
  }

  /** How much of a shard waits for the log here, and whether more is taken. */
  outbox(shard: string): Promise<Answer> {
    const { datasets, region, store } = this.options;
    const known = readShards(datasets, { shard });
    if ('refused' in known)
      return Promise.resolve(answerProblem(problem('not-found', `there is no shard ${shard}`)));
    return this.answering(async () =>
      answerJson(200, { region, shard, ...(await store.outboxStanding(known[0]!)) }),
    );
  }

  async reapply({ body, caller, id }: EntryCall): Promise<Answer> {
    const read = readReapplyRequest(body);
    if (read.kind === 'refused') return answerProblem(read.problem);
    const { actor, dryRun, timeoutMs } = read.value;
    const by = actor ?? caller.principal;
    return this.answering(async () => {
      const found = await this.find(id);
      if ('refused' in found) return found.refused;
      const { dataset, entry, logTimeMs } = found;
      const step = decideReapply(entry, logTimeMs, dataset.configuration.content);
      if (step.kind === 'too-late')
        return answerProblem(problem('reapply-too-late', `entry ${id} of ${entry.shard}`));
      if (dryRun && step.kind !== 'settled') {
        const would = step.kind === 'send' ? 'reapply' : step.settlement.as;
        return answerJson(200, { ...this.describeInFull(entry), would });
      }
      switch (step.kind) {
        case 'settled':
          return this.tellSettled(entry, step.settled);
        case 'settle':
          return this.settle(entry, step.settlement, by);
        case 'send':
          return this.send(found, { by, caller, timeoutMs });
      }
    });
  }

  async discard({ body, caller, id }: EntryCall): Promise<Answer> {
    const read = readDiscardRequest(body);
    if (read.kind === 'refused') return answerProblem(read.problem);
    const { actor, dryRun, reason } = read.value;
    return this.answering(async () => {
      const found = await this.find(id);
      if ('refused' in found) return found.refused;
      const { dataset, entry, logTimeMs } = found;
      const step = decideDiscard(entry, logTimeMs, dataset.configuration.content);
      switch (step.kind) {
        case 'settled':
          return refuseSettled(entry, step.settled);
        case 'stands':
          return mayStand(entry, `the log accepted it at ${step.sequence}`);
        case 'may-stand':
          return mayStand(entry, 'somebody asked to apply it again, and what became of that is not known');
        case 'discard': {
          if (dryRun) return answerJson(200, { ...this.describeInFull(entry), would: 'discarded' });
          const { clock, store } = this.options;
          const act = { by: actor ?? caller.principal, atMs: clock.nowMs() };
          const settlement = { as: 'discarded', why: reason, sequence: null } as const;
          // Whoever asked to apply it again meanwhile comes first: that cannot be taken back.
          if (await store.settleUndone(entry.number, settlement, act, entry.asked)) return this.show(id);
          const settled = (await this.again(entry))?.settled ?? null;
          return settled === null
            ? mayStand(entry, 'somebody asked to apply it again just now')
            : refuseSettled(entry, settled);
        }
      }
    });
  }

  private async send(
    { dataset, entry }: Found,
    { by, caller, timeoutMs }: { readonly by: string; readonly caller: Caller; readonly timeoutMs: number },
  ): Promise<Answer> {
    const { clock, store } = this.options;
    if (!(await store.askUndone(entry.number, { by, atMs: clock.nowMs() }))) {
      const settled = (await this.again(entry))?.settled ?? null;
      return settled === null ? notKept(entry.idempotencyKey) : this.tellSettled(entry, settled);
    }
    const answer = await this.options.write({
      dataset: dataset.configuration.content.dataset,
      body: JSON.stringify({ events: JSON.parse(entry.body) as unknown, ack: 'accepted', timeoutMs }),
      idempotencyKey: entry.idempotencyKey,
      caller: { ...caller, forwarded: null, neverForward: false },
      isReapplied: true,
    });
    const receipt = receiptIn(answer);
    // It says only that this try wrote nothing; the entry waits as before.
    if (receipt === null) return answer;
    if (receipt.outcome === 'unknown')
      return answerJson(202, this.describeInFull((await this.again(entry)) ?? entry));
    const sequence = receipt.sequence === undefined ? null : (BigInt(receipt.sequence) as Sequence);
    return this.settle(entry, settlementOf(receipt.code ?? 'accepted', sequence), by);
  }

  /** Somebody who asked at the same time was told the same. */
  private async settle(entry: UndoneEntry, settlement: EntrySettlement, by: string): Promise<Answer> {
    const { clock, store } = this.options;
    await store.settleUndone(entry.number, settlement, { by, atMs: clock.nowMs() }, 'ever');
    const settled = (await this.again(entry))?.settled ?? null;
    return settled === null ? notKept(entry.idempotencyKey) : this.tellSettled(entry, settled);
  }

  private async tellSettled(entry: UndoneEntry, settled: SettledEntry): Promise<Answer> {
    if (settled.as === 'discarded') return refuseSettled(entry, settled);
    return answerJson(200, this.describeInFull((await this.again(entry)) ?? { ...entry, settled }));
  }

  private again({ idempotencyKey, shard }: UndoneEntry): Promise<UndoneInFull | null> {
    return this.options.store.undoneByKey([shard], idempotencyKey);
  }

  private async find(id: string): Promise<Found | { readonly refused: Answer }> {
    const { datasets, feed, region, store } = this.options;
    if (!isIdempotencyKey(id))
      return { refused: answerProblem(problem('malformed', 'an entry is named by its idempotency key')) };
    const shards = [...datasets.values()].flatMap(({ partitions, table }) =>
      shardsOf(table.dataset, partitions),
    );
    const entry = await store.undoneByKey(shards, id);
    if (entry === null) return { refused: notKept(id) };
    const own = feed.own(entry.shard);
    if (own === null)
      return {
        refused: answerProblem(problem('not-ready', `${region} has told nothing of ${entry.shard} yet`)),
      };
    const dataset = datasets.get(parseShardName(entry.shard)!.dataset as DatasetName)!;
    return { entry, dataset, logTimeMs: own.logTimeMs };
  }

  private describeInFull(entry: UndoneEntry | UndoneInFull): object {
    const { region } = this.options;
    const inFull =
      'body' in entry ? { events: JSON.parse(entry.body) as unknown, changes: entry.changes } : {};
    return { region, ...describeEntry(entry), ...inFull };
  }

  private async answering(answer: () => Promise<Answer>): Promise<Answer> {
    return this.turns.give(await answeringStore(this.options.region, answer));
  }
}

const notKept = (id: string): Answer =>
  answerProblem(
    problem(
      'not-found',
      `this region keeps no undone entry ${id.slice(0, 128)}; the region that was its home does`,
    ),
  );

const refuseSettled = ({ idempotencyKey }: UndoneEntry, { as, atMs, by, why }: SettledEntry): Answer =>
  answerProblem(
    problem('entry-settled', `entry ${idempotencyKey} is ${as} by ${by} at ${time(atMs)}: ${why}`),
  );

const mayStand = ({ idempotencyKey }: UndoneEntry, because: string): Answer =>
  answerProblem(problem('entry-may-stand', `entry ${idempotencyKey}: ${because}`));

interface ToldReceipt {
  readonly outcome: 'accepted' | 'rejected' | 'unknown';
  readonly code?: Verdict;
  readonly sequence?: number;
}

/** Null where the answer speaks of no entry. */
function receiptIn({ body }: Answer): ToldReceipt | null {
  const told = JSON.parse(body) as ToldReceipt | { readonly receipt?: ToldReceipt };
  if ('outcome' in told) return told;
  return 'receipt' in told ? (told.receipt ?? null) : null;
}

const describeAttempt = ({ attempt, outcome, shard }: Quarantined): object => ({
  shard,
  sequence: Number(attempt.sequence),
  logIncarnation: attempt.logIncarnation,
  region: attempt.region,
  id: `${attempt.publisher}:${attempt.number}`,
  epoch: Number(attempt.epoch),
  shardEpoch: Number(attempt.shardEpoch),
  key: attempt.firstKey,
  idempotencyKeyHash: attempt.idempotencyKey,
  traceparent: attempt.traceparent,
  at: time(attempt.logTimeMs),
  outcome: outcome === null ? null : { verdict: outcome.verdict, sequence: Number(outcome.sequence) },
});

const describeEntry = (entry: UndoneEntry): object => {
  const { asked, firstKey, idempotencyKey, outcome, reason, sequence, settled, shard, storedAtMs } = entry;
  return {
    id: idempotencyKey,
    number: Number(entry.number),
    shard,
    key: firstKey,
    reason,
    storedAt: time(storedAtMs),
    sequence: Number(sequence),
    asked: asked === null ? null : { by: asked.by, at: time(asked.atMs) },
    settled:
      settled === null
        ? null
        : {
            as: settled.as,
            why: settled.why,
            sequence: settled.sequence === null ? null : Number(settled.sequence),
            by: settled.by,
            at: time(settled.atMs),
          },
    outcome: outcome === null ? null : { verdict: outcome.verdict, sequence: Number(outcome.sequence) },
  };
};
