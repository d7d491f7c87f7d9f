/**
 * The logical clients of a load. Each has one call at a time and its own gateway; while that one does not answer it waits
 * a little longer each time, then goes through the next one for a while. In the history a client that got no definite
 * answer is never heard of again: another one goes on in its place.
 */
import {
  batchBody,
  endedUnanswered,
  judgeAnswer,
  judgeBatchAnswer,
  judgeReadAnswer,
  readPath,
  readUnanswered,
  writeBody,
  type Call,
  type Ending,
  type Operation,
  Session,
  type Reads,
  type Workload,
} from '@lockstep/testing/workload';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallEnd, GatewayCalls } from './gateway-calls.js';
import type { HistoryFile } from './history-file.js';
import type { LoadStatistics } from './load-statistics.js';

export interface LoadClientsOptions {
  readonly gateways: readonly GatewayCalls[];
  readonly workload: Workload;
  readonly reads: Reads;
  readonly history: HistoryFile;
  readonly statistics: LoadStatistics;
  readonly clients: number;
  /** 0: as fast as answers come. */
  readonly entriesPerSecond: number;
}

/** An answer is awaited for this much longer than the gateway was allowed to take. */
const ANSWER_MARGIN_MS = 5_000;
const BACK_OFF_MS = { first: 50, most: 1_000 } as const;
/** Calls in a row without an answer, after which the next gateway is tried, and for how long. */
const SILENCES_MAX = 3;
const AWAY_MS = 5_000;
const RETRY_AFTER_MS_MAX = 1_000;
/** How far a load that fell behind its rate may catch up at once. */
const BURST_MS_MAX = 200;

export class LoadClients {
  private readonly stopping = new AbortController();
  private readonly hurrying = new AbortController();
  /** Names of clients in the history, given once. */
  private names = 0;
  private nextAdmissionMs = 0;

  constructor(private readonly options: LoadClientsOptions) {
    // One for each client that waits; more than the few that Node takes for a leak.
    setMaxListeners(options.clients * 2, this.stopping.signal, this.hurrying.signal);
  }

