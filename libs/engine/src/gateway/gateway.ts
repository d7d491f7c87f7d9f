/**
 * The gateway: what a write, a receipt and a read do, independent of HTTP.
 *
 * A write is read, routed, given a key, appended by the home's publisher (or forwarded to the home), and answered from
 * committed verdicts and the ledger only (I7). An attempt that the fold turned down for reasons of ownership or
 * numbering is submitted anew under the same key until the deadline; after it the answer is `unknown`, which the
 * receipt call makes definite (I9). Queues, waits and hops are bounded (I17).
 */
import {
  answerJson,
  answerProblem,
  answerWrite,
  checkSchemas,
  decodeToken,
  defaultStage,
  encodeToken,
  highestStage,
  isIdempotencyKey,
  isStage,
  judgesAttempt,
  parseShardName,
  problem,
  readBatch,
  readWrite,
  routeKey,
  shardName,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
  type Answer,
  type DatasetName,
  type Epoch,
  type Fingerprint,
  type FoldConfiguration,
  type KeyHash,
  type LogIncarnation,
  type Outcome,
  type Problem,
  type RegionName,
  type ShardName,
  type Stage,
  type StageTimes,
  type ToldVerdictCode,
  type WriteEntry,
  type WriteFacts,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import type { Forwarder } from '../ports/forwarder.js';
import type { Log } from '../ports/log.js';
import type { Observer, SpanContext } from '../ports/observer.js';
import { isPortError } from '../ports/port-error.js';
import type { ProjectedTable, QueryStore } from '../ports/store.js';
import type { Clock, Identities } from '../ports/world.js';
import { ShardPublisher, type Published } from '../publish/shard-publisher.js';
import type { LedgerFeed, ToldByRegion } from './ledger-feed.js';

/** How far past its caller's time-out an entry may still be judged in time; covers clocks that differ. */
const NOT_AFTER_SLACK_MS = 2 * 60_000;
/** How long a verdict that must have been told by now is awaited before the stored outcome is read. */
const MISSED_VERDICT_MS = 150;
const RETRY_PAUSE_MS = 100;
const RETRY_AFTER_SECONDS = 1;
const BATCH_CONCURRENCY_MAX = 1_000;

export interface GatewayDataset {
  readonly configuration: FoldConfiguration;
  readonly table: ProjectedTable;
  readonly partitions: number;
}

export interface GatewayOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  readonly datasets: ReadonlyMap<DatasetName, GatewayDataset>;
  readonly feed: LedgerFeed;
  readonly log: Log;
  readonly store: QueryStore;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly observer: Observer;
}

/** Who calls, and how the call came here. */
export interface Caller {
  readonly principal: string;
  readonly trace: SpanContext;
  /** Null when a client called; otherwise what the forwarding gateway told. */
  readonly forwarded: {
    readonly hops: number;
    readonly epoch: Epoch;
    readonly keyWasMinted: boolean;
    /** What remains of the client's time-out. */
    readonly timeoutMs: number;
  } | null;
  /** `Lockstep-Forward: never`. */
  readonly neverForward: boolean;
}

export interface WriteCall {
  readonly dataset: string;
  readonly body: string;
  readonly idempotencyKey: string | null;
  readonly caller: Caller;
}

interface Attempt {
  readonly dataset: GatewayDataset;
  readonly shard: ShardName;
  readonly entry: WriteEntry;
  readonly body: string;
  readonly key: {
    readonly text: string;
    readonly minted: boolean;
    readonly hash: KeyHash;
    readonly fingerprint: Fingerprint;
  } | null;
  readonly ack: Stage;
  readonly caller: Caller;
  readonly startedAtMs: number;
  /** Wall clock; tells clients until when the write may be unknown. */
  readonly deadlineMs: number;
  /** Monotonic; what the engine waits by. */
  readonly untilMs: number;
  /** `publisher:number` of the newest try; names a keyless entry in its receipt. */
  entryId: string | null;
}

type Judged = NonNullable<WriteFacts['judged']>;

/** How one attempt ended. */
type AttemptEnd =
  | {
      readonly kind: 'told';
      readonly judged: Judged;
      readonly stages: StageTimes;
      readonly replayed: boolean;
    }
  | { readonly kind: 'logged'; readonly stages: StageTimes }
  | { readonly kind: 'again' }
  | { readonly kind: 'unknown'; readonly stages: StageTimes }
  | {
      readonly kind: 'answer';
      readonly answer: Answer;
      /** True when it tells a committed verdict; false when it says only that this attempt wrote nothing. */
      readonly definite: boolean;
      readonly forwardedTo?: RegionName;
    };

export class Gateway {
  private readonly publishers = new Map<ShardName, ShardPublisher>();

  constructor(private readonly options: GatewayOptions) {}

