/**
 * The clients of a run: each asks one thing at a time of some region's gateway, another one each time, and writes down what
 * it asked and what it heard, as the history of a real run has it. Their operations come from one workload that the answers
 * steer. Beyond it some do what clients should not: they take a key for another payload, or ask the same twice at once.
 */
import type { Gateway } from '@lockstep/engine';
import { isPortError } from '@lockstep/engine';
import {
  keyInShard,
  parseShardName,
  routeKey,
  shardName,
  type Answer,
  type DatasetName,
  type Receipt,
  type ShardName,
  type Stage,
} from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { AskedAgain, HistoryLine, RunLine, Write } from '../history/index.js';
import {
  endedUnanswered,
  judgeAnswer,
  judgeBatchAnswer,
  type Ending,
  type HeardAnswer,
} from '../workload/answer.js';
import { batchBody, writeBody, type Call, type Operation } from '../workload/operation.js';
import { otherPayload } from '../workload/other-payload.js';
import { judgeReadAnswer, Reads, readUnanswered, type ReadQuestion } from '../workload/reads.js';
import { Repeats } from '../workload/repeats.js';
import { Session } from '../workload/session.js';
import { Workload } from '../workload/workload.js';
import type { Chance } from '../world/chance.js';
import { Process } from '../world/process.js';
import { START_MS, type World } from '../world/world.js';
import type { Profile } from './profile.js';

/** Beyond the time-out that a write asks for. */
const PATIENCE_MS = 2_000;
const ASK_AGAIN_MS_MAX = 60_000;
const ASK_AGAIN_TIMEOUT_MS = 5_000;
const ASK_AGAIN_PAUSE_MS = 500;
const READER_THINK_MS_MAX = 100;
/** Of what is asked for in the midst of the faults: how soon after its answer, and for how long the gateway is to wait. */
const ASKED_SOON_MS_MAX = 1_000;
const ASKED_SOON_TIMEOUT_MS_MAX = 3_000;
const ASKER_THINK_MS_MAX = 100;
/** So short that a gateway that waits for a home that is gone is asked once more soon. */
const INSISTING_TIMEOUT_MS = 1_000;
const INSISTING_PAUSE_MS = 100;
const ACCEPTED_MAX = 16;

/** Every row of the run is named so. */
export const RUN = 'sim';

/** Of what is asked twice at once: how often the second one has another payload. */
const DOUBLES_DIFFER_SHARE = 0.3;

