/**
 * A lane applies the shards of one dataset in one region: fetch -> decode -> fold -> one commit -> verdicts, watermark.
 *
 * Three loops share a bounded queue. The reader prefetches from explicit offsets; the applier folds whatever has piled
 * up and commits it. Where a whole batch has piled up, it is folded while the store commits the one before; it goes out
 * only after that one. Where more has piled up than the applier has under way, a helper takes a batch of other shards
 * to the store on a connection of its own (decision 0093): no shard is ever under way in both, and whatever is not a
 * batch (taking shards up, a store that is doubted) waits until the helper rests. A lane decides nothing: `plan`,
 * `ShardFold`, `decideResume` and `judgeStore` do.
 *
 * Upheld here: I4 (effects and cursor in one commit, checked by the store's compare-and-set; in-memory state advances
 * only after it, and what was folded ahead of a commit that failed is thrown away), I7 (verdicts and watermarks are
 * told after the commit only), I12 (no vote of a store that went back until it has proved itself), I17 (queue, batch
 * and waits are bounded), I20 (a halt does not outlive its cause).
 * A commit whose answer was lost, or that lost the compare-and-set, drops the in-memory state: cursors are read again.
 */
import {
  addMarks,
  COUNTS,
  decideResume,
  decodeEntry,
  endsBatch,
  generationOf,
  judgeStore,
  outboxFacts,
  parseShardName,
  plan,
  recordsUntilProof,
  ShardFold,
  shardName,
  signaturesBy,
  standingAfter,
  topicOf,
  withheldBy,
  type Configurations,
  type Cursor,
  type DecodedEntry,
  type FoldedBatch,
  type FoldedEntry,
  type Halt,
  type OutboxStanding,
  type ReadAnswers,
  type Reads,
  type RegionName,
  type ShardName,
  type ShardState,
  type SignatureOf,
  type Standing,
  type StoreIncarnation,
  type Verdict,
  type Watermark,
} from '@lockstep/protocol';
import { Gate, Signal, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import { observeLog } from '../observe-log.js';
import type { FetchedPartition, Log, LogReader } from '../ports/log.js';
import type { EntryAge, Observer, TracedEntry } from '../ports/observer.js';
import { isPortError, PortError } from '../ports/port-error.js';
import type { SignatureCheck } from '../ports/signing.js';
import type { ApplyStore, Lease, PlacedAnswers, ProjectedTable, ShardCommit } from '../ports/store.js';
import type { ToldVerdict } from '../ports/streams.js';
import type { Clock } from '../ports/world.js';
import type { Footing } from '../publish/outbox-relay.js';
import type { StreamHub } from '../streams/stream-hub.js';
import {
  mergeRows,
  shardsOfBatch,
  type Folded,
  type Gathered,
  type Ground,
  type Halted,
  type Portion,
  type Work,
} from './batch.js';
import { foldEntries, isTold, toTold } from './fold-entries.js';
import { haltOf, isCaughtUp, newLine, watermarkOf, type Line } from './line.js';
import { eventsOf, RecordQueue, sizeOf, type Chunk } from './record-queue.js';
import type { QuietShard } from './quiet-shards.js';
import type { ToldBefore } from './told-before.js';

export const APPLY_EVENTS_MAX = 2_000;
export const APPLY_BYTES_MAX = 4 * 1024 * 1024;
export const PREFETCH_BYTES_MAX = 32 * 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
/**
 * Bounds how long a newly taken shard waits behind a fetch under way, how long stopping takes, and by how much longer a region goes
 * on asking a log that has stopped answering.
 */
const FETCH_WAIT_MS_MAX = 200;
const IDLE_WAIT_MS = 1_000;
const RETRY_PAUSE_MS = 100;
/** A helper that found nothing to do for so long gives its connection up. */
const HELPER_IDLE_MS = 10_000;
const TRUNCATION_GRACE_MS = 10_000;
const CLEAN_ROUND_MS = 60_000;
/** How often the cause of a halt is looked at again. */
const HALT_ROUND_MS = 5_000;
/** No progress with work at hand for this long is not alive. */
const STALL_MS = 30_000;

export interface LaneOptions {
  readonly region: RegionName;
  readonly table: ProjectedTable;
  readonly log: Log;
  readonly openStore: () => Promise<ApplyStore>;
  readonly configurations: Configurations;
  readonly signatures: SignatureCheck;
  /** Learns what this region has come to know since its processes started. */
  readonly refreshConfigurations: () => Promise<void>;
  readonly hub: StreamHub;
  readonly toldBefore: ToldBefore;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly applyEventsMax: number;
}

/** Takes batches to the store, on a connection of its own. */
interface Applier {
  store: ApplyStore | null;
  /** What was begun of the next batch while the one before was committed. */
  ahead: Gathered | Folded | null;
  /** Whose entries it has taken and not yet committed; nobody else takes any of them meanwhile. */
  shards: ReadonlySet<ShardName>;
}

const newApplier = (): Applier => ({ store: null, ahead: null, shards: new Set() });

export class Lane {
  private readonly lines = new Map<ShardName, Line>();
  private readonly queue = new RecordQueue(PREFETCH_BYTES_MAX);
  private readonly wake = new Signal();
  private readonly applier = newApplier();
  private readonly helper = newApplier();
  /** Raised when there may be a batch more than the applier takes. */
  private readonly plenty = new Signal();
  private isHelperHeld = false;
  /** Until then no connection is opened for it. */
  private helpNotBeforeMs = -Infinity;
  /** Open while the helper has nothing under way. */
  private helperRests = openGate();
  /** The life of the store as last read; null before. */
  private storeIncarnation: StoreIncarnation | null = null;
  private isStoreDoubted = false;
  private stopped = false;
  /** Lives given out so far in this lane: no two lines ever share one, so that a late fetch finds its line or nothing. */
  private lives = 0;
  private cleanedAtMs = 0;
  /** When one of the loops last met a failure of the world. */
  private failedAtMs = -Infinity;

  private readonly signatureOf: SignatureOf;

  constructor(private readonly options: LaneOptions) {
    const { signatures } = options;
    this.signatureOf = signaturesBy((...signed) => signatures.isValid(...signed));
  }

  /** Begins with a shard whose lease is held; does nothing when it is already at work under that lease. */
  take(lease: Lease): void {
    const line = this.lines.get(lease.shard);
    if (line?.lease.number === lease.number) return;
    const parsed = parseShardName(lease.shard);
    if (parsed === null) throw new Error(`not a shard: ${lease.shard}`);
    this.queue.drop(lease.shard);
    const nowMs = this.options.clock.monotonicMs();
    this.lines.set(lease.shard, newLine(lease, parsed.partition, this.nextLife(), nowMs));
    this.wake.raise();
  }

  /** Stops work on a shard whose lease another instance holds. */
  lose(shard: ShardName): void {
    this.lines.delete(shard);
    this.queue.drop(shard);
    this.options.hub.forget(shard);
  }

  /** The database was out of reach, and may have come back as another one: cursors are read again. */
  doubtStore(): void {
    this.isStoreDoubted = true;
    this.wake.raise();
  }

  /** Runs until `stop`; failures of the world are reported and retried, never thrown. */
  async run(): Promise<void> {
    await Promise.all([this.readLoop(), this.applyLoop(), this.helpLoop()]);
    await this.dropStore();
  }

  stop(): void {
    this.stopped = true;
    this.wake.raise();
    this.plenty.raise();
  }

  /**
   * Shards that have work and have not moved for too long; empty when the lane is alive. While the log or the store
   * fails it is alive: a restart would mend nothing.
   */
  stalled(): readonly ShardName[] {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.failedAtMs <= STALL_MS) return [];
    return [...this.lines.values()]
      .filter((line) => haltOf(line) === null && !isCaughtUp(line) && nowMs - line.progressAtMs > STALL_MS)
      .map((line) => line.shard);
  }

  /** Where a shard stands that is applied here and was caught up with its log once since it was taken. */
  footingOf(shard: ShardName): Footing | null {
    const line = this.lines.get(shard);
    if (line?.phase.kind !== 'applying' || line.state === null || line.caughtUpAtMs === null) return null;
    return line.state.cursor;
  }

  /** Shards that are not yet at work, or whose vote does not count, with the reason. */
  notReady(): readonly string[] {
    return [...this.lines.values()].flatMap((line) => {
      const { shard } = line;
      const stop = haltOf(line) ?? withheldBy(line.standing);
      if (stop !== null) return [`${shard}: ${stop.code}`];
      return line.phase.kind === 'claimed' ? [`${shard}: cursor not read yet`] : [];
    });
  }

  private async readLoop(): Promise<void> {
    const { clock, log, table } = this.options;
    let reader: LogReader | null = null;
    while (!this.stopped) {
      const room = this.queue.room();
      if (!room.isOpen) {
        await waitAtMost(room, clock, IDLE_WAIT_MS);
        continue;
      }
      const reading = this.inPhase('applying');
      if (reading.length === 0) {
        await waitAtMost(this.wake.next(), clock, IDLE_WAIT_MS);
        continue;
      }
      const lives = new Map(reading.map((line) => [line.shard, line.life]));
      try {
        reader ??= await log.openReader(topicOf(table.dataset));
        const { topicId } = reader;
        if (reading.some((line) => line.topicId !== topicId))
          throw new PortError('log-topic-replaced', 'retryable', `${topicOf(table.dataset)} was made anew`);
        const fetched = await reader.fetch({
          positions: reading.map((line) => ({ partition: line.partition, offset: line.nextOffset })),
          waitMsMax: FETCH_WAIT_MS_MAX,
          bytesMax: FETCH_BYTES_MAX,
        });
        for (const part of fetched) this.accept(part, lives);
      } catch (error) {
        this.reportFailure('reader', error);
        // What the next reader finds may be another log: cursors are checked against it before it is folded (I4).
        this.doubtStore();
        await reader?.close().catch(() => undefined);
        reader = null;
        await clock.sleep(RETRY_PAUSE_MS).done;
      }
    }
    await reader?.close().catch(() => undefined);
  }

  private accept(part: FetchedPartition, lives: ReadonlyMap<ShardName, number>): void {
    const { clock, table } = this.options;
    const shard = shardName(table.dataset, part.partition);
    const line = this.lines.get(shard);
    if (line?.phase.kind !== 'applying' || line.life !== lives.get(shard) || line.state === null) return;
    if (part.outOfRange) {
      // Judged again from the cursor, once everything fetched before is committed.
      if (line.pending === 0) this.restart(line);
      return;
    }
    line.endOffset = part.endOffset;
    line.nextOffset = part.nextOffset;
    if (part.records.length > 0) {
      const entries = part.records.map(decodeEntry);
      line.pending += entries.length;
      this.queue.put({ shard, life: line.life, entries });
      this.wake.raise();
      this.tellOfPlenty();
    } else if (isCaughtUp(line)) {
      line.caughtUpAtMs = clock.nowMs();
      this.noteProgress(line);
    }
  }

  /** Those that are known to be still caught up since a later moment than was told. */
  quietShards(): readonly QuietShard[] {
    const { hub } = this.options;
    return this.inPhase('applying').flatMap((line) => {
      const { caughtUpAtMs, shard, toldAtMs } = line;
      const isNews = caughtUpAtMs !== null && hub.newest(shard)?.caughtUpAtMs !== caughtUpAtMs;
      return isNews && isCaughtUp(line) ? [{ toldAtMs, caughtUpAtMs, tell: () => this.tell(line, []) }] : [];
    });
  }

  private async applyLoop(): Promise<void> {
    const { applier } = this;
    const { clock, openStore } = this.options;
    while (!this.stopped) {
      const woken = this.wake.next();
      try {
        let loaded = false;
        this.judgeHaltsAgain();
        if (this.mustHoldHelper()) {
          await this.holdHelper();
          if (this.isStoreDoubted || this.isLifeOver()) await this.dropStore();
          applier.store ??= await openStore();
          loaded = await this.loadClaimed(applier.store);
          await this.cleanSometimes(applier.store);
          this.releaseHelper();
        }
        applier.store ??= await openStore();
        if (applier.ahead === null && !loaded && !this.queue.has(this.isFreeFor(applier))) {
          await waitAtMost(woken, clock, IDLE_WAIT_MS);
          continue;
        }
        await this.turn(applier, applier.store);
      } catch (error) {
        this.reportFailure('applier', error);
        await this.holdHelper();
        await this.dropStore();
        await clock.sleep(RETRY_PAUSE_MS).done;
      }
    }
  }

  /** Batches of shards that the applier has not under way, whenever there is a whole one. */
  private async helpLoop(): Promise<void> {
    const { helper } = this;
    const { clock, openStore } = this.options;
    while (!this.stopped) {
      const plenty = this.plenty.next();
      if (this.isHelperHeld || !(helper.ahead !== null || this.isPlenty())) {
        const isTold = await waitAtMost(plenty, clock, HELPER_IDLE_MS);
        if (!isTold && !this.isHelperHeld && helper.store !== null) await this.rest(helper);
        continue;
      }
      this.helperRests = new Gate();
      try {
        if (helper.store === null) {
          // Nothing is lost where there is no connection for it: the applier goes on alone for a while.
          this.helpNotBeforeMs = clock.monotonicMs() + HELPER_IDLE_MS;
          helper.store = await openStore();
        }
        await this.turn(helper, helper.store);
      } catch (error) {
        this.reportFailure('helper', error);
        if (helper.shards.size > 0) {
          // What it has taken stays taken until the applier has dropped everything: cursors are read again.
          this.isHelperHeld = true;
          this.doubtStore();
        }
      }
      this.helperRests.open();
    }
  }

  /** Shards are taken up, the store is doubted and cleaned only while no batch is under way. */
  private mustHoldHelper(): boolean {
    if (this.isStoreDoubted || this.inPhase('claimed').length > 0) return true;
    return this.isLifeOver() || this.isCleaningDue();
  }

  private async holdHelper(): Promise<void> {
    this.isHelperHeld = true;
    await this.helperRests.opened();
  }

  private releaseHelper(): void {
    this.isHelperHeld = false;
    this.plenty.raise();
  }

  private tellOfPlenty(): void {
    if (this.queue.isFullBatch(this.options.applyEventsMax, APPLY_BYTES_MAX, OF_ANY)) this.plenty.raise();
  }

  /** The applier has its batch, and of other shards there is one more. */
  private isPlenty(): boolean {
    const { applyEventsMax, clock } = this.options;
    const mayOpen = this.helper.store !== null || clock.monotonicMs() >= this.helpNotBeforeMs;
    return (
      mayOpen &&
      this.applier.shards.size > 0 &&
      this.queue.isFullBatch(applyEventsMax, APPLY_BYTES_MAX, this.isFreeFor(this.helper))
    );
  }

  private isFreeFor(by: Applier): (shard: ShardName) => boolean {
    const { shards } = by === this.applier ? this.helper : this.applier;
    return (shard) => !shards.has(shard);
  }

  /** One batch: what was begun of it, or whatever has piled up. */
  private async turn(by: Applier, store: ApplyStore): Promise<void> {
    const batch = by.ahead ?? this.gather(by, []);
    by.ahead = null;
    const ahead = await this.apply(by, store, batch);
    by.ahead = ahead;
    by.shards = ahead === null ? NOTHING_TAKEN : shardsOfBatch(ahead);
    this.wake.raise();
  }

  private async rest(by: Applier): Promise<void> {
    const { store } = by;
    by.store = null;
    await store?.close().catch(() => undefined);
  }

  /** Deletes what the fold has forgotten: a bounded piece of it once in a while, between batches. */
  private async cleanSometimes(store: ApplyStore): Promise<void> {
    if (!this.isCleaningDue()) return;
    this.cleanedAtMs = this.options.clock.monotonicMs();
    await store.clean(this.inPhase('applying').map((line) => line.shard));
  }

  private isCleaningDue(): boolean {
    const isLong = this.options.clock.monotonicMs() - this.cleanedAtMs >= CLEAN_ROUND_MS;
    return isLong && this.inPhase('applying').length > 0;
  }

  private inPhase(kind: Line['phase']['kind']): readonly Line[] {
    return [...this.lines.values()].filter(({ phase }) => phase.kind === kind);
  }

  /**
   * Reads cursors of shards that were taken and checks them against the log, which must still hold what they folded
   * last, and against what this region told before, which its store must not lack.
   */
  private async loadClaimed(store: ApplyStore): Promise<boolean> {
    const claimed = this.inPhase('claimed');
    if (claimed.length === 0) return false;
    const lives = new Map(claimed.map((line) => [line, line.life]));
    if (claimed.some((line) => line.recurring?.code === 'configuration-missing'))
      await this.options.refreshConfigurations();
    await this.options.toldBefore.readToEnd();
    const incarnation = await store.incarnation();
    const states = await store.load(claimed.map((line) => line.shard));
    const life = await this.renewIfBack(store, incarnation, states);
    await this.options.toldBefore.begin(life, this.placesOf(claimed, states, life));
    this.storeIncarnation = life;
    const reader = await this.options.log.openReader(topicOf(this.options.table.dataset));
    let settled = false;
    try {
      const seen = await observeLog(
        reader,
        states.map(({ cursor }) => cursor),
      );
      for (const state of states) {
        const line = claimed.find((candidate) => candidate.shard === state.cursor.shard);
        if (line === undefined) continue;
        const resume = decideResume(state.cursor, seen.get(line.shard)!);
        if (this.lines.get(line.shard) !== line || line.life !== lives.get(line)) continue;
        if (resume.kind === 'halt' && resume.halt.code === 'log-truncated' && this.mayRecover(line)) continue;
        settled = true;
        line.state = state;
        line.marks = state.cursor.mark === null ? [] : [state.cursor.mark];
        line.told = this.options.toldBefore.of(line.shard);
        this.setStanding(line, judgeStore(state.cursor, this.storeIncarnation, line.told).standing);
        if (resume.kind === 'halt') {
          this.halt(line, resume.halt);
        } else {
          line.topicId = reader.topicId;
          line.nextOffset = resume.from;
          line.truncatedAtMs = null;
          line.phase = { kind: 'applying' };
          this.tell(line, []);
        }
      }
    } finally {
      await reader.close().catch(() => undefined);
    }
    if (settled) this.wake.raise();
    return settled;
  }

  /** A store that lacks what was told of it, or is of a life that is over, begins a new one before it tells again (I12). */
  private async renewIfBack(
    store: ApplyStore,
    incarnation: StoreIncarnation,
    states: readonly ShardState[],
  ): Promise<StoreIncarnation> {
    const { observer, region, toldBefore } = this.options;
    const isOver = toldBefore.isOver(incarnation);
    const back = states
      .map(({ cursor }) => cursor)
      .filter((cursor) => isOver || judgeStore(cursor, incarnation, toldBefore.of(cursor.shard)).wentBack);
    if (back.length === 0) return incarnation;
    const generation = Math.max(generationOf(incarnation), toldBefore.generation) + 1;
    const renewed = await store.renewIncarnation(incarnation, generation);
    const shards = back.map((cursor) => cursor.shard);
    observer.report({ kind: 'store-went-back', region, shards, from: incarnation, to: renewed });
    return renewed;
  }

  /** Where the shards stand in a life of the store. An empty one, in place of a lost one, is at the beginning of its log. */
  private placesOf(
    claimed: readonly Line[],
    states: readonly ShardState[],
    life: StoreIncarnation,
  ): readonly Watermark[] {
    const { region, toldBefore } = this.options;
    return claimed.flatMap((line) => {
      const state = states.find(({ cursor }) => cursor.shard === line.shard) ?? null;
      const told = toldBefore.of(line.shard);
      const standing = state === null ? COUNTS : judgeStore(state.cursor, life, told).standing;
      const place = watermarkOf({ ...line, state, standing }, region, life);
      const logIncarnation = place?.logIncarnation ?? told.at(-1)?.logIncarnation ?? null;
      return place === null || logIncarnation === null ? [] : [{ ...place, logIncarnation }];
    });
  }

  /** Another instance began a later life, and the store was put back to before it: what is told in this one counts nowhere. */
  private isLifeOver(): boolean {
    const { storeIncarnation } = this;
    if (storeIncarnation === null || !this.options.toldBefore.isOver(storeIncarnation)) return false;
    return this.inPhase('applying').length > 0;
  }

  /** A new leader may for a moment call less committed than what was read from the old one; a lost tail stays lost. */
  private mayRecover(line: Line): boolean {
    const nowMs = this.options.clock.monotonicMs();
    line.truncatedAtMs ??= nowMs;
    return nowMs - line.truncatedAtMs < TRUNCATION_GRACE_MS;
  }

  /** Commits a batch; answers what was begun of the next one meanwhile, where a whole one has piled up. */
  private async apply(
    by: Applier,
    store: ApplyStore,
    batch: Gathered | Folded,
  ): Promise<Gathered | Folded | null> {
    const { clock } = this.options;
    const folded = batch.kind === 'folded' ? batch : await this.readAndFold(store, batch);
    const works = folded.works.filter((work) => this.stands(work));
    let ahead: Gathered | Folded | null = null;
    if (works.length > 0) {
      const commitFromMs = clock.monotonicMs();
      const committing = this.commit(store, works);
      ahead = this.foldAhead(by, works);
      const committed = await committing;
      if (committed) this.afterCommit(works, { ...folded, commitFromMs });
    }
    for (const { line, life, halt } of folded.halts)
      if (line.life === life && line.phase.kind === 'applying') this.halt(line, halt);
    return ahead;
  }

  /** Whether the line is where the entries were folded from: else they are read again, from where it is. */
  private stands({ line, life, before }: Ground): boolean {
    const isHere = this.lines.get(line.shard) === line && line.life === life;
    return isHere && line.phase.kind === 'applying' && line.state === before;
  }

  /** While the store commits these; null where waiting for more costs nothing. */
  private foldAhead(by: Applier, works: readonly Work[]): Gathered | Folded | null {
    const { applyEventsMax } = this.options;
    if (!this.queue.isFullBatch(applyEventsMax, APPLY_BYTES_MAX, this.isFreeFor(by))) return null;
    const gathered = this.gather(by, works);
    return gathered.reads.size === 0 ? this.fold(gathered, NO_ANSWERS, 0) : gathered;
  }

  /** Takes what has piled up, to be folded on from what the commit under way will leave. */
  private gather(by: Applier, underWay: readonly Work[]): Gathered {
    const { applyEventsMax, clock, configurations } = this.options;
    const startedAtMs = clock.nowMs();
    const left = new Map(underWay.map((work) => [work.line, work]));
    const chunks = this.queue.take(applyEventsMax, APPLY_BYTES_MAX, this.isFreeFor(by));
    const portions = this.portionsOf(chunks, left);
    by.shards = new Set([...by.shards, ...portions.map(({ line }) => line.shard)]);
    this.tellOfPlenty();
    const reads = new Map<ShardName, Reads>();
    let withColumns = false;
    for (const { line, before, entries } of portions) {
      const hash = before.cursor.configuration;
      const configuration = hash === null ? null : configurations(hash);
      withColumns ||= configuration?.projector.kind === 'aggregate';
      const needed = plan(entries, configuration);
      if (needed.outcomes.size > 0 || needed.rows.size > 0) reads.set(line.shard, needed);
    }
    return { kind: 'gathered', startedAtMs, portions, reads, withColumns };
  }

  private async readAndFold(store: ApplyStore, gathered: Gathered): Promise<Folded> {
    const { clock, table } = this.options;
    const fromMs = clock.monotonicMs();
    const standing = gathered.portions.filter((portion) => this.stands(portion));
    const reads = new Map(
      standing.flatMap(({ line: { shard } }) => {
        const needed = gathered.reads.get(shard);
        return needed === undefined ? [] : [[shard, needed] as const];
      }),
    );
    const answers = reads.size === 0 ? NO_ANSWERS : await store.read(table, reads, gathered.withColumns);
    const portions = standing.filter(({ line, before }) => {
      const answered = answers.get(line.shard);
      if (answered === undefined || answered.sequence === before.cursor.sequence) return true;
      this.reportLost([line.shard]);
      this.restart(line);
      return false;
    });
    return this.fold({ ...gathered, portions }, answers, clock.monotonicMs() - fromMs);
  }

  private fold(
    { portions, startedAtMs }: Gathered,
    answers: ReadonlyMap<ShardName, PlacedAnswers>,
    readMs: number,
  ): Folded {
    const { clock, configurations } = this.options;
    const fromMs = clock.monotonicMs();
    const works: Work[] = [];
    const halts: Halted[] = [];
    for (const { line, life, before, entries } of portions) {
      const fold = new ShardFold(
        before,
        answers.get(line.shard) ?? NO_ANSWER,
        configurations,
        this.signatureOf,
      );
      const { folded, batch, halt } = foldEntries(fold, entries);
      if (halt !== null) halts.push({ line, life, halt });
      if (batch === null || folded.length === 0) continue;
      const bytes = sizeOf(folded.map((one) => one.entry));
      works.push({ line, life, before, folded, batch, bytes });
    }
    const foldMs = clock.monotonicMs() - fromMs;
    return { kind: 'folded', startedAtMs, readMs, foldMs, works, halts };
  }

  /** The entries of the chunks by shard, cut after an entry on which later reads depend and where hashes are compared. */
  private portionsOf(chunks: readonly Chunk[], left: ReadonlyMap<Line, Work>): readonly Portion[] {
    const byLine = new Map<Line, DecodedEntry[]>();
    for (const chunk of chunks) {
      const line = this.lines.get(chunk.shard);
      if (line?.phase.kind !== 'applying' || line.life !== chunk.life) continue;
      const entries = byLine.get(line);
      if (entries === undefined) byLine.set(line, [...chunk.entries]);
      else entries.push(...chunk.entries);
    }
    return [...byLine].map(([line, entries]) => {
      const { life, shard } = line;
      const work = left.get(line);
      const before = work?.batch.state ?? line.state!;
      const standing = work === undefined ? line.standing : this.standingAfter(work);
      const last = entries.findIndex(endsBatch);
      const untilProof = recordsUntilProof(standing, before.cursor) ?? entries.length;
      const count = Math.min(last < 0 ? entries.length : last + 1, untilProof);
      this.queue.putBack({ shard, life, entries }, count);
      return { line, life, before, entries: entries.slice(0, count) };
    });
  }

  private standingAfter({ line, before, batch }: Work): Standing {
    return standingAfter(line.standing, before.cursor, batch.state.cursor, this.storeIncarnation!, line.told);
  }

  /** True when committed. A refusal of the data is pinned to its shard by committing each shard alone. */
  private async commit(store: ApplyStore, works: readonly Work[]): Promise<boolean> {
    const { observer, table } = this.options;
    const shards = works.map((work) => work.line.shard);
    try {
      const result = await store.commit({
        table,
        rows: mergeRows(works.map((work) => work.batch.rows)),
        shards: works.map(({ line, before, batch, folded }) => ({
          shard: line.shard,
          lease: line.lease.number,
          expectedOffset: before.cursor.offset,
          expectedSequence: before.cursor.sequence,
          cursor: batch.state.cursor,
          sessions: batch.sessions,
          outcomes: batch.outcomes,
          fenced: batch.fenced,
          ...this.outboxOf(before, batch, folded),
        })),
      });
      if (result.kind === 'committed') return true;
      this.reportLost(shards);
      for (const { line } of works) if (this.lines.get(line.shard) === line) this.lose(line.shard);
      return false;
    } catch (error) {
      if (!isPortError(error)) throw error;
      if (error.disposition === 'unknown') {
        observer.report({ kind: 'commit-unknown', dataset: table.dataset, shards, message: error.message });
      }
      if (error.code !== 'effects-refused') throw error;
      if (works.length === 1) {
        const { line } = works[0]!;
        this.halt(line, {
          code: 'effects-refused',
          detail: `the database refused effects: ${error.message}`,
        });
        return false;
      }
      const { clock } = this.options;
      for (const work of works) {
        const startedAtMs = clock.nowMs();
        const commitFromMs = clock.monotonicMs();
        const alone = await this.commit(store, [work]);
        if (alone) this.afterCommit([work], { startedAtMs, readMs: 0, foldMs: 0, commitFromMs });
      }
      return false;
    }
  }

  /** What the outbox of this region has to do with the batch: nothing where services do not write by it. */
  private outboxOf(
    before: ShardState,
    { state: { cursor } }: FoldedBatch,
    folded: readonly FoldedEntry[],
  ): Pick<ShardCommit, 'outbox'> {
    const { configurations, region } = this.options;
    const standingOf = ({ configuration, home }: Cursor): OutboxStanding => ({
      home,
      hasOutbox: configuration !== null && configurations(configuration)?.content.writers === 'outbox',
    });
    const outbox = outboxFacts(folded, standingOf(before.cursor), standingOf(cursor), region);
    return outbox === null ? {} : { outbox };
  }

  private reportLost(shards: readonly ShardName[]): void {
    const { observer, table } = this.options;
    const message = 'another instance holds one of the shards, or a cursor moved; cursors are read again';
    observer.report({ kind: 'commit-lost', dataset: table.dataset, shards, message });
  }

  private afterCommit(
    works: readonly Work[],
    times: Pick<Folded, 'startedAtMs' | 'readMs' | 'foldMs'> & { readonly commitFromMs: number },
  ): void {
    const { clock, hub, observer, region, table } = this.options;
    const endedAtMs = clock.nowMs();
    const verdicts = new Map<Verdict, number>();
    const ages: EntryAge[] = [];
    const traced: TracedEntry[] = [];
    let records = 0;
    let events = 0;
    let rows = 0;
    let bytes = 0;
    for (const work of works) {
      const { line, folded, batch, bytes: workBytes } = work;
      const standing = this.standingAfter(work);
      line.state = batch.state;
      line.marks = addMarks(line.marks, batch.marks);
      line.pending -= folded.length;
      this.noteProgress(line);
      const isFoundDiverged = standing.kind === 'diverged' && line.standing.kind !== 'diverged';
      if (!isFoundDiverged) this.setStanding(line, standing);
      if (isCaughtUp(line)) line.caughtUpAtMs = endedAtMs;
      const { home, logTimeMs } = batch.state.cursor;
      if (home !== null) ages.push({ home, ms: endedAtMs - logTimeMs });
      records += folded.length;
      rows += batch.rows.length;
      bytes += workBytes;
      const told: ToldVerdict[] = [];
      for (const one of folded) {
        const { entry, verdict, sequence, epoch } = one;
        events += eventsOf(entry);
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
        const { traceparent, offset } = entry.record;
        if (traceparent?.endsWith(SAMPLED) === true)
          traced.push({ traceparent, shard: line.shard, sequence, epoch, offset, verdict });
        if (entry.header !== null && isTold(one) && hub.hears(entry.header.publisher)) {
          told.push(toTold(one, endedAtMs));
        }
      }
      // Judged again as it is taken up, where the copy learns of it before anybody is told or more is folded.
      if (isFoundDiverged) this.restart(line);
      else this.tell(line, told);
    }
    observer.report({
      kind: 'batch-committed',
      region,
      dataset: table.dataset,
      records,
      events,
      rows,
      bytes,
      readMs: times.readMs,
      foldMs: times.foldMs,
      commitMs: clock.monotonicMs() - times.commitFromMs,
      startedAtMs: times.startedAtMs,
      endedAtMs,
      verdicts,
      ages,
      traced,
    });
  }

  private halt(line: Line, halt: Halt): void {
    // Lost meanwhile: whoever holds the shard now will find the same.
    if (this.lines.get(line.shard) !== line) return;
    const isNew = line.recurring?.code !== halt.code || line.recurring.detail !== halt.detail;
    line.phase = { kind: 'halted', halt, sinceMs: this.options.clock.monotonicMs() };
    line.recurring = null;
    this.queue.drop(line.shard);
    if (isNew) this.options.observer.report({ kind: 'shard-halted', shard: line.shard, halt });
    this.tell(line, []);
  }

  /** The cause of a halt may be gone: after a while the shard is taken up again as after a restart (I20). */
  private judgeHaltsAgain(): void {
    const nowMs = this.options.clock.monotonicMs();
    for (const line of this.lines.values()) {
      if (line.phase.kind !== 'halted' || nowMs - line.phase.sinceMs < HALT_ROUND_MS) continue;
      line.recurring = line.phase.halt;
      this.restart(line);
    }
  }

  private noteProgress(line: Line): void {
    line.progressAtMs = this.options.clock.monotonicMs();
    if (line.recurring === null) return;
    line.recurring = null;
    this.options.observer.report({ kind: 'shard-resumed', shard: line.shard });
  }

  private setStanding(line: Line, standing: Standing): void {
    const before = withheldBy(line.standing)?.detail;
    line.standing = standing;
    const withheld = withheldBy(standing);
    if (withheld?.detail !== before)
      this.options.observer.report({ kind: 'vote', shard: line.shard, withheld });
  }

  private reportFailure(loop: 'reader' | 'applier' | 'helper', error: unknown): void {
    this.failedAtMs = this.options.clock.monotonicMs();
    reportLoopFailure(this.options.observer, `${loop} ${this.options.table.dataset}`, error);
  }

  /** Forgets the in-memory state: the cursor is read again and the log checked against it. */
  private restart(line: Line): void {
    line.life = this.nextLife();
    line.state = null;
    line.pending = 0;
    line.phase = { kind: 'claimed' };
    this.queue.drop(line.shard);
    this.wake.raise();
  }

  /** While nobody has a batch under way. */
  private async dropStore(): Promise<void> {
    this.isStoreDoubted = false;
    for (const line of this.lines.values()) if (line.phase.kind === 'applying') this.restart(line);
    for (const by of [this.applier, this.helper]) {
      by.ahead = null;
      by.shards = NOTHING_TAKEN;
    }
    await Promise.all([this.rest(this.applier), this.rest(this.helper)]);
  }

  private tell(line: Line, verdicts: readonly ToldVerdict[]): void {
    const watermark = watermarkOf(line, this.options.region, this.storeIncarnation!);
    if (watermark === null) return;
    line.toldAtMs = this.options.clock.monotonicMs();
    line.marks = [];
    this.options.hub.tell(watermark, verdicts);
    this.options.observer.report({ kind: 'watermark', watermark });
  }

  private nextLife(): number {
    this.lives += 1;
    return this.lives;
  }
}

const NOTHING_TAKEN: ReadonlySet<ShardName> = new Set();
const OF_ANY = (): boolean => true;

function openGate(): Gate {
  const gate = new Gate();
  gate.open();
  return gate;
}

/** Flags of a W3C trace context that is recorded. */
const SAMPLED = '-01';
const NO_ANSWER: ReadAnswers = { outcomes: new Map(), rows: new Map() };
const NO_ANSWERS: ReadonlyMap<ShardName, PlacedAnswers> = new Map();