  async write(call: WriteCall): Promise<Answer> {
    const startedAtMs = this.options.clock.nowMs();
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return this.unknownDataset(call.dataset);
    if (call.idempotencyKey !== null && !isIdempotencyKey(call.idempotencyKey)) {
      return answerProblem(problem('malformed', 'Idempotency-Key must be 1-128 printable ASCII characters'));
    }
    const read = readWrite(call.body, dataset.configuration);
    if (read.kind === 'refused') return this.refuse(call, dataset, startedAtMs, read.problem);
    const { entry, ack } = read.value;
    const { body, caller } = call;
    const timeoutMs = Math.min(read.value.timeoutMs, caller.forwarded?.timeoutMs ?? TIMEOUT_MS_MAX);
    return this.writeEntry({
      dataset,
      entry,
      body,
      ack,
      timeoutMs,
      caller,
      idempotencyKey: call.idempotencyKey,
      startedAtMs,
    });
  }

  /** 207 with a receipt or problem per entry, in order. */
  async writeBatch(call: Omit<WriteCall, 'idempotencyKey'>): Promise<Answer> {
    const startedAtMs = this.options.clock.nowMs();
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return this.unknownDataset(call.dataset);
    const read = readBatch(call.body, dataset.configuration);
    if (read.kind === 'refused') return this.refuse(call, dataset, startedAtMs, read.problem);
    const { items, ack, timeoutMs } = read.value;
    if (items.length > BATCH_CONCURRENCY_MAX) throw new Error('readBatch bounds the number of entries');
    const answers = await Promise.all(
      items.map(async (item) => {
        if (!('entry' in item)) return JSON.stringify(item);
        const { entry, idempotencyKey } = item;
        const body = JSON.stringify({
          events: JSON.parse(entry.text) as unknown,
          ...(ack === null ? {} : { ack }),
          timeoutMs,
        });
        const { caller } = call;
        const answer = await this.writeEntry({
          dataset,
          entry,
          body,
          ack,
          timeoutMs,
          caller,
          idempotencyKey,
          startedAtMs,
        });
        return answer.body;
      }),
    );
    return {
      status: 207,
      headers: { 'Content-Type': 'application/json' },
      body: `{"entries":[${answers.join(',')}]}`,
      code: null,
    };
  }

  /** The receipt of a key, asked again; after the deadline unknown becomes definite. */
  async receipt(call: {
    readonly dataset: string;
    readonly idempotencyKey: string;
    readonly query: { readonly [name: string]: string };
    readonly caller: Caller;
  }): Promise<Answer> {
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return this.unknownDataset(call.dataset);
    const query = readReceiptQuery(call.query, call.dataset, dataset.partitions);
    if (typeof query === 'string') return answerProblem(problem('malformed', query));
    if (!isIdempotencyKey(call.idempotencyKey)) {
      return answerProblem(problem('malformed', 'the key must be 1-128 printable ASCII characters'));
    }
    return this.answeringStore(() => this.awaitReceipt(call, dataset, query));
  }

  private async awaitReceipt(
    call: { readonly dataset: string; readonly idempotencyKey: string; readonly caller: Caller },
    dataset: GatewayDataset,
    query: ReceiptQuery,
  ): Promise<Answer> {
    const { clock, identities } = this.options;
    const key = identities.keyHash(call.caller.principal, call.idempotencyKey);
    const shards = query.shard === null ? this.shardsOf(dataset) : [query.shard];
    const untilMs = clock.monotonicMs() + query.timeoutMs;
    for (;;) {
      const hits = await this.options.store.outcomes(shards, key);
      if (hits.length > 1) {
        const named = hits.map((hit) => hit.shard).join(', ');
        return answerProblem(problem('several-shards-hit', `the key is known in ${named}`));
      }
      const [hit] = hits;
      if (hit !== undefined) return this.answerOutcome(call, dataset, hit, query.wait, untilMs);
      const { shard, deadlineMs } = query;
      if (deadlineMs !== null && shard !== null && clock.nowMs() > deadlineMs) {
        return this.settle(call, dataset, { shard, key, deadlineMs }, untilMs);
      }
      const nowMs = clock.monotonicMs();
      if (query.wait === null || nowMs >= untilMs) {
        return answerProblem(
          problem('not-seen', `no outcome of this key is known in ${this.options.region} yet`),
        );
      }
      await clock.sleep(Math.min(RETRY_PAUSE_MS, untilMs - nowMs)).done;
    }
  }

  async row(call: {
    readonly dataset: string;
    readonly key: string;
    readonly query: { readonly [name: string]: string };
    readonly token: string | null;
    readonly caller: Caller;
  }): Promise<Answer> {
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return this.unknownDataset(call.dataset);
    const route = routeKey(dataset.configuration.content.groups, call.key);
    if (route.kind === 'malformed-key')
      return answerProblem(problem('malformed', `"${call.key.slice(0, 64)}" is not a key`));
    if (route.kind === 'unknown-group')
      return answerProblem(problem('unknown-group', `"${route.group}" is not a group`));
    const shard = shardName(dataset.table.dataset, route.partition);
    const strange = strangeName(call.query, ['consistency', 'timeoutMs']);
    if (strange !== null) return answerProblem(problem('malformed', strange));
    const { consistency = 'local' } = call.query;
    const timeoutMs = readTimeout(call.query['timeoutMs']);
    if (timeoutMs === null)
      return answerProblem(problem('malformed', `"timeoutMs" must be 1 to ${TIMEOUT_MS_MAX}`));
    const untilMs = this.options.clock.monotonicMs() + timeoutMs;
    switch (consistency) {
      case 'local':
        break;
      case 'session': {
        const refusal = await this.awaitToken(shard, call.token, untilMs);
        if (refusal !== null) return refusal;
        break;
      }
      case 'strong': {
        const refusal = await this.awaitBarrier(dataset, shard, call.caller, untilMs);
        if (refusal !== null) return refusal;
        break;
      }
      default:
        return answerProblem(problem('malformed', '"consistency" must be local, session or strong'));
    }
    return this.answeringStore(() => this.answerRow(dataset, shard, call.key));
  }