export class Load {
  readonly lines: HistoryLine[] = [];
  private readonly workload: Workload;
  private readonly reads: Reads;
  /** Keys that are taken for another payload. */
  private readonly reuses: Repeats;
  private readonly doubles: Chance;
  private readonly questions: Chance;
  /** What became of writes that had ended unknown, by the ordinal of their first operation. */
  readonly asked = new Map<number, AskedAgain>();
  private readonly world: World;
  private readonly client: Process;
  private readonly identities;
  private written = 0;
  private clients = 0;
  private working = 0;
  private isOver = false;
  /** While they rest, clients wait here before each call. */
  private resting: PromiseWithResolvers<void> | null = null;
  private calls = 0;
  /** Writes with a key that somebody was told accepted lately. */
  private readonly accepted: Operation[] = [];
  /** What any client was told. */
  private readonly told = new Session();
  /** Clients that still write. */
  private writing = 0;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
  ) {
    const { world } = cluster.options;
    const {
      accountEntries,
      orderEvents,
      readingEvents,
      doubledPercent: _,
      receiptsPercent: __,
      readsPercent,
      reusedPercent,
      ...shares
    } = profile.load;
    this.world = world;
    this.client = new Process('clients', world, cluster.network);
    this.identities = world.identities('clients');
    this.workload = new Workload({
      seed: profile.seed,
      run: RUN,
      groups: profile.groups,
      amount: { kind: 'counted', accountEntries, orderEvents, readingEvents },
      ...shares,
    });
    this.reads = new Reads(world.branch('reads'), readsPercent, profile.regions);
    this.reuses = new Repeats(world.branch('reuses'), reusedPercent);
    this.doubles = world.branch('doubles');
    this.questions = world.branch('questions');
    const options = { profile: profile.name };
    const startedAt = new Date(START_MS).toISOString();
    this.lines.push({
      type: 'run',
      version: 1,
      run: RUN,
      seed: profile.seed,
      startedAt,
      options,
    } satisfies RunLine);
  }

  get isDone(): boolean {
    return this.working === 0;
  }

  /** All clients begin; they end when everything was asked or after `stop`. */
  begin(): void {
    for (let index = 0; index < this.profile.clients; index += 1) {
      this.working += 1;
      this.writing += 1;
      void this.work(this.world.branch(`client ${index}`)).then(() => {
        this.working -= 1;
        this.writing -= 1;
      });
    }
    for (let index = 0; index < this.profile.readers; index += 1) {
      this.working += 1;
      void this.readOn(this.world.branch(`reader ${index}`)).then(() => (this.working -= 1));
    }
    this.beginAsking();
  }

  private beginAsking(): void {
    for (let index = 0; index < this.profile.askers; index += 1) {
      this.working += 1;
      void this.askOn(this.world.branch(`asker ${index}`)).then(() => (this.working -= 1));
    }
  }

  stop(): void {
    this.isOver = true;
  }

  /** Nothing new is asked until `goOn`; over when `isIdle`. */
  rest(): void {
    this.resting ??= Promise.withResolvers();
  }

  get isIdle(): boolean {
    return this.calls === 0;
  }

  /** After so long that nothing is asked under a key from before. */
  goOn(): void {
    this.workload.forgetKeys();
    this.reuses.forget();
    this.accepted.length = 0;
    this.resting?.resolve();
    this.resting = null;
  }

  noteFault(f: string, value: string): void {
    this.line({ type: 'fault', f, value });
  }

  /** One more write, of a key of the region's own group, after everything was repaired; null when it was answered as asked. */
  async probe(region: string, dataset: DatasetName, key: string): Promise<string | null> {
    const { configuration } = this.cluster.options.datasets.get(dataset)!;
    const [type, data] = PROBES[dataset] ?? [];
    if (type === undefined) throw new Error(`no probe for ${configuration.content.dataset}`);
    const body = JSON.stringify({ events: [{ key, type, data }], ack: 'everywhere', timeoutMs: 20_000 });
    return this.askedFor(region, { dataset, body, idempotencyKey: `probe-${key}` }, 20_000);
  }

  /** Null when it was answered as asked. */
  private async askedFor(
    region: string,
    write: { readonly dataset: DatasetName; readonly body: string; readonly idempotencyKey: string },
    timeoutMs: number,
  ): Promise<string | null> {
    const caller = this.caller();
    try {
      const answer = await this.cluster.ask(
        this.client,
        region,
        (gateway) => gateway.write({ ...write, caller }),
        timeoutMs + PATIENCE_MS,
      );
      return answer.status === 200 ? null : `${answer.status} ${answer.body.slice(0, 300)}`;
    } catch (error) {
      return String(error);
    }
  }

  /**
   * Asks for one more write to a shard each time it is called, by a region and up to a stage: null when that was reached, else what
   * was said, a moment later. Each is a new one: the rule of its position judges it, and rules may change meanwhile.
   */
  insisting(
    shard: ShardName,
    tag: string,
    timeoutMs = INSISTING_TIMEOUT_MS,
  ): (via: string, ack: Stage) => Promise<string | null> {
    const { dataset, partition } = parseShardName(shard)!;
    const { groups } = this.cluster.options.datasets.get(dataset)!.configuration.content;
    const [type, data] = PROBES[dataset]!;
    let turn = 0;
    return async (via, ack) => {
      turn += 1;
      const name = `${tag}-${turn}`;
      const key = keyInShard(groups, partition, name);
      const body = JSON.stringify({ events: [{ key, type, data }], ack, timeoutMs });
      const write = { dataset, body, idempotencyKey: `${name}-${shard}` };
      const said = await this.askedFor(via, write, timeoutMs);
      if (said !== null) await this.pause(INSISTING_PAUSE_MS);
      return said;
    };
  }

  /** Makes unknown writes definite that nobody has asked for yet, by whichever gateway answers. */
  async askForAll(writes: readonly Write[]): Promise<void> {
    const untilMs = this.world.nowMs() + ASK_AGAIN_MS_MAX;
    const left = writes.filter(
      ({ key, operations }) => key !== null && !this.asked.has(operations[0]!.invoke.op),
    );
    await Promise.all(
      left.map(async (write) =>
        this.asked.set(write.operations[0]!.invoke.op, await this.askFor(write, untilMs)),
      ),
    );
  }

  private async askFor({ dataset, key, operations }: Write, untilMs: number): Promise<AskedAgain> {
    const shard = this.shardOf(dataset, operations[0]!.invoke.events);
    if (key === null || shard === null) return { kind: 'open', reason: 'cannot be asked for' };
    const endsMs = operations.map(({ invoke }) => invoke.t / 1e6 + invoke.timeoutMs);
    const deadline = String(Math.ceil(START_MS + Math.max(...endsMs) + PATIENCE_MS));
    const query = { shard, deadline, wait: 'accepted', timeoutMs: String(ASK_AGAIN_TIMEOUT_MS) };
    const { regions } = this.profile;
    let answer: AskedAgain = { kind: 'open', reason: 'not asked in time' };
    for (let turn = 0; this.world.nowMs() < untilMs; turn += 1) {
      answer = await this.receipt(regions[turn % regions.length]!, { dataset, key, query });
      if (answer.kind !== 'open') break;
      await this.pause(ASK_AGAIN_PAUSE_MS);
    }
    return answer;
  }

  /**
   * Asks for a write that has just ended unknown, in the midst of the faults and in any region: by the deadline that its gateway
   * named, or by one that is over now, as if its time-out had been shorter. What is not said for good is asked for at the end.
   */
  private async askSoon(
    { dataset, events, key, op, repeats }: Operation,
    { location }: Ending,
  ): Promise<void> {
    const { profile, questions } = this;
    const shard = this.shardOf(dataset, events);
    if (key === null || shard === null) return;
    const named = /[?&]deadline=(\d+)/.exec(location ?? '')?.[1];
    const region = questions.pick(profile.regions);
    const timeoutMs = String(1 + questions.below(ASKED_SOON_TIMEOUT_MS_MAX));
    await this.pause(questions.below(ASKED_SOON_MS_MAX));
    const present = String(Math.floor(this.world.nowMs()));
    const deadline = questions.pick([named ?? present, present]);
    const query = { shard, deadline, wait: 'accepted', timeoutMs };
    const answer = await this.receipt(region, { dataset, key, query });
    this.world.note(`asked for ${op} ${answer.kind}`);
    const first = repeats ?? op;
    if (answer.kind !== 'open' && !this.asked.has(first)) this.asked.set(first, answer);
  }

  private async receipt(
    region: string,
    asked: {
      readonly dataset: string;
      readonly key: string;
      readonly query: { readonly [name: string]: string };
    },
  ): Promise<AskedAgain> {
    const { key: idempotencyKey, dataset, query } = asked;
    const caller = this.caller();
    const ask = (gateway: Gateway): Promise<Answer> =>
      gateway.receipt({ dataset, idempotencyKey, query, caller });
    try {
      return readAsked(await this.cluster.ask(this.client, region, ask, 2 * ASK_AGAIN_TIMEOUT_MS));
    } catch (error) {
      return { kind: 'open', reason: String(error) };
    }
  }

  private shardOf(dataset: string, events: readonly { readonly key: string }[]): ShardName | null {
    const { content } = this.cluster.options.datasets.get(dataset as DatasetName)!.configuration;
    const route = routeKey(content.groups, events[0]?.key ?? '');
    return route.kind === 'shard' ? shardName(content.dataset, route.partition) : null;
  }

  /** The hash under which the log carries a key. */
  keyHash(key: string): string {
    return this.identities.keyHash(PRINCIPAL, key);
  }

  private async work(chance: Chance): Promise<void> {
    /** Of the client for each place in a batch, as one does one thing at a time; who learnt no end is replaced. */
    const clients: number[] = [];
    const session = new Session();
    for (;;) {
      while (this.resting !== null) await this.resting.promise;
      const next = this.next();
      if (next === null) return;
      const { call } = next;
      const region = chance.pick(this.profile.regions);
      this.calls += 1;
      const asked = this.ask(call, region, clients);
      const double = this.double(call, region);
      const twin = double === null ? null : this.askBeside(double.call, double.region);
      const endings = await asked;
      this.note(call, endings, clients);
      if (next.isOfWorkload)
        call.operations.forEach(({ op }, index) => this.workload.settle(op, endings[index]!));
      call.operations.forEach((operation, index) => this.reuses.noteEnded(operation, endings[index]!));
      if (next.isOfWorkload)
        call.operations.forEach((operation, index) => this.wonder(operation, endings[index]!));
      if (twin !== null) await twin;
      for (const { receipt } of endings) session.take(receipt?.token ?? null);
      const takeOrdinal = (): number => this.workload.takeOrdinal();
      const question = this.reads.after(call.operations[0], endings[0]!, session, takeOrdinal);
      if (question !== null) await this.read(question, session, clients);
      this.calls -= 1;
      await this.pause(chance.below(this.profile.thinkMsMax));
    }
  }

  /** Some of those who were told nothing ask at once, beside what they do next. */
  private wonder(operation: Operation, ending: Ending): void {
    const { receiptsPercent } = this.profile.load;
    if (ending.type !== 'info' || this.questions.next() * 100 >= receiptsPercent) return;
    this.calls += 1;
    this.working += 1;
    void this.askSoon(operation, ending).then(() => {
      this.calls -= 1;
      this.working -= 1;
    });
  }

  /** Null when everything was asked. */
  private next(): { readonly call: Call; readonly isOfWorkload: boolean } | null {
    if (this.isOver) return null;
    const original = this.reuses.take();
    if (original !== null) {
      const op = this.workload.takeOrdinal();
      const reused = { ...original, op, repeats: null, events: otherPayload(original.events) };
      return { call: { kind: 'single', operations: [reused] }, isOfWorkload: false };
    }
    const call = this.workload.next();
    if (call === null) return null;
    this.reuses.noteFresh(call.operations.length);
    return { call, isOfWorkload: true };
  }

  /** The same at once by another region, or another payload under its key; null where it is asked but once. */
  private double(
    { kind, operations }: Call,
    region: string,
  ): { readonly call: Call; readonly region: string } | null {
    const { doubles, profile } = this;
    const [original] = operations;
    const { doubledPercent } = profile.load;
    if (doubledPercent === 0 || kind === 'batch' || original.key === null) return null;
    if (doubles.next() * 100 >= doubledPercent) return null;
    const op = this.workload.takeOrdinal();
    const other =
      doubles.next() < DOUBLES_DIFFER_SHARE
        ? { ...original, op, repeats: null, events: otherPayload(original.events) }
        : { ...original, op, repeats: original.op };
    const others = profile.regions.filter((each) => each !== region);
    return { call: { kind: 'single', operations: [other] }, region: doubles.pick(others) };
  }

  /** Reads all the time, with a token of all that any client was told: as when services hand tokens on. */
  private async readOn(chance: Chance): Promise<void> {
    const clients: number[] = [];
    for (;;) {
      await this.pause(1 + chance.below(READER_THINK_MS_MAX));
      while (this.resting !== null) await this.resting.promise;
      if (this.isOver || this.writing === 0) return;
      const question = this.reads.anywhere(this.told, () => this.workload.takeOrdinal());
      if (question === null) continue;
      this.calls += 1;
      await this.read(question, this.told, clients);
      this.calls -= 1;
    }
  }

  /** Asks all the time for what somebody was told accepted. */
  private async askOn(chance: Chance): Promise<void> {
    for (;;) {
      await this.pause(1 + chance.below(ASKER_THINK_MS_MAX));
      while (this.resting !== null) await this.resting.promise;
      if (this.isOver || this.writing === 0) return;
      await this.askForAccepted(chance);
    }
  }

  /** What is known of an accepted write anywhere: the same as was told, and who holds it now. */
  private async askForAccepted(chance: Chance): Promise<void> {
    if (this.accepted.length === 0) return;
    const { dataset, events, key, op, repeats } = chance.pick(this.accepted);
    const region = chance.pick(this.profile.regions);
    const shard = this.shardOf(dataset, events);
    if (key === null || shard === null) return;
    this.calls += 1;
    const askedAt = this.t;
    const answer = await this.receipt(region, { dataset, key, query: { shard } });
    this.calls -= 1;
    if (answer.kind !== 'receipt') return;
    const { holders, sequence } = answer.receipt;
    const first = repeats ?? op;
    if (!this.asked.has(first)) this.asked.set(first, answer);
    if (holders === undefined || sequence === undefined) return;
    const told = { askedAt, t: this.t, place: `${region}/gateway`, shard, sequence: BigInt(sequence) };
    this.cluster.witness.toldHolders.push({ ...told, regions: holders });
  }

  private async read(question: ReadQuestion, session: Session, clients: number[]): Promise<void> {
    const { consistency, dataset, op, region, row, timeoutMs, token } = question;
    const p = (clients[0] ??= this.nextClient());
    this.line({ ...question, type: 'invoke', p, f: 'read' });
    const query = { consistency, timeoutMs: String(timeoutMs) };
    const caller = this.caller();
    const ask = (gateway: Gateway): Promise<Answer> =>
      gateway.row({ dataset, key: row, query, token, caller });
    const ending = await this.hear(region, ask, timeoutMs, (heard) =>
      heard.kind === 'answer' ? judgeReadAnswer(heard) : readUnanswered(heard.code),
    );
    this.line({ ...ending, p, f: 'read', op });
    this.world.note(`read ${op} ${ending.type} ${ending.code ?? ''} ${ending.seen?.version ?? ''}`);
    if (ending.type === 'info') clients[0] = this.nextClient();
    session.take(ending.seen?.token ?? null);
  }

  private ask(call: Call, region: string, clients: number[]): Promise<readonly Ending[]> {
    const { operations } = call;
    const [first] = operations;
    const { dataset, key: idempotencyKey, timeoutMs } = first;
    for (const [place, operation] of operations.entries()) {
      const p = (clients[place] ??= this.nextClient());
      const { ack, events, key, op, repeats, wrongVersion } = operation;
      const asked = { op, region, dataset, key, repeats, wrongVersion, ack, timeoutMs, events };
      this.line({ type: 'invoke', p, f: 'append', ...asked });
    }
    const caller = this.caller();
    const ask = (gateway: Gateway): Promise<Answer> =>
      call.kind === 'single'
        ? gateway.write({ dataset, body: writeBody(first), idempotencyKey, caller })
        : gateway.writeBatch({ dataset, body: batchBody(operations), caller });
    return this.hear(region, ask, timeoutMs, (heard) => {
      if (heard.kind === 'silence')
        return operations.map(() => endedUnanswered(heard.code, heard.isNothingSent));
      return call.kind === 'single' ? [judgeAnswer(first, heard)] : judgeBatchAnswer(operations, heard);
    });
  }

  private async askBeside(call: Call, region: string): Promise<void> {
    const clients: number[] = [];
    this.note(call, await this.ask(call, region, clients), clients);
  }

  private note({ operations }: Call, endings: readonly Ending[], clients: number[]): void {
    operations.forEach(({ op }, index) => {
      const ending = endings[index]!;
      this.line({ ...ending, p: clients[index]!, f: 'append', op });
      if (ending.type === 'info') clients[index] = this.nextClient();
      this.told.take(ending.receipt?.token ?? null);
      if (ending.receipt?.outcome === 'accepted') this.noteAccepted(operations[index]!);
      this.world.note(`told ${op} ${ending.type} ${ending.status} ${ending.receipt?.sequence ?? ''}`);
    });
  }

  private noteAccepted(operation: Operation): void {
    if (this.accepted.length < ACCEPTED_MAX) this.accepted.push(operation);
    else this.accepted[this.questions.below(ACCEPTED_MAX)] = operation;
  }

  private async hear<T>(
    region: string,
    ask: (gateway: Gateway) => Promise<Answer>,
    timeoutMs: number,
    judge: (heard: Heard) => T,
  ): Promise<T> {
    try {
      const { body, headers, status } = await this.cluster.ask(
        this.client,
        region,
        ask,
        timeoutMs + PATIENCE_MS,
      );
      const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
      return judge({ kind: 'answer', status, headers: Object.fromEntries(lower), body });
    } catch (error) {
      if (!isPortError(error)) throw error;
      return judge({ kind: 'silence', code: error.code, isNothingSent: error.disposition === 'retryable' });
    }
  }

  private caller() {
    const { identities } = this;
    const trace = {
      traceId: identities.traceId(),
      spanId: identities.spanId(),
      parentSpanId: null,
      sampled: true,
    };
    return { principal: PRINCIPAL, trace, forwarded: null, neverForward: false };
  }

  private nextClient(): number {
    this.clients += 1;
    return this.clients;
  }

  private pause(ms: number): Promise<void> {
    return this.client.clock.sleep(ms).done;
  }

  private get t(): number {
    return (this.world.nowMs() - START_MS) * 1e6;
  }

  private line(line: DistributiveOmit<Exclude<HistoryLine, RunLine>, 'i' | 't'>): void {
    const { t } = this;
    this.lines.push({ ...line, i: this.written, t } as HistoryLine);
    this.written += 1;
  }
}

type Heard =
  | ({ readonly kind: 'answer' } & HeardAnswer)
  | { readonly kind: 'silence'; readonly code: string; readonly isNothingSent: boolean };

type DistributiveOmit<T, K extends keyof never> = T extends unknown ? Omit<T, K> : never;

/** Nobody is asked who the caller is. */
const PRINCIPAL = 'anonymous';

const PROBES: { readonly [dataset: string]: readonly [type: string, data: object] } = {
  accounts: ['opened', { owner: 'probe', currency: 'EUR' }],
  orders: ['placed', { customer: 'probe', total: 1 }],
  readings: ['recorded', { sensor: 'probe', value: 1, at: '2026-11-21T08:00:00Z' }],
};

function readAsked({ body, status }: Answer): AskedAgain {
  const told = JSON.parse(body) as Receipt & { readonly code?: string };
  if (status < 300 && told.outcome !== 'unknown') return { kind: 'receipt', receipt: told };
  if (told.code === 'never-or-expired') return { kind: 'never' };
  return { kind: 'open', reason: `${status} ${told.code ?? told.outcome}` };
}