  /** Until everything is written or `stop` was called; what is under way then is awaited. */
  async run(): Promise<void> {
    const ends = await Promise.allSettled(
      Array.from({ length: this.options.clients }, (_, seat) => this.runClient(seat)),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** @param answersMsMax how long answers are still awaited; null: as long as they may take. */
  stop(answersMsMax: number | null): void {
    this.stopping.abort();
    if (answersMsMax !== null) setTimeout(() => this.hurrying.abort(), answersMsMax).unref();
  }

  private async runClient(seat: number): Promise<void> {
    const { gateways, workload } = this.options;
    const home = seat % gateways.length;
    const names: number[] = [];
    const session = new Session();
    let at = home;
    let homeAgainMs = 0;
    let silences = 0;
    try {
      for (;;) {
        if (this.stopping.signal.aborted) return;
        const call = workload.next();
        if (call === null) return;
        await this.admit(call.operations.length);
        // Nobody was asked: the history knows nothing of it.
        if (this.stopping.signal.aborted) return;
        const { end, endings } = await this.ask(gateways[at]!, call, names);
        if (end.kind === 'unanswered') {
          silences += 1;
          if (silences % SILENCES_MAX === 0) {
            at = (at + 1) % gateways.length;
            homeAgainMs = performance.now() + AWAY_MS;
          }
          await this.pause(Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** (silences - 1)));
          continue;
        }
        silences = 0;
        if (performance.now() >= homeAgainMs) at = home;
        for (const { receipt } of endings) session.take(receipt?.token ?? null);
        await this.readAfter(call.operations[0], endings[0]!, session, names);
        if (endings.some(({ status }) => status === 429 || status === 503)) {
          await this.pause(retryAfterMs(end.answer.headers['retry-after']));
        }
      }
    } catch (error) {
      this.stop(0);
      throw error;
    }
  }

  /** @param names of the client for each place in a batch; who got no definite answer is replaced. */
  private async ask(
    gateway: GatewayCalls,
    call: Call,
    names: number[],
  ): Promise<{ readonly end: CallEnd; readonly endings: readonly Ending[] }> {
    const { history, statistics, workload } = this.options;
    const [first] = call.operations;
    for (const [place, operation] of call.operations.entries()) {
      history.add(invocation(operation, (names[place] ??= this.names++), gateway.region));
    }
    await history.written();
    const begunMs = performance.now();
    const end = await gateway.post({
      path: `/v1/datasets/${first.dataset}/entries${call.kind === 'batch' ? ':batch' : ''}`,
      body: call.kind === 'batch' ? batchBody(call.operations) : writeBody(first),
      idempotencyKey: call.kind === 'batch' ? null : first.key,
      withinMs: first.timeoutMs + ANSWER_MARGIN_MS,
      signal: this.hurrying.signal,
    });
    const latencyMs = performance.now() - begunMs;
    const endings = endingsOf(call, end);
    for (const [place, operation] of call.operations.entries()) {
      const ending = endings[place]!;
      history.add({ ...ending, f: 'append', p: names[place]!, op: operation.op });
      workload.settle(operation.op, ending);
      statistics.note(operation, ending, latencyMs);
      if (ending.type === 'info') names[place] = this.names++;
    }
    await history.written();
    return { end, endings };
  }

  /** The client that was told first reads, where the choice falls on it. */
  private async readAfter(
    operation: Operation,
    ending: Ending,
    session: Session,
    names: number[],
  ): Promise<void> {
    const { gateways, history, reads, workload } = this.options;
    if (this.stopping.signal.aborted) return;
    const question = reads.after(operation, ending, session, () => workload.takeOrdinal());
    const gateway = gateways.find(({ region }) => region === question?.region);
    if (question === null || gateway === undefined) return;
    const p = (names[0] ??= this.names++);
    history.add({ ...question, type: 'invoke', f: 'read', p });
    const end = await gateway.get({
      path: readPath(question),
      token: question.token,
      withinMs: question.timeoutMs + ANSWER_MARGIN_MS,
      signal: this.hurrying.signal,
    });
    const told = end.kind === 'answered' ? judgeReadAnswer(end.answer) : readUnanswered(end.code);
    history.add({ ...told, f: 'read', p, op: question.op });
    session.take(told.seen?.token ?? null);
    if (told.type === 'info') names[0] = this.names++;
    await history.written();
  }

  /** Waits for its turn at the chosen rate. */
  private async admit(entries: number): Promise<void> {
    const { entriesPerSecond } = this.options;
    if (entriesPerSecond === 0) return;
    const nowMs = performance.now();
    const turnMs = Math.max(this.nextAdmissionMs, nowMs - BURST_MS_MAX);
    this.nextAdmissionMs = turnMs + (entries * 1_000) / entriesPerSecond;
    if (turnMs > nowMs) await this.pause(turnMs - nowMs);
  }

  /** Ends early when the load ends. */
  private async pause(ms: number): Promise<void> {
    const { signal } = this.stopping;
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function endingsOf(call: Call, end: CallEnd): readonly Ending[] {
  if (end.kind === 'unanswered') {
    return call.operations.map(() => endedUnanswered(end.code, end.nothingSent));
  }
  return call.kind === 'batch'
    ? judgeBatchAnswer(call.operations, end.answer)
    : [judgeAnswer(call.operations[0], end.answer)];
}

function invocation(operation: Operation, p: number, region: string) {
  return { ...operation, type: 'invoke', f: 'append', p, region } as const;
}

function retryAfterMs(header: string | readonly string[] | undefined): number {
  const seconds = Number(header);
  return seconds >= 0 ? Math.min(RETRY_AFTER_MS_MAX, seconds * 1_000) : RETRY_AFTER_MS_MAX;
}