  /** The body of GET /v1/shards. */
  shards(): object {
    return {
      shards: [...this.options.datasets.values()]
        .flatMap((dataset) => this.shardsOf(dataset))
        .map((shard) => this.describe(shard)),
    };
  }

  /** The body of GET /v1/shards/{dataset}/{n}; null when there is no such shard. */
  shard(dataset: string, partition: string): object | null {
    const known = this.options.datasets.get(dataset as DatasetName);
    const parsed = parseShardName(`${dataset}/${partition}`);
    if (known === undefined || parsed === null || parsed.partition >= known.partitions) return null;
    return this.describe(shardName(parsed.dataset, parsed.partition));
  }

  /** Shards whose home this region does not know yet; empty when every write can be routed. */
  notReady(): readonly ShardName[] {
    return [...this.options.datasets.values()]
      .flatMap((dataset) => this.shardsOf(dataset))
      .filter((shard) => (this.options.feed.own(shard)?.home ?? null) === null);
  }

  /** Drains the publishers: takes nothing more, answers what was taken. */
  async close(): Promise<void> {
    await Promise.all([...this.publishers.values()].map((publisher) => publisher.close()));
  }

  private describe(shard: ShardName): object {
    const { feed, region, regions } = this.options;
    const own = feed.own(shard);
    const halted = own?.halted ?? null;
    const differing = feed.differing(shard);
    const state = own === null || own.home === null ? 'unknown' : halted === null ? 'open' : 'halted';
    return {
      shard,
      home: own?.home ?? null,
      epoch: own === null ? null : Number(own.epoch),
      state,
      reason: own === null ? `${region} has told nothing of it yet` : (halted?.detail ?? null),
      regions: Object.fromEntries(
        regions.map((name) => {
          const watermark = feed.watermark(shard, name);
          if (watermark === null) return [name, null];
          return [
            name,
            {
              sequence: Number(watermark.sequence),
              offset: String(watermark.offset),
              epoch: Number(watermark.epoch),
              lagRecords: watermark.lagRecords,
              inputHash: watermark.inputHash,
              effectsHash: watermark.effectsHash,
              logIncarnation: watermark.logIncarnation,
              storeIncarnation: watermark.storeIncarnation,
              halted: watermark.halted,
              differs: differing.has(name),
              parked: [],
            },
          ];
        }),
      ),
    };
  }

  // --- writing -------------------------------------------------------------------------------------------------

  private async writeEntry(request: {
    readonly dataset: GatewayDataset;
    readonly entry: WriteEntry;
    readonly body: string;
    readonly ack: Stage | null;
    readonly timeoutMs: number;
    readonly caller: Caller;
    readonly idempotencyKey: string | null;
    readonly startedAtMs: number;
  }): Promise<Answer> {
    const { caller, dataset, entry, idempotencyKey } = request;
    const { clock, identities } = this.options;
    const { content } = dataset.configuration;
    if (idempotencyKey === null || caller.forwarded?.keyWasMinted === true) {
      // A key that the client chose binds the fold's answer; without one a misfit is refused before it is appended.
      const misfit = checkSchemas(entry, dataset.configuration);
      if (misfit !== null) return this.refuse({ caller }, dataset, request.startedAtMs, misfit);
    }
    const minted = idempotencyKey === null && content.keys === 'always';
    const text = idempotencyKey ?? (minted ? identities.idempotencyKey() : null);
    const attempt: Attempt = {
      dataset,
      shard: shardName(content.dataset, entry.partition),
      entry,
      body: request.body,
      key:
        text === null
          ? null
          : {
              text,
              minted: minted || caller.forwarded?.keyWasMinted === true,
              hash: identities.keyHash(caller.principal, text),
              fingerprint: identities.fingerprint(entry.text),
            },
      ack: request.ack ?? defaultStage(content.class),
      caller,
      startedAtMs: request.startedAtMs,
      deadlineMs: request.startedAtMs + request.timeoutMs,
      untilMs: clock.monotonicMs() + request.timeoutMs,
      entryId: null,
    };
    return this.pursue(attempt);
  }

