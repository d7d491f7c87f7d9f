/**
 * Carries out what `decideNext` decides: says writes, waits, says them again, asks for receipts. It knows no types of
 * events; `Dataset` does. Upheld here: a call ends within its time-out and `settleMs` (I17), unknown is made definite by
 * asking where it can be (I9), and no call is repeated without a key (I8).
 */
import { isPortError, type Clock, type Identities } from '@lockstep/engine';
import type { Receipt, Stage } from '@lockstep/protocol';
import type { LockstepConfiguration } from '../module/lockstep-configuration.js';
import type { RequestSession } from '../session/request-session.js';
import { CallsUnderWay } from './calls-under-way.js';
import type { DatasetPort, PortAnswer, ReceiptCall, RowCall } from './dataset-port.js';
import { decideNext } from './decide-next.js';
import { hearBatch, hearRow, hearWrite, type Heard, type HeardRow } from './hear-answer.js';
import { NothingWritten, OutcomeUnknown, ownProblem, rejected, StageNotReached } from './lockstep-error.js';
import { reaches, WriteReceipt } from './write-receipt.js';

export interface Write {
  readonly dataset: string;
  readonly events: readonly object[];
  readonly idempotencyKey: string | null;
}

export interface WriteTerms {
  readonly ack: Stage | undefined;
  readonly timeoutMs: number;
  readonly session: RequestSession | null;
}

/** What a client needs of the world. */
export interface ClientWorld {
  readonly clock: Clock;
  readonly identities: Pick<Identities, 'idempotencyKey' | 'random'>;
}

const RECEIPT_PAUSE_MS = 100;

export class LockstepClient {
  readonly calls: CallsUnderWay;

  constructor(
    readonly port: DatasetPort,
    readonly configuration: LockstepConfiguration,
    readonly world: ClientWorld,
  ) {
    this.calls = new CallsUnderWay(configuration.callsMax, world.clock);
  }

  /** @throws LockstepError of the class that says what became of the write. */
  write(write: Write, terms: WriteTerms): Promise<WriteReceipt> {
    return this.calls.run(() => this.pursue(write, terms, this.until(terms.timeoutMs), null));
  }

  /** In order, each as if it had been written alone. */
  writeBatch(
    writes: readonly Write[],
    terms: WriteTerms,
  ): Promise<readonly PromiseSettledResult<WriteReceipt>[]> {
    return this.calls.run(async () => {
      const untilMs = this.until(terms.timeoutMs);
      const [first] = writes;
      if (first === undefined) return [];
      const answer = await this.heard(
        () => {
          const entries = writes.map(({ events, idempotencyKey }) => ({
            events,
            ...(idempotencyKey === null ? {} : { idempotencyKey }),
          }));
          const body = bodyOf({ entries }, terms.ack, terms.timeoutMs);
          return this.port.writeBatch({ dataset: first.dataset, body, timeoutMs: terms.timeoutMs });
        },
        (told) => hearBatch(told, writes.length) ?? hearWrite(told),
      );
      // What was said of the batch as a whole was said of each entry.
      const each = 'kind' in answer ? writes.map(() => answer) : answer;
      return Promise.allSettled(
        writes.map((write, index) => this.pursue(write, terms, untilMs, each[index]!)),
      );
    });
  }

  /** The row, null where there is none. A region that is behind its token is waited for. */
  read(call: RowCall): Promise<{ readonly row: HeardRow | null; readonly token: string | undefined }> {
    return this.calls.run(async () => {
      const untilMs = this.until(call.timeoutMs);
      for (;;) {
        const answer = await this.heard(
          () => this.port.row({ ...call, timeoutMs: this.left(untilMs) }),
          (told) => ({ ...hearRow(told), token: told.headers['lockstep-token'] }),
        );
        if ('row' in answer) return answer;
        const heard = 'heard' in answer ? answer.heard : answer;
        const next = decideNext({ heard, isKeyed: true, leftMs: untilMs - this.nowMs(), mayStand: false });
        if (next.kind !== 'again') throw refusalOf(heard);
        await this.pause(next.afterMs);
      }
    });
  }

  /** The receipt of a key; null while nothing is known of it. */
  receipt(call: Omit<ReceiptCall, 'settle'>): Promise<WriteReceipt | null> {
    return this.calls.run(async () => {
      const { dataset, idempotencyKey, timeoutMs, wait } = call;
      const asked = { dataset, idempotencyKey, wait, settle: null };
      const heard = await this.askUntil(asked, this.until(timeoutMs), () => true);
      if (heard.kind === 'rejected') throw rejected(heard.problem, heard.receipt);
      if (heard.kind === 'receipt') return this.receiptOf(dataset, idempotencyKey, heard.receipt, true);
      if (heard.kind === 'refused' && isUnseen(heard.problem.code)) return null;
      throw refusalOf(heard);
    });
  }

  /** @param first what a batch was told of it already; null: it has not been said yet. */
  private async pursue(
    write: Write,
    terms: WriteTerms,
    untilMs: number,
    first: Heard | null,
  ): Promise<WriteReceipt> {
    const { dataset, idempotencyKey } = write;
    let mayStand = false;
    for (let heard = first ?? (await this.say(write, terms.ack, untilMs)); ;) {
      const leftMs = untilMs - this.nowMs();
      const next = decideNext({ heard, isKeyed: idempotencyKey !== null, leftMs, mayStand });
      switch (next.kind) {
        case 'again':
          mayStand ||= heard.kind === 'silence' && heard.mayStand;
          await this.pause(next.afterMs);
          heard = await this.say(write, terms.ack, untilMs);
          break;
        case 'tell':
          return this.tell(heard, dataset, idempotencyKey, terms.session);
        case 'ask': {
          const definite = await this.settle(dataset, idempotencyKey!, heard);
          return this.tell(definite, dataset, idempotencyKey, terms.session);
        }
        case 'tell-unknown':
          throw new OutcomeUnknown(idempotencyKey, describe(heard));
      }
    }
  }

