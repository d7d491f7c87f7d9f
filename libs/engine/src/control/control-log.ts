/**
 * The control log as one process knows it: read and folded from its latest snapshot on, and said to by this process, whose
 * commands are answered by their verdicts when they have been read back. Nothing of it is kept anywhere else.
 *
 * Upheld here: whoever acts, acts on what it has read back as accepted (B56); "failed" and "unknown" are told apart (I9);
 * queue, batch and waits are bounded (I17).
 */
import {
  CONTROL_TOPIC,
  controlEntryText,
  findControlStart,
  foldControl,
  type ControlCommand,
  type ControlRecord,
  type ControlState,
  type ControlStep,
  type Offset,
  type RegionName,
} from '@lockstep/protocol';
import { Gate, Signal, waitAtMost } from '../gate.js';
import { messageOf, reportLoopFailure } from '../loop-failure.js';
import type { FetchedPartition, Log, LogReader, LogWriter } from '../ports/log.js';
import type { MoveEnded, Observer } from '../ports/observer.js';
import { isPortError } from '../ports/port-error.js';
import type { Clock, Identities } from '../ports/world.js';
import { MoveNotes } from './move-trace.js';

const FETCH_BYTES_MAX = 4 * 1024 * 1024;
const FETCH_WAIT_MS_MAX = 500;
const RETRY_PAUSE_MS = 200;
const APPEND_TIMEOUT_MS = 2_000;
const QUEUE_MAX = 1_024;
const BATCH_MAX = 64;
/** The log is looked back through in windows of so many offsets, each twice the one before, until a snapshot is found. */
const LOOK_BACK = 2_000n;
/** No entry of an order between regions: the value says everything. */
const NO_HEADER = new Uint8Array(0);

export type FoldedControl = Extract<ControlStep, { kind: 'folded' }>;

export type Said =
  /** Read back: this is what the log made of it. */
  | { readonly kind: 'judged'; readonly step: FoldedControl }
  /** It stands nowhere and never will. */
  | { readonly kind: 'failed'; readonly message: string }
  /** It may stand in the log, now or later. */
  | { readonly kind: 'unknown'; readonly message: string };

export interface ControlLogOptions {
  readonly region: RegionName;
  readonly log: Log;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly observer: Observer;
}

interface Queued {
  readonly command: ControlCommand;
  readonly untilMs: number;
  readonly settle: (said: Said) => void;
}

export class ControlLog {
  /** The random life of this process; the log knows it by its `join`. */
  readonly session: string;
  private folded: ControlState | null = null;
  private topicId: string | null = null;
  private nextOffset = 0n as Offset;
  private isAtEnd = false;
  private answeredMs: number | null = null;
  private haltedBy: string | null = null;
  private readonly moveNotes = new MoveNotes();
  /** Control sequence through which own entries were told of; what is folded again is not told again. */
  private toldThrough = 0n;
  private readonly changed = new Signal();
  private readonly stopping = new Gate();
  private reader: LogReader | null = null;

  private number = 0n;
  private readonly queue: Queued[] = [];
  private readonly awaited = new Map<bigint, (step: FoldedControl) => void>();
  private sending: Promise<void> | null = null;
  private writer: LogWriter | null = null;

  constructor(private readonly options: ControlLogOptions) {
    this.session = options.identities.publisherId();
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const { clock, log, observer } = this.options;
    while (!this.stopping.isOpen) {
      try {
        this.reader ??= await log.openReader(CONTROL_TOPIC);
        await this.readOnce(this.reader);
      } catch (error) {
        await this.closeReader();
        if (this.stopping.isOpen) break;
        this.isAtEnd = false;
        this.changed.raise();
        reportLoopFailure(observer, 'control log', error);
        await waitAtMost(this.stopping, clock, RETRY_PAUSE_MS);
      }
    }
    await this.closeReader();
    await this.sending;
    await this.closeWriter();
  }

  stop(): void {
    this.stopping.open();
    void this.reader?.close().catch(() => undefined);
    this.changed.raise();
  }

  /** Null before the log was found; then as of the last record that was read. */
  state(): ControlState | null {
    return this.folded;
  }

  /** Identity of the log that is read; null before it was found. */
  logId(): string | null {
    return this.topicId;
  }

  /** True when the last answer of the log held everything that stood in it then. */
  isCurrent(): boolean {
    return this.isAtEnd && this.haltedBy === null;
  }