  /** Attempts until one ends with something that can be told, or the time is over. */
  private async pursue(attempt: Attempt): Promise<Answer> {
    const { clock } = this.options;
    let mayStand = false;
    let seen: StageTimes = {};
    for (;;) {
      const end = await this.attempt(attempt);
      switch (end.kind) {
        case 'answer':
          // "Nothing was written" would be false where an earlier attempt may stand in the log (I9).
          if (mayStand && !end.definite) return this.answer(attempt, null, seen, false);
          return this.report(attempt, end.answer, seen, end.forwardedTo ?? null);
        case 'told':
          return this.answer(attempt, end.judged, end.stages, end.replayed);
        case 'logged':
          return this.answer(attempt, null, end.stages, false);
        case 'unknown':
          mayStand = true;
          seen = { ...seen, ...end.stages };
          break;
        case 'again':
          break;
      }
      if (clock.monotonicMs() >= attempt.untilMs || (mayStand && attempt.key === null)) {
        return this.answer(attempt, null, seen, false);
      }
      await clock.sleep(Math.min(RETRY_PAUSE_MS, Math.max(1, attempt.untilMs - clock.monotonicMs()))).done;
    }
  }

  private async attempt(attempt: Attempt): Promise<AttemptEnd> {
    const { feed, region } = this.options;
    const { caller, dataset, shard } = attempt;
    const isKnown = (): boolean => (feed.own(shard)?.home ?? null) !== null;
    if (!(await feed.waitUntil(shard, isKnown, attempt.untilMs))) {
      const detail = `${region} does not know the home of ${shard} yet`;
      return this.refusal(problem('not-ready', detail));
    }
    const own = feed.own(shard)!;
    if (own.home === region || dataset.configuration.content.writers === 'any') {
      if (own.halted !== null) return this.refusal(problem('shard-halted', `${shard}: ${own.halted.code}`));
      return this.append(attempt, own.epoch, own.logIncarnation!);
    }
    if (caller.neverForward || caller.forwarded !== null) {
      // A receiver that is behind waits; it never forwards again.
      const behind = caller.forwarded !== null && own.epoch < caller.forwarded.epoch;
      if (behind) {
        await feed.waitUntil(shard, () => feed.own(shard)!.epoch >= caller.forwarded!.epoch, attempt.untilMs);
        if (feed.own(shard)!.home === region) return { kind: 'again' };
      }
      return this.refusal(problem('not-owner', `the home of ${shard} is ${own.home}, epoch ${own.epoch}`));
    }
    return this.forward(attempt, own.home!, own.epoch);
  }

  private async append(attempt: Attempt, epoch: Epoch, logIncarnation: LogIncarnation): Promise<AttemptEnd> {
    const { clock, feed, identities, observer } = this.options;
    const { dataset, entry, key, shard, untilMs } = attempt;
    const { trace } = attempt.caller;
    const verdict = new Gate();
    let told: ToldByRegion | null = null;
    let numbered: (() => void) | null = null;
    const ticket = this.publisher(dataset, shard).submit({
      publication: {
        kind: 'data',
        key: entry.events[0]!.key,
        value: entry.text,
        idempotency: key === null ? null : { key: key.hash, fingerprint: key.fingerprint },
        configuration: dataset.configuration.hash,
        epoch,
      },
      bytes: entry.bytes,
      notAfterMs: this.notAfterMs(shard, attempt.deadlineMs),
      giveUpAtMs: untilMs,
      span: { ...trace, spanId: identities.spanId(), parentSpanId: trace.spanId },
    });
    if (ticket === null) {
      const refusal = problem('too-many-requests', `the queue of ${shard} is full`);
      return this.refusal(refusal);
    }
    ticket.onNumbered((publisher, number) => {
      attempt.entryId = `${publisher}:${number}`;
      feed.expect(publisher, number, (heard) => {
        told = heard;
        verdict.open();
      });
      numbered = () => feed.forget(publisher, number);
    });
    try {
      const published = await this.publishedInTime(ticket.settled, untilMs);
      if (published.kind === 'failed') return this.refusal(problem('log-unavailable', published.message));
      const stages: StageTimes =
        published.kind === 'logged' ? { logged: { atMs: published.appendTimeMs } } : {};
      if (published.kind === 'logged' && attempt.ack === 'logged') return { kind: 'logged', stages };
      await this.awaitVerdict(attempt, published, verdict);
      if (told === null) {
        const outcome = key === null ? null : await this.storedOutcome(shard, key.hash);
        if (outcome === null) return { kind: 'unknown', stages };
        return this.fromOutcome(outcome, key!.fingerprint, logIncarnation);
      }
      const end = this.fromTold(told, stages, logIncarnation);
      if (end.kind === 'again') {
        this.publisher(dataset, shard).renounce((told as ToldByRegion).told.publisher);
        observer.report({ kind: 'entry-resubmitted', shard, verdict: (told as ToldByRegion).told.verdict });
        // The next attempt needs a newer epoch or a new session; either shows in this region's next watermark.
        await feed.waitUntil(
          shard,
          () => feed.own(shard)!.epoch !== epoch,
          Math.min(untilMs, clock.monotonicMs() + RETRY_PAUSE_MS),
        );
      }
      return end;
    } finally {
      // Nobody listens any more, also to a number that is given later.
      ticket.onNumbered(() => undefined);
      (numbered as (() => void) | null)?.();
    }
  }