  private say({ dataset, events, idempotencyKey }: Write, ack: Stage | undefined, untilMs: number) {
    const timeoutMs = this.left(untilMs);
    return this.heard(
      () => this.port.write({ dataset, body: bodyOf({ events }, ack, timeoutMs), idempotencyKey, timeoutMs }),
      hearWrite,
    );
  }

  /** The time of the write is over: what the log says of its key now is final, or nobody knows. */
  private async settle(dataset: string, idempotencyKey: string, last: Heard): Promise<Heard> {
    const shard = last.kind === 'receipt' ? last.receipt.shard : null;
    const settle = shard === null ? null : { shard, deadlineMs: this.world.clock.nowMs() };
    const untilMs = this.until(this.configuration.settleMs);
    const heard = await this.askUntil(
      { dataset, idempotencyKey, wait: 'logged', settle },
      untilMs,
      isDefinite,
    );
    if (isDefinite(heard)) return heard;
    throw new OutcomeUnknown(idempotencyKey, describe(heard));
  }

  private async askUntil(
    call: Omit<ReceiptCall, 'timeoutMs'>,
    untilMs: number,
    isEnough: (heard: Heard) => boolean,
  ): Promise<Heard> {
    for (;;) {
      const timeoutMs = this.left(untilMs);
      const heard = await this.heard(() => this.port.receipt({ ...call, timeoutMs }), hearWrite);
      const isWorthAsking = heard.kind === 'busy' || heard.kind === 'silence' || !isEnough(heard);
      const pauseMs = heard.kind === 'busy' ? heard.retryAfterMs : RECEIPT_PAUSE_MS;
      if (!isWorthAsking || this.nowMs() + pauseMs >= untilMs) return heard;
      await this.pause(pauseMs);
    }
  }

  private tell(
    heard: Heard,
    dataset: string,
    idempotencyKey: string | null,
    session: RequestSession | null,
  ): WriteReceipt {
    if (heard.kind === 'receipt') {
      session?.take(heard.receipt.token);
      return this.receiptOf(dataset, idempotencyKey, heard.receipt, heard.replayed);
    }
    if (heard.kind === 'rejected') {
      session?.take(heard.receipt?.token);
      throw rejected(heard.problem, heard.receipt);
    }
    throw refusalOf(heard);
  }

  private receiptOf(
    dataset: string,
    idempotencyKey: string | null,
    receipt: Receipt,
    replayed: boolean,
  ): WriteReceipt {
    const ask = (stage: Stage, timeoutMs = this.configuration.timeoutMs): Promise<WriteReceipt> =>
      this.calls.run(async () => {
        // Without a key it has no receipt that could be asked for.
        if (idempotencyKey === null) throw new StageNotReached(receipt, stage);
        const heard = await this.askUntil(
          { dataset, idempotencyKey, wait: stage, settle: null },
          this.until(timeoutMs),
          (one) => one.kind === 'rejected' || (one.kind === 'receipt' && reaches(one.receipt, stage)),
        );
        if (heard.kind === 'rejected') throw rejected(heard.problem, heard.receipt);
        if (heard.kind !== 'receipt') throw new StageNotReached(receipt, stage);
        if (!reaches(heard.receipt, stage)) throw new StageNotReached(heard.receipt, stage);
        return this.receiptOf(dataset, idempotencyKey, heard.receipt, replayed);
      });
    return new WriteReceipt(receipt, replayed, ask);
  }

  private async heard<T>(
    call: () => Promise<PortAnswer>,
    hear: (answer: PortAnswer) => T,
  ): Promise<T | Heard> {
    try {
      return hear(await call());
    } catch (error) {
      if (!isPortError(error)) throw error;
      const { disposition, message } = error;
      return { kind: 'silence', detail: message, mayStand: disposition === 'unknown' };
    }
  }

  private nowMs(): number {
    return this.world.clock.monotonicMs();
  }

  private until(timeoutMs: number): number {
    return this.nowMs() + timeoutMs;
  }

  /** At least a millisecond: gateways take no time-out of nothing. */
  private left(untilMs: number): number {
    return Math.max(1, Math.floor(untilMs - this.nowMs()));
  }

  private async pause(ms: number): Promise<void> {
    await this.world.clock.sleep(ms).done;
  }
}

function bodyOf(what: object, ack: Stage | undefined, timeoutMs: number): string {
  return JSON.stringify({ ...what, ...(ack === undefined ? {} : { ack }), timeoutMs });
}

const isUnseen = (code: string): boolean => code === 'not-seen' || code === 'never-or-expired';

const isDefinite = (heard: Heard): boolean =>
  heard.kind === 'rejected' || (heard.kind === 'receipt' && heard.receipt.outcome !== 'unknown');

/** For calls that certainly had no effect. */
function refusalOf(heard: Heard): NothingWritten {
  if (heard.kind === 'refused' || heard.kind === 'busy') return new NothingWritten(heard.problem);
  return new NothingWritten(ownProblem('gateway-unreachable', describe(heard)));
}

function describe(heard: Heard): string {
  switch (heard.kind) {
    case 'receipt':
      return `${heard.receipt.id} of ${heard.receipt.shard} has no outcome yet`;
    case 'silence':
      return heard.detail;
    case 'rejected':
    case 'refused':
    case 'busy':
      return `${heard.problem.code}: ${heard.problem.detail}`;
  }
}