  /** Monotonic; when the log answered last, with something new or without. Null before the first time. */
  answeredAtMs(): number | null {
    return this.answeredMs;
  }

  /** Why this process must not act; null when it may. */
  halted(): string | null {
    return this.haltedBy;
  }

  /** Opens at the next change of state, of being current, or when it stops. */
  nextChange(): Gate {
    return this.changed.next();
  }

  /** Waits until the check holds; false when the time is over or the log stops. */
  async waitUntil(check: (state: ControlState | null) => boolean, untilMs: number): Promise<boolean> {
    const { clock } = this.options;
    for (;;) {
      if (check(this.folded)) return true;
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0 || this.stopping.isOpen) return false;
      await waitAtMost(this.changed.next(), clock, leftMs);
    }
  }

  /** Says something in the log, and waits until it is read back with its verdict. What is said together is appended together. */
  say(command: ControlCommand, timeoutMs: number): Promise<Said> {
    if (this.stopping.isOpen) return Promise.resolve({ kind: 'failed', message: 'the process stops' });
    if (this.queue.length >= QUEUE_MAX)
      return Promise.resolve({
        kind: 'failed',
        message: `${QUEUE_MAX} commands are waiting; try again later`,
      });
    return new Promise((settle) => {
      this.queue.push({ command, untilMs: this.options.clock.monotonicMs() + timeoutMs, settle });
      this.sending ??= this.send();
    });
  }

  private async send(): Promise<void> {
    // Everyone who says something in the same turn shares the first batch.
    await Promise.resolve();
    while (this.queue.length > 0) await this.sendBatch(this.queue.splice(0, BATCH_MAX));
    // In the same turn as the last look at the queue, so that nothing falls between.
    this.sending = null;
  }

  private async sendBatch(batch: readonly Queued[]): Promise<void> {
    const { clock, log, region } = this.options;
    const told = batch.map((queued) => this.expect(queued));
    const records = told.map(({ text }) => ({
      key: region,
      value: text,
      header: NO_HEADER,
      traceparent: null,
    }));
    const giveUpAtMs = Math.max(...batch.map(({ untilMs }) => untilMs));
    let mayStand = false;
    for (;;) {
      try {
        this.writer ??= await log.openWriter();
        const timeoutMs = APPEND_TIMEOUT_MS;
        await this.writer.append({ topic: CONTROL_TOPIC, partition: 0, records, timeoutMs });
        return;
      } catch (error) {
        await this.closeWriter();
        const disposition = isPortError(error) ? error.disposition : 'unknown';
        mayStand ||= disposition === 'unknown';
        // A copy that is appended again is superseded by its number; what was read back needs none.
        const isOver = this.stopping.isOpen || clock.monotonicMs() >= giveUpAtMs || disposition === 'fatal';
        if (isOver || told.every(({ isSettled }) => isSettled())) {
          if (!mayStand) for (const one of told) one.fail(messageOf(error));
          return;
        }
        await waitAtMost(this.stopping, clock, RETRY_PAUSE_MS);
      }
    }
  }

  /** Numbers the command, and answers it when it is read back or its time is over. */
  private expect({ command, settle, untilMs }: Queued): {
    readonly text: string;
    readonly isSettled: () => boolean;
    readonly fail: (message: string) => void;
  } {
    const { clock, region } = this.options;
    const { session } = this;
    this.number += 1n;
    const { number } = this;
    const gate = new Gate();
    let said: Said = { kind: 'unknown', message: 'it was not read back in time' };
    const end = (with_: Said): void => {
      said = with_;
      gate.open();
    };
    this.awaited.set(number, (step) => end({ kind: 'judged', step }));
    void waitAtMost(gate, clock, untilMs - clock.monotonicMs()).then(() => {
      this.awaited.delete(number);
      settle(said);
    });
    return {
      text: controlEntryText({
        author: region,
        session,
        number,
        clockMs: Math.floor(clock.nowMs()),
        command,
      }),
      isSettled: () => gate.isOpen,
      fail: (message) => end({ kind: 'failed', message }),
    };
  }

  private async readOnce(reader: LogReader): Promise<void> {
    if (reader.topicId !== this.topicId) {
      this.topicId = reader.topicId;
      this.folded = null;
      this.toldThrough = 0n;
    }
    if (this.folded === null) {
      await this.begin(reader);
      return;
    }
    const part = await this.fetch(reader, this.nextOffset, this.isAtEnd ? FETCH_WAIT_MS_MAX : 0);
    if (part.outOfRange) {
      this.folded = null;
      return;
    }
    for (const record of part.records) this.fold(record);
    this.nextOffset = part.nextOffset;
    const isAtEnd = this.nextOffset >= part.endOffset;
    if (part.records.length > 0 || isAtEnd !== this.isAtEnd) {
      this.isAtEnd = isAtEnd;
      this.changed.raise();
    }
  }

  /** Finds the latest snapshot, or the beginning of the log, and folds from there. */
  private async begin(reader: LogReader): Promise<void> {
    const { clock, log } = this.options;
    const bounds = await log.admin.bounds(CONTROL_TOPIC, 0);
    for (let window = LOOK_BACK; ; window *= 2n) {
      const { startOffset, endOffset } = bounds;
      const from = (endOffset - window > startOffset ? endOffset - window : startOffset) as Offset;
      const records = await this.readRange(reader, from, endOffset);
      // Retention passed the place meanwhile: the next round asks for the bounds again.
      if (records === null) return;
      const start = findControlStart(records, from === startOffset);
      if (start.kind === 'look-further-back') continue;
      if (start.kind === 'lost') {
        this.haltedBy = start.detail;
        this.changed.raise();
        await waitAtMost(this.stopping, clock, FETCH_WAIT_MS_MAX);
        return;
      }
      this.haltedBy = null;
      this.folded = start.state;
      this.moveNotes.forget();
      this.nextOffset = from;
      for (const record of records) if (record.offset > start.state.offset) this.fold(record);
      this.nextOffset = endOffset;
      this.isAtEnd = false;
      this.changed.raise();
      return;
    }
  }

  private async readRange(
    reader: LogReader,
    from: Offset,
    to: Offset,
  ): Promise<readonly ControlRecord[] | null> {
    const records: ControlRecord[] = [];
    for (let next = from; next < to;) {
      const part = await this.fetch(reader, next, 0);
      if (part.outOfRange) return null;
      records.push(...part.records.filter(({ offset }) => offset < to));
      next = part.nextOffset;
    }
    return records;
  }

  private async fetch(reader: LogReader, offset: Offset, waitMsMax: number): Promise<FetchedPartition> {
    const positions = [{ partition: 0, offset }];
    const [part] = await reader.fetch({ positions, waitMsMax, bytesMax: FETCH_BYTES_MAX });
    if (part === undefined) throw new Error('the log did not answer for the control log');
    this.answeredMs = this.options.clock.monotonicMs();
    return part;
  }

  /** After a difference nothing more is folded: this process must not act on what the leader knows otherwise. */
  private fold(record: ControlRecord): void {
    if (this.haltedBy !== null) return;
    const step = foldControl(this.folded!, record);
    if (step.kind === 'halted') {
      this.haltedBy = `${step.code}: ${step.detail}`;
      return;
    }
    const before = this.folded!;
    this.folded = step.state;
    const { entry } = step;
    const ended = this.moveNotes.note(this.topicId!, step);
    if (entry?.session !== this.session) return;
    this.report(before, step, ended);
    // The first copy is the one that counts; later ones are superseded, whatever they say.
    const listener = this.awaited.get(entry.number);
    this.awaited.delete(entry.number);
    listener?.(step);
  }

  /** Whoever said it reports it, so that of all processes exactly one does; once, however often the log is read. */
  private report(before: ControlState, { at, state }: FoldedControl, ended: readonly MoveEnded[]): void {
    if (at <= this.toldThrough) return;
    this.toldThrough = at;
    const { observer } = this.options;
    const { election } = state;
    if (election.term > before.election.term)
      observer.report({
        kind: 'term-begun',
        term: election.term,
        because: before.election.phase,
        leaderlessMs:
          before.election.term === 0n ? null : election.heartbeatAtMs - before.election.heartbeatAtMs,
      });
    for (const move of ended) observer.report(move);
  }

  private async closeReader(): Promise<void> {
    const { reader } = this;
    this.reader = null;
    await reader?.close().catch(() => undefined);
  }

  private async closeWriter(): Promise<void> {
    const { writer } = this;
    this.writer = null;
    await writer?.close().catch(() => undefined);
  }
}