  /** The publisher answers at the latest one attempt after the caller gave up; the caller does not wait for that. */
  private async publishedInTime(
    settled: Promise<Published>,
    untilMs: number,
  ): Promise<Published | { readonly kind: 'late' }> {
    const { clock } = this.options;
    const gate = new Gate();
    let result: Published | null = null;
    void settled.then((published) => {
      result = published;
      gate.open();
    });
    await waitAtMost(gate, clock, Math.max(0, untilMs - clock.monotonicMs()));
    return result ?? { kind: 'late' };
  }

  /** Until the verdict is told, the time is over, or this region has folded past the entry without telling. */
  private async awaitVerdict(
    attempt: Attempt,
    published: Published | { readonly kind: 'late' },
    verdict: Gate,
  ): Promise<void> {
    const { clock, feed } = this.options;
    const { key, shard, untilMs } = attempt;
    if (published.kind !== 'logged' || key === null) {
      await waitAtMost(verdict, clock, Math.max(0, untilMs - clock.monotonicMs()));
      return;
    }
    const hasFolded = (): boolean => verdict.isOpen || (feed.own(shard)?.offset ?? -1n) >= published.offset;
    const folded = feed.waitUntil(shard, hasFolded, untilMs);
    void folded.then(async () => {
      await waitAtMost(verdict, clock, MISSED_VERDICT_MS);
      verdict.open();
    });
    await waitAtMost(verdict, clock, Math.max(0, untilMs - clock.monotonicMs()));
  }

  private fromTold(heard: ToldByRegion, logged: StageTimes, logIncarnation: LogIncarnation): AttemptEnd {
    const { told, region } = heard;
    const { committedAtMs, first, verdict } = told;
    if (judgesAttempt(verdict)) return { kind: 'again' };
    const answer = first ?? told;
    const code = answer.verdict;
    if (judgesAttempt(code) || code === 'repeated') throw new Error(`an outcome is never ${code}`);
    return {
      kind: 'told',
      judged: { verdict: code, sequence: answer.sequence, epoch: answer.epoch, logIncarnation },
      stages: {
        logged:
          first === null ? (logged.logged ?? { atMs: told.appendTimeMs }) : { atMs: first.appendTimeMs },
        ...(code === 'accepted' ? { accepted: { atMs: committedAtMs, region } } : {}),
      },
      replayed: first !== null,
    };
  }

  private fromOutcome(
    outcome: Outcome,
    fingerprint: Fingerprint,
    logIncarnation: LogIncarnation,
  ): AttemptEnd {
    const same = outcome.fingerprint === null || outcome.fingerprint === fingerprint;
    const { epoch, sequence } = outcome;
    const verdict: ToldVerdictCode = same ? outcome.verdict : 'key-reused';
    const { clock, region } = this.options;
    const stages: StageTimes = {
      logged: { atMs: outcome.appendTimeMs },
      // Read from this region's store: its fold has committed it.
      ...(verdict === 'accepted' ? { accepted: { atMs: clock.nowMs(), region } } : {}),
    };
    return { kind: 'told', judged: { verdict, sequence, epoch, logIncarnation }, stages, replayed: false };
  }

