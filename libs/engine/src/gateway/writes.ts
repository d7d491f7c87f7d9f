/**
 * Writes: read, routed, given a key, appended by the home's publisher or forwarded to the home, and answered from
 * committed verdicts and the ledger only (I7). An attempt that the fold turned down for reasons of ownership or numbering
 * is submitted anew under the same key until the deadline; after it the answer is `unknown` (I9).
 */
import {
  answerProblem,
  answerWrite,
  checkSchemas,
  defaultStage,
  epoch,
  highestStage,
  isIdempotencyKey,
  judgesAttempt,
  problem,
  readBatch,
  readWrite,
  shardName,
  TIMEOUT_MS_MAX,
  type Answer,
  type DatasetName,
  type Epoch,
  type Fingerprint,
  type KeyHash,
  type LogIncarnation,
  type Outcome,
  type Problem,
  type RegionName,
  type Sequence,
  type ShardName,
  type Stage,
  type StageTimes,
  type ToldVerdictCode,
  type WriteEntry,
  type WriteFacts,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import type { ForwardAnswer } from '../ports/forwarder.js';
import { isPortError } from '../ports/port-error.js';
import type { Published } from '../publish/shard-publisher.js';
import { traceparentOf } from '../traceparent.js';
import type { Caller, GatewayDataset, GatewayOptions } from './gateway-options.js';
import { HeldShards } from './held-shards.js';
import type { KnownStages } from './known-stages.js';
import type { ToldByRegion } from './ledger-feed.js';
import { OpeningShards } from './opening-shards.js';
import type { Publishers } from './publishers.js';
import { askStore } from './ask-store.js';
import { unknownDataset } from './refusals.js';

/** How long a verdict that must have been told by now is awaited before the stored outcome is read. */
const MISSED_VERDICT_MS = 150;
const RETRY_PAUSE_MS = 100;
/** How long an answer of the former home is still waited for once this region has folded that the shard has moved. */
const MOVED_HOME_ANSWERS_MS = 250;
const EPOCH_HEADER = 'Lockstep-Epoch';
const DEGRADING_MS_MAX = 1_000;
const BATCH_CONCURRENCY_MAX = 1_000;

export interface WriteCall {
  readonly dataset: string;
  readonly body: string;
  readonly idempotencyKey: string | null;
  readonly caller: Caller;
  /** An entry of an outbox that was undone, under the key that it was stored with. */
  readonly isReapplied?: true;
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
  readonly isReapplied: boolean;
  readonly startedAtMs: number;
  /** Wall clock; tells clients until when the write may be unknown. */
  readonly deadlineMs: number;
  /** Monotonic; what the engine waits by. */
  readonly untilMs: number;
  /** `publisher:number` of the newest try that may stand; names a keyless entry in its receipt. */
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
  /** Nothing of it stands or ever will. The next one waits until this region knows that epoch; null: for a moment. */
  | { readonly kind: 'again'; readonly fromEpoch: Epoch | null }
  | { readonly kind: 'unknown'; readonly stages: StageTimes }
  | {
      readonly kind: 'answer';
      readonly answer: Answer;
      /** True when it tells a committed verdict; false when it says only that this attempt wrote nothing. */
      readonly definite: boolean;
      readonly forwardedTo?: RegionName;
    };

export class Writes {
  private readonly held: HeldShards;
  private readonly opening: OpeningShards;

  constructor(
    private readonly options: GatewayOptions,
    private readonly publishers: Publishers,
    private readonly stages: KnownStages,
  ) {
    this.held = new HeldShards(options);
    this.opening = new OpeningShards(options);
  }

  async write(call: WriteCall): Promise<Answer> {
    const startedAtMs = this.options.clock.nowMs();
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return unknownDataset(call.dataset);
    if (call.idempotencyKey !== null && !isIdempotencyKey(call.idempotencyKey)) {
      return answerProblem(problem('malformed', 'Idempotency-Key must be 1-128 printable ASCII characters'));
    }
    const isReapplied = call.isReapplied ?? call.caller.forwarded?.isReapplied ?? false;
    if (isOutboxOnly(dataset) && !isReapplied)
      return this.refuse(call, dataset, startedAtMs, outboxOnly(call.dataset));
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
      isReapplied,
      startedAtMs,
    });
  }

  /** 207 with a receipt or problem per entry, in order. */
  async writeBatch(call: Omit<WriteCall, 'idempotencyKey'>): Promise<Answer> {
    const startedAtMs = this.options.clock.nowMs();
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return unknownDataset(call.dataset);
    if (isOutboxOnly(dataset)) return this.refuse(call, dataset, startedAtMs, outboxOnly(call.dataset));
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
          isReapplied: false,
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

  private async writeEntry(request: {
    readonly dataset: GatewayDataset;
    readonly entry: WriteEntry;
    readonly body: string;
    readonly ack: Stage | null;
    readonly timeoutMs: number;
    readonly caller: Caller;
    readonly idempotencyKey: string | null;
    readonly isReapplied: boolean;
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
      isReapplied: request.isReapplied,
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
      let fromEpoch: Epoch | null = null;
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
          // Its entry will never be the write's: a receipt that named it would speak of another one (I9).
          attempt.entryId = null;
          ({ fromEpoch } = end);
          break;
      }
      if (clock.monotonicMs() >= attempt.untilMs || (mayStand && attempt.key === null)) {
        return this.answer(attempt, null, seen, false);
      }
      await this.pauseBeforeNext(attempt, fromEpoch);
    }
  }

  private async pauseBeforeNext({ shard, untilMs }: Attempt, fromEpoch: Epoch | null): Promise<void> {
    const { clock, feed } = this.options;
    if (fromEpoch === null) {
      await clock.sleep(Math.min(RETRY_PAUSE_MS, untilMs - clock.monotonicMs())).done;
    } else {
      await feed.waitUntil(shard, () => feed.own(shard)!.epoch >= fromEpoch, untilMs);
    }
  }

  private async attempt(attempt: Attempt): Promise<AttemptEnd> {
    const { feed, region } = this.options;
    const { caller, dataset, entry, shard } = attempt;
    const isKnown = (): boolean => (feed.own(shard)?.home ?? null) !== null;
    if (!(await feed.waitUntil(shard, isKnown, attempt.untilMs))) {
      const detail = `${region} does not know the home of ${shard} yet`;
      return refusal(problem('not-ready', detail));
    }
    await this.held.pass(shard, attempt.untilMs);
    const { openFirst } = dataset;
    if (openFirst !== null) {
      const keys = entry.events.map(({ key }) => key);
      if (!(await this.opening.pass({ shard, keys, openFirst, untilMs: attempt.untilMs })))
        return refusal(problem('home-opening', `${region} takes writes of ${openFirst} % of the keys first`));
    }
    const own = feed.own(shard)!;
    if (own.home === region || dataset.configuration.content.writers === 'any') {
      if (own.halted !== null) return refusal(problem('shard-halted', `${shard}: ${own.halted.code}`));
      return this.append(attempt, own.epoch, own.logIncarnation!);
    }
    if (caller.neverForward || caller.forwarded !== null) {
      // A receiver that is behind waits; it never forwards again.
      const behind = caller.forwarded !== null && own.epoch < caller.forwarded.epoch;
      if (behind) {
        await feed.waitUntil(shard, () => feed.own(shard)!.epoch >= caller.forwarded!.epoch, attempt.untilMs);
        if (feed.own(shard)!.home === region) return { kind: 'again', fromEpoch: caller.forwarded.epoch };
      }
      const { epoch: known, home } = feed.own(shard)!;
      const why = problem('not-owner', `the home of ${shard} is ${home}, epoch ${known}`);
      const answer = answerProblem(why, { [EPOCH_HEADER]: String(known) });
      return { kind: 'answer', answer, definite: false };
    }
    return this.forward(attempt, own.home!, own.epoch);
  }

  private async append(attempt: Attempt, known: Epoch, logIncarnation: LogIncarnation): Promise<AttemptEnd> {
    const { feed, identities, observer } = this.options;
    const { dataset, entry, key, shard, untilMs } = attempt;
    const { trace } = attempt.caller;
    const verdict = new Gate();
    let told: ToldByRegion | null = null;
    let numbered: (() => void) | null = null;
    const ticket = this.publishers.of(dataset, shard).submit({
      publication: {
        kind: 'data',
        key: entry.events[0]!.key,
        value: entry.text,
        idempotency: key === null ? null : { key: key.hash, fingerprint: key.fingerprint },
        configuration: dataset.configuration.hash,
        epoch: known,
      },
      bytes: entry.bytes,
      notAfterMs: this.publishers.notAfterMs(shard, attempt.deadlineMs),
      giveUpAtMs: untilMs,
      span: { ...trace, spanId: identities.spanId(), parentSpanId: trace.spanId },
    });
    if (ticket === null) {
      return refusal(problem('too-many-requests', `the queue of ${shard} is full`));
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
      const published = await this.publishers.awaitPublished(ticket.settled, untilMs);
      if (published.kind === 'failed') return refusal(problem('log-unavailable', published.message));
      const stages: StageTimes =
        published.kind === 'logged' ? { logged: { atMs: published.appendTimeMs } } : {};
      if (published.kind === 'logged' && attempt.ack === 'logged') return { kind: 'logged', stages };
      await this.awaitVerdict(attempt, published, verdict);
      if (told === null) {
        const outcome = key === null ? null : await this.storedOutcome(shard, key.hash, untilMs);
        if (outcome === null) return { kind: 'unknown', stages };
        return this.fromOutcome(outcome, key!.fingerprint, logIncarnation);
      }
      const end = this.fromTold(told, stages, logIncarnation);
      if (end.kind === 'again') {
        this.publishers.of(dataset, shard).renounce((told as ToldByRegion).told.publisher);
        observer.report({ kind: 'entry-resubmitted', shard, verdict: (told as ToldByRegion).told.verdict });
      }
      return end;
    } finally {
      // Nobody listens any more, also to a number that is given later.
      ticket.onNumbered(() => undefined);
      (numbered as (() => void) | null)?.();
    }
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
      await waitAtMost(verdict, clock, untilMs - clock.monotonicMs());
      return;
    }
    const hasFolded = (): boolean => verdict.isOpen || (feed.own(shard)?.offset ?? -1n) >= published.offset;
    const folded = feed.waitUntil(shard, hasFolded, untilMs);
    void folded.then(async () => {
      await waitAtMost(verdict, clock, MISSED_VERDICT_MS);
      verdict.open();
    });
    await waitAtMost(verdict, clock, untilMs - clock.monotonicMs());
  }

  private fromTold(heard: ToldByRegion, logged: StageTimes, logIncarnation: LogIncarnation): AttemptEnd {
    const { told, region } = heard;
    const { committedAtMs, first, verdict } = told;
    // One with an old epoch was turned down by a fence that this region may not have folded yet.
    if (judgesAttempt(verdict)) return { kind: 'again', fromEpoch: verdict === 'fenced' ? told.epoch : null };
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
    const { epoch: bound, sequence } = outcome;
    const verdict: ToldVerdictCode = same ? outcome.verdict : 'key-reused';
    const { clock, region } = this.options;
    const stages: StageTimes = {
      logged: { atMs: outcome.appendTimeMs },
      // Read from this region's store: its fold has committed it.
      ...(verdict === 'accepted' ? { accepted: { atMs: clock.nowMs(), region } } : {}),
    };
    return {
      kind: 'told',
      judged: { verdict, sequence, epoch: bound, logIncarnation },
      stages,
      replayed: false,
    };
  }

  private async forward(attempt: Attempt, to: RegionName, known: Epoch): Promise<AttemptEnd> {
    const { clock, forwarder } = this.options;
    const { body, caller, dataset, key, untilMs } = attempt;
    const timeoutMs = Math.max(1, Math.floor(untilMs - clock.monotonicMs()));
    const answered = forwarder.forward({
      to,
      dataset: dataset.configuration.content.dataset,
      body,
      principal: caller.principal,
      idempotencyKey: key?.text ?? null,
      keyWasMinted: key?.minted ?? false,
      isReapplied: attempt.isReapplied,
      epoch: known,
      hops: 1,
      timeoutMs,
      traceparent: traceparentOf(caller.trace),
    });
    try {
      const answer = await this.unlessMoved(attempt, answered, known);
      if (answer === 'moved') return { kind: 'unknown', stages: {} };
      const { status, headers, body: answerBody } = answer;
      // The home moved, or the receiver is not ready: nothing was appended, the next attempt looks again.
      const passing = (status === 421 || status === 503) && clock.monotonicMs() < untilMs - RETRY_PAUSE_MS;
      if (passing) return { kind: 'again', fromEpoch: status === 421 ? laterEpoch(headers, known) : null };
      // The home moved meanwhile; its client did not ask for a home, so that 421 is not for it.
      if (status === 421)
        return refusal(problem('home-unavailable', `the home of ${attempt.shard} is moving`));
      // Taken from it while it pursued the write: the new home knows, or takes it under the same key.
      const isLeftOpen = status === 202 && answerBody.includes('"outcome":"unknown"');
      const isMoved = key !== null && this.options.feed.own(attempt.shard)!.epoch > known;
      if (isLeftOpen && isMoved) return { kind: 'unknown', stages: {} };
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
      if (clock.monotonicMs() < untilMs - RETRY_PAUSE_MS) return { kind: 'again', fromEpoch: null };
      return refusal(problem('home-unavailable', `the home ${to} of ${attempt.shard} does not answer`));
    }
  }

  /**
   * The answer of the home that was asked, or `moved`: a fence took the shard from it and it says nothing. What it may have
   * appended is judged by the log; the next home is asked under the same key. One without a key waits for the answer.
   */
  private async unlessMoved(
    { key, shard, untilMs }: Attempt,
    answered: Promise<ForwardAnswer>,
    known: Epoch,
  ): Promise<ForwardAnswer | 'moved'> {
    if (key === null) return answered;
    const { clock, feed } = this.options;
    const over = new Gate();
    let isAnswered = false;
    const note = (): void => {
      isAnswered = true;
      over.open();
    };
    answered.then(note, note);
    const isMoved = (): boolean => feed.own(shard)!.epoch > known;
    void feed.waitUntil(shard, isMoved, untilMs, over).then(async (moved) => {
      if (!moved) return;
      await waitAtMost(over, clock, MOVED_HOME_ANSWERS_MS);
      over.open();
    });
    await over.opened();
    return isAnswered ? answered : 'moved';
  }

  private async answer(
    attempt: Attempt,
    judged: Judged | null,
    stages: StageTimes,
    replayed: boolean,
  ): Promise<Answer> {
    const { ack, shard, untilMs } = attempt;
    let known = stages;
    let degraded = false;
    if (judged?.verdict === 'accepted') {
      const { sequence } = judged;
      const mayDegrade = ack === 'quorum' && attempt.dataset.configuration.content.onTimeout === 'degrade';
      const patience = mayDegrade ? untilMs - degradingMs(attempt) : untilMs;
      const isReached = await this.stages.awaitStage(shard, ack, sequence, patience);
      if (!isReached && mayDegrade) degraded = await this.degrade(attempt, sequence);
      known = this.stages.of(shard, sequence, stages);
    }
    const facts: WriteFacts = {
      id: attempt.key?.text ?? attempt.entryId ?? attempt.caller.trace.traceId,
      dataset: attempt.dataset.configuration.content.dataset,
      shard,
      traceId: attempt.caller.trace.traceId,
      eventKeys: [...new Set(attempt.entry.events.map((event) => event.key))],
      judged,
      stages: known,
      degraded,
    };
    return this.report(attempt, answerWrite(facts, ack, replayed, this.locationOf(attempt)), known, null);
  }

  /** Says in the log that the write is acknowledged below its rule, before it is (I19). False when that is not known to stand. */
  private async degrade(attempt: Attempt, sequence: Sequence): Promise<boolean> {
    const { caller, dataset, key, shard, untilMs } = attempt;
    if (key === null) return false;
    const body = { kind: 'degrade', key: key.hash, sequence } as const;
    const end = await this.publishers.appendControl(dataset, shard, body, caller, untilMs, 'any-region');
    if (end.kind !== 'folded') return false;
    this.options.observer.report({ kind: 'write-degraded', shard, sequence });
    return true;
  }

  private locationOf(attempt: Attempt): string | null {
    if (attempt.key === null) return null;
    const dataset = attempt.dataset.configuration.content.dataset;
    const shard = encodeURIComponent(attempt.shard);
    return `/v1/datasets/${dataset}/receipts/${encodeURIComponent(attempt.key.text)}?shard=${shard}&deadline=${attempt.deadlineMs}`;
  }

  private async storedOutcome(shard: ShardName, key: KeyHash, untilMs: number): Promise<Outcome | null> {
    const { clock, store } = this.options;
    try {
      const [hit] = await askStore(store.outcomes([shard], key), clock, untilMs);
      // What contradicts the other regions is no answer (I11); one of them tells the verdict.
      if (this.options.feed.isDoubted(shard, this.options.region)) return null;
      return hit?.outcome ?? null;
    } catch (error) {
      // The store's failure is not the write's: what is not known stays unknown.
      if (isPortError(error)) return null;
      throw error;
    }
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

/** This attempt wrote nothing. */
const refusal = (why: Problem): AttemptEnd => ({
  kind: 'answer',
  answer: answerProblem(why),
  definite: false,
});

/** The epoch that a gateway tells which is not the home any more; null where it knows no more than its asker. */
function laterEpoch(headers: ForwardAnswer['headers'], known: Epoch): Epoch | null {
  const told = Object.entries(headers).find(
    ([name]) => name.toLowerCase() === EPOCH_HEADER.toLowerCase(),
  )?.[1];
  if (told === undefined || !/^[1-9][0-9]{0,15}$/.test(told)) return null;
  return BigInt(told) > known ? epoch(BigInt(told)) : null;
}

/** What is kept of a caller's time to say in the log that its write is acknowledged below its rule. */
const degradingMs = ({ deadlineMs, startedAtMs }: Attempt): number =>
  Math.min(DEGRADING_MS_MAX, (deadlineMs - startedAtMs) / 4);

/**
 * Two ways to write one dataset would be two orders of its rows at home. What is applied again comes by the log alone, and the
 * home's fold lays what its services have pending upon it, as upon any entry.
 */
const isOutboxOnly = ({ configuration }: GatewayDataset): boolean =>
  configuration.content.writers === 'outbox';

const outboxOnly = (dataset: string): Problem => problem('outbox-only', `${dataset} says "writers: outbox"`);