  private async forward(attempt: Attempt, to: RegionName, epoch: Epoch): Promise<AttemptEnd> {
    const { clock, forwarder } = this.options;
    const { body, caller, dataset, key, untilMs } = attempt;
    const timeoutMs = Math.max(1, Math.floor(untilMs - clock.monotonicMs()));
    const { spanId, traceId, sampled } = caller.trace;
    try {
      const {
        status,
        headers,
        body: answerBody,
      } = await forwarder.forward({
        to,
        dataset: dataset.configuration.content.dataset,
        body,
        principal: caller.principal,
        idempotencyKey: key?.text ?? null,
        keyWasMinted: key?.minted ?? false,
        epoch,
        hops: 1,
        timeoutMs,
        traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`,
      });
      // The home moved, or the receiver is not ready: nothing was appended, the next attempt looks again.
      const passing = (status === 421 || status === 503) && clock.monotonicMs() < untilMs - RETRY_PAUSE_MS;
      if (passing) return { kind: 'again' };
      // The home moved meanwhile; its client did not ask for a home, so that 421 is not for it.
      if (status === 421)
        return this.refusal(problem('home-unavailable', `the home of ${attempt.shard} is moving`));
      const definite = status === 200 || status === 202 || answerBody.includes('"receipt":{');
      return {
        kind: 'answer',
        answer: { status, headers, body: answerBody, code: null },
        definite,
        forwardedTo: to,
      };
    } catch (error) {
      if (!isPortError(error)) throw error;
      if (error.disposition === 'unknown') return { kind: 'unknown', stages: {} };
      if (clock.monotonicMs() < untilMs - RETRY_PAUSE_MS) return { kind: 'again' };
      return this.refusal(problem('home-unavailable', `the home ${to} of ${attempt.shard} does not answer`));
    }
  }

  private async answer(
    attempt: Attempt,
    judged: Judged | null,
    stages: StageTimes,
    replayed: boolean,
  ): Promise<Answer> {
    const { feed } = this.options;
    const { ack, shard, untilMs } = attempt;
    let known = stages;
    if (judged?.verdict === 'accepted') {
      const isEnough = (): boolean =>
        ack === 'logged' ||
        ack === 'accepted' ||
        ack === 'stored' ||
        feed.reached(shard, ack, judged.sequence) !== null;
      await feed.waitUntil(shard, isEnough, untilMs);
      known = this.stagesOf(shard, judged, stages);
    }
    const facts: WriteFacts = {
      id: attempt.key?.text ?? attempt.entryId ?? attempt.caller.trace.traceId,
      dataset: attempt.dataset.configuration.content.dataset,
      shard,
      traceId: attempt.caller.trace.traceId,
      eventKeys: [...new Set(attempt.entry.events.map((event) => event.key))],
      judged,
      stages: known,
    };
    return this.report(attempt, answerWrite(facts, ack, replayed, this.locationOf(attempt)), known, null);
  }

  private stagesOf(shard: ShardName, judged: Judged, stages: StageTimes): StageTimes {
    const { feed } = this.options;
    const accepted = feed.reached(shard, 'accepted', judged.sequence);
    const quorum = feed.reached(shard, 'quorum', judged.sequence);
    const everywhere = feed.reached(shard, 'everywhere', judged.sequence);
    const [region] = accepted?.regions ?? [];
    return {
      ...(accepted === null || region === undefined ? {} : { accepted: { atMs: accepted.atMs, region } }),
      ...stages,
      ...(quorum === null ? {} : { quorum: { atMs: quorum.atMs, regions: quorum.regions } }),
      ...(everywhere === null ? {} : { everywhere: { atMs: everywhere.atMs } }),
    };
  }

  private locationOf(attempt: Attempt): string | null {
    if (attempt.key === null) return null;
    const dataset = attempt.dataset.configuration.content.dataset;
    const shard = encodeURIComponent(attempt.shard);
    return `/v1/datasets/${dataset}/receipts/${encodeURIComponent(attempt.key.text)}?shard=${shard}&deadline=${attempt.deadlineMs}`;
  }

  // --- receipts ------------------------------------------------------------------------------------------------

  private async answerOutcome(
    call: { readonly dataset: string; readonly idempotencyKey: string; readonly caller: Caller },
    dataset: GatewayDataset,
    hit: { readonly shard: ShardName; readonly outcome: Outcome },
    wait: Stage | null,
    untilMs: number,
  ): Promise<Answer> {
    const { clock, feed, region } = this.options;
    const { outcome, shard } = hit;
    const { epoch, eventKeys, sequence, verdict } = outcome;
    const logIncarnation = feed.own(shard)?.logIncarnation ?? null;
    const judged: Judged = { verdict, sequence, epoch, logIncarnation };
    let stages: StageTimes = { logged: { atMs: outcome.appendTimeMs } };
    if (verdict === 'accepted') {
      if (wait === 'quorum' || wait === 'everywhere') {
        await feed.waitUntil(shard, () => feed.reached(shard, wait, sequence) !== null, untilMs);
      }
      // This region's store holds the outcome, so that `accepted` is true here whatever the streams have told.
      stages = { accepted: { atMs: clock.nowMs(), region }, ...this.stagesOf(shard, judged, stages) };
    }
    const facts: WriteFacts = {
      id: call.idempotencyKey,
      dataset: dataset.configuration.content.dataset,
      shard,
      traceId: call.caller.trace.traceId,
      eventKeys,
      judged,
      stages,
    };
    const answer = answerWrite(facts, wait ?? 'logged', false, null);
    if (answer.code === null) return answer;
    // Asked for as a receipt, a rejection is an answer and not a problem.
    const { receipt } = JSON.parse(answer.body) as { receipt: object };
    return answerJson(200, receipt);
  }

  /** Makes unknown definite: after the deadline the key is bound to `expired` unless the log has bound it already. */
  private async settle(
    call: { readonly dataset: string; readonly idempotencyKey: string; readonly caller: Caller },
    dataset: GatewayDataset,
    target: { readonly shard: ShardName; readonly key: KeyHash; readonly deadlineMs: number },
    untilMs: number,
  ): Promise<Answer> {
    const { key, shard, deadlineMs } = target;
    const neverOrExpired = answerProblem(
      problem('never-or-expired', 'the key was never seen, or its outcome is no longer kept'),
    );
    const { limits, retention } = dataset.configuration.content;
    const logTimeMs = this.options.feed.own(shard)?.logTimeMs ?? 0;
    if (logTimeMs >= deadlineMs + retention.outcomesMs - limits.notAfterAheadMsMax) return neverOrExpired;
    const body = { kind: 'settle', key, deadlineMs } as const;
    const refusal = await this.appendControl(dataset, shard, body, call.caller, untilMs);
    if (refusal !== null) return refusal;
    const [hit] = await this.options.store.outcomes([shard], key);
    return hit === undefined ? neverOrExpired : this.answerOutcome(call, dataset, hit, null, untilMs);
  }

  private async storedOutcome(shard: ShardName, key: KeyHash): Promise<Outcome | null> {
    try {
      const [hit] = await this.options.store.outcomes([shard], key);
      return hit?.outcome ?? null;
    } catch (error) {
      // The store's failure is not the write's: what is not known stays unknown.
      if (isPortError(error)) return null;
      throw error;
    }
  }

  // --- reading -------------------------------------------------------------------------------------------------

  private async awaitToken(shard: ShardName, text: string | null, untilMs: number): Promise<Answer | null> {
    const { feed, region } = this.options;
    if (text === null)
      return answerProblem(problem('malformed', 'consistency=session needs the header Lockstep-Token'));
    const token = decodeToken(text);
    if (token === null)
      return answerProblem(problem('bad-token', 'the header Lockstep-Token cannot be read'));
    const position = token.get(shard);
    if (position === undefined) return null;
    const isReachedHere = (): boolean => {
      const own = feed.own(shard);
      return own?.logIncarnation === position.logIncarnation && own.sequence >= position.sequence;
    };
    if (await feed.waitUntil(shard, isReachedHere, untilMs)) return null;
    const at = feed.own(shard)?.sequence ?? 0n;
    return answerProblem(
      problem(
        'token-unreachable',
        `${region} is at ${at} of ${shard}, the token asks for ${position.sequence}`,
      ),
    );
  }

  /** A barrier through the log: this region has folded everything that stood in the log when the read began. */
  private async awaitBarrier(
    dataset: GatewayDataset,
    shard: ShardName,
    caller: Caller,
    untilMs: number,
  ): Promise<Answer | null> {
    return this.appendControl(dataset, shard, { kind: 'probe' }, caller, untilMs);
  }

  /** Appends a control entry and waits until this region has folded it; null when it has. */
  private async appendControl(
    dataset: GatewayDataset,
    shard: ShardName,
    body:
      | { readonly kind: 'probe' }
      | { readonly kind: 'settle'; readonly key: KeyHash; readonly deadlineMs: number },
    caller: Caller,
    untilMs: number,
  ): Promise<Answer | null> {
    const { clock, feed, identities, region } = this.options;
    const remainingMs = Math.max(0, untilMs - clock.monotonicMs());
    const ticket = this.publisher(dataset, shard).submit({
      publication: { kind: 'control', body },
      bytes: 256,
      notAfterMs: this.notAfterMs(shard, clock.nowMs() + remainingMs),
      giveUpAtMs: untilMs,
      span: { ...caller.trace, spanId: identities.spanId(), parentSpanId: caller.trace.spanId },
    });
    const busy = { 'Retry-After': String(RETRY_AFTER_SECONDS) };
    if (ticket === null)
      return answerProblem(problem('too-many-requests', `the queue of ${shard} is full`), busy);
    const published = await this.publishedInTime(ticket.settled, untilMs);
    if (published.kind !== 'logged') {
      return answerProblem(problem('log-unavailable', `the log of ${shard} did not answer in time`), busy);
    }
    const isFolded = (): boolean => (feed.own(shard)?.offset ?? -1n) >= published.offset;
    if (await feed.waitUntil(shard, isFolded, untilMs)) return null;
    return answerProblem(
      problem('token-unreachable', `${region} has not folded ${shard} to the barrier in time`),
    );
  }

  private async answerRow(dataset: GatewayDataset, shard: ShardName, key: string): Promise<Answer> {
    const { clock, feed, store } = this.options;
    const { cursor, row } = await store.row(dataset.table, shard, key);
    const { logIncarnation, sequence } = cursor;
    const caughtUpAtMs = feed.own(shard)?.caughtUpAtMs ?? null;
    const headers: Record<string, string> = {
      'Lockstep-Position': `${shard}@${logIncarnation ?? ''}.${sequence}`,
    };
    if (caughtUpAtMs !== null)
      headers['Age'] = String(Math.max(0, Math.ceil((clock.nowMs() - caughtUpAtMs) / 1000)));
    if (logIncarnation !== null && sequence > 0n) {
      headers['Lockstep-Token'] = encodeToken(new Map([[shard, { logIncarnation, sequence }]]));
    }
    if (row === null) return answerProblem(problem('not-found', `there is no row "${key}"`), headers);
    headers['ETag'] = `"${row.version}"`;
    return answerJson(200, { key, version: Number(row.version), row: row.columns }, headers);
  }

  /** What the store cannot answer now is for the caller to ask again; it is no defect. */
  private async answeringStore(answer: () => Promise<Answer>): Promise<Answer> {
    try {
      return await answer();
    } catch (error) {
      if (!isPortError(error)) throw error;
      const detail = `the store of ${this.options.region} does not answer (${error.code})`;
      return answerProblem(problem('store-unavailable', detail), {
        'Retry-After': String(RETRY_AFTER_SECONDS),
      });
    }
  }

  // --- common to all -------------------------------------------------------------------------------------------

  private publisher(dataset: GatewayDataset, shard: ShardName): ShardPublisher {
    const known = this.publishers.get(shard);
    if (known !== undefined) return known;
    const { clock, identities, log, observer, region } = this.options;
    const { partition } = parseShardName(shard)!;
    const name = dataset.configuration.content.dataset;
    const publisher = new ShardPublisher({
      region,
      dataset: name,
      shard,
      partition,
      log,
      clock,
      identities,
      observer,
    });
    this.publishers.set(shard, publisher);
    return publisher;
  }

  /** Long enough that clocks that differ do not expire it; log time may run ahead of this clock. */
  private notAfterMs(shard: ShardName, deadlineMs: number): number {
    const logTimeMs = this.options.feed.own(shard)?.logTimeMs ?? 0;
    const ahead = Math.max(0, logTimeMs - this.options.clock.nowMs());
    return Math.ceil(deadlineMs + ahead + NOT_AFTER_SLACK_MS);
  }

  private shardsOf(dataset: GatewayDataset): readonly ShardName[] {
    const name = dataset.configuration.content.dataset;
    return Array.from({ length: dataset.partitions }, (_, partition) => shardName(name, partition));
  }

  private refusal(refusal: Problem): AttemptEnd {
    const wait = refusal.status === 429 || refusal.status === 503;
    const headers = wait ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {};
    return { kind: 'answer', answer: answerProblem(refusal, headers), definite: false };
  }

  private unknownDataset(dataset: string): Answer {
    return answerProblem(
      problem('unknown-dataset', `"${dataset.slice(0, 64)}" is not a dataset of the catalogue`),
    );
  }

  private refuse(
    call: { readonly caller: Caller },
    dataset: GatewayDataset,
    startedAtMs: number,
    refusal: Problem,
  ): Answer {
    const { clock, observer } = this.options;
    observer.report({
      kind: 'write-answered',
      dataset: dataset.configuration.content.dataset,
      shard: null,
      status: refusal.status,
      code: refusal.code,
      stage: null,
      forwardedTo: null,
      startedAtMs,
      endedAtMs: clock.nowMs(),
      stageMs: new Map(),
      span: call.caller.trace,
    });
    return answerProblem(refusal);
  }

  private report(
    attempt: Attempt,
    answer: Answer,
    stages: StageTimes,
    forwardedTo: RegionName | null,
  ): Answer {
    const { clock, observer } = this.options;
    const { startedAtMs } = attempt;
    const stageMs = new Map<string, number>();
    for (const [stage, reached] of Object.entries(stages)) {
      if (reached !== undefined)
        stageMs.set(stage, Math.max(0, (reached as { atMs: number }).atMs - startedAtMs));
    }
    observer.report({
      kind: 'write-answered',
      dataset: attempt.dataset.configuration.content.dataset,
      shard: attempt.shard,
      status: answer.status,
      code: answer.code,
      stage: highestStage(stages),
      forwardedTo,
      startedAtMs,
      endedAtMs: clock.nowMs(),
      stageMs,
      span: attempt.caller.trace,
    });
    return answer;
  }
}

/** A misspelt name would silently mean something else; null when all are known. */
function strangeName(query: { readonly [name: string]: string }, known: readonly string[]): string | null {
  const strange = Object.keys(query).find((name) => !known.includes(name));
  return strange === undefined
    ? null
    : `the query names "${strange.slice(0, 64)}"; known are ${known.join(', ')}`;
}

function readTimeout(text: string | undefined): number | null {
  if (text === undefined) return TIMEOUT_MS_DEFAULT;
  const value = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= TIMEOUT_MS_MAX ? value : null;
}

interface ReceiptQuery {
  readonly wait: Stage | null;
  readonly timeoutMs: number;
  readonly shard: ShardName | null;
  readonly deadlineMs: number | null;
}

function readReceiptQuery(
  query: { readonly [name: string]: string },
  dataset: string,
  partitions: number,
): ReceiptQuery | string {
  const { deadline, shard, wait } = query;
  const strange = strangeName(query, ['wait', 'timeoutMs', 'shard', 'deadline']);
  if (strange !== null) return strange;
  if (wait !== undefined && !isStage(wait)) return '"wait" must name a stage';
  const timeoutMs = readTimeout(query['timeoutMs']);
  if (timeoutMs === null) return `"timeoutMs" must be an integer between 1 and ${TIMEOUT_MS_MAX}`;
  if (deadline !== undefined && !/^[1-9][0-9]{0,14}$/.test(deadline))
    return '"deadline" must be milliseconds since 1970';
  if (shard !== undefined) {
    const parsed = parseShardName(shard);
    if (parsed === null || parsed.dataset !== dataset || parsed.partition >= partitions) {
      return `"shard" must be one of ${dataset}/0 to ${dataset}/${partitions - 1}`;
    }
  }
  return {
    wait: wait ?? null,
    timeoutMs,
    shard: (shard ?? null) as ShardName | null,
    deadlineMs: deadline === undefined ? null : Number(deadline),
  };
}
