/**
 * The clients of a run: each asks one thing at a time of some region's gateway, and writes down what it asked and what it
 * heard, as the history of a real run has it. Their operations come from one workload that the answers steer.
 */
import type { Gateway } from '@lockstep/engine';
import { isPortError } from '@lockstep/engine';
import { routeKey, shardName, type Answer, type DatasetName, type Receipt } from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { AskedAgain, HistoryLine, RunLine, Write } from '../history/index.js';
import { endedUnanswered, judgeAnswer, judgeBatchAnswer, type Ending } from '../workload/answer.js';
import { batchBody, writeBody, type Call } from '../workload/operation.js';
import { Workload } from '../workload/workload.js';
import type { Chance } from '../world/chance.js';
import { Process } from '../world/process.js';
import { START_MS, type World } from '../world/world.js';
import type { Profile } from './profile.js';

/** Beyond the time-out that a write asks for. */
const PATIENCE_MS = 2_000;
const ASK_AGAIN_TIMEOUT_MS = 5_000;
const ASK_AGAIN_PAUSE_MS = 500;

/** Every row of the run is named so. */
export const RUN = 'sim';

export class Load {
  readonly lines: HistoryLine[] = [];
  private readonly workload: Workload;
  private readonly world: World;
  private readonly client: Process;
  private readonly identities;
  private written = 0;
  private clients = 0;
  private working = 0;
  private isOver = false;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
  ) {
    const { world } = cluster.options;
    const { accountEntries, orderEvents, readingEvents, ...shares } = profile.load;
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
      void this.work(this.world.branch(`client ${index}`)).then(() => (this.working -= 1));
    }
  }

  stop(): void {
    this.isOver = true;
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
    const caller = this.caller();
    try {
      const answer = await this.cluster.ask(
        this.client,
        region,
        (gateway) => gateway.write({ dataset, body, idempotencyKey: `probe-${key}`, caller }),
        20_000 + PATIENCE_MS,
      );
      return answer.status === 200 ? null : `${answer.status} ${answer.body.slice(0, 300)}`;
    } catch (error) {
      return String(error);
    }
  }

  /** Makes an unknown write definite, by whichever gateway answers. */
  async askFor(write: Write, untilMs: number): Promise<AskedAgain> {
    const { dataset, key, operations } = write;
    const { content } = this.cluster.options.datasets.get(dataset as DatasetName)!.configuration;
    const route = routeKey(content.groups, operations[0]!.invoke.events[0]?.key ?? '');
    if (key === null || route.kind !== 'shard') return { kind: 'open', reason: 'cannot be asked for' };
    const endsMs = operations.map(({ invoke }) => invoke.t / 1e6 + invoke.timeoutMs);
    const deadline = String(Math.ceil(START_MS + Math.max(...endsMs) + PATIENCE_MS));
    const shard = shardName(content.dataset, route.partition);
    const query = { shard, deadline, wait: 'accepted', timeoutMs: String(ASK_AGAIN_TIMEOUT_MS) };
    let answer: AskedAgain = { kind: 'open', reason: 'not asked in time' };
    for (let turn = 0; this.world.nowMs() < untilMs; turn += 1) {
      const { regions } = this.profile;
      const caller = this.caller();
      const ask = (gateway: Gateway): Promise<Answer> =>
        gateway.receipt({ dataset, idempotencyKey: key, query, caller });
      try {
        const region = regions[turn % regions.length]!;
        answer = readAsked(await this.cluster.ask(this.client, region, ask, 2 * ASK_AGAIN_TIMEOUT_MS));
      } catch (error) {
        answer = { kind: 'open', reason: String(error) };
      }
      if (answer.kind !== 'open') break;
      await this.pause(ASK_AGAIN_PAUSE_MS);
    }
    return answer;
  }

  /** The hash under which the log carries a key. */
  keyHash(key: string): string {
    return this.identities.keyHash(PRINCIPAL, key);
  }

  private async work(chance: Chance): Promise<void> {
    /** Of the client for each place in a batch, as one does one thing at a time; who learnt no end is replaced. */
    const clients: number[] = [];
    for (let call = this.next(); call !== null; call = this.next()) {
      const region = chance.pick(this.profile.regions);
      const { dataset, timeoutMs } = call.operations[0];
      for (const [place, operation] of call.operations.entries()) {
        clients[place] ??= this.nextClient();
        const p = clients[place];
        const { ack, events, key, op, repeats, wrongVersion } = operation;
        const asked = { op, region, dataset, key, repeats, wrongVersion, ack, timeoutMs, events };
        this.line({ type: 'invoke', p, f: 'append', ...asked });
      }
      const endings = await this.ask(call, region, timeoutMs);
      call.operations.forEach(({ op }, index) => {
        const ending = endings[index]!;
        this.line({ ...ending, p: clients[index]!, f: 'append', op });
        if (ending.type === 'info') clients[index] = this.nextClient();
        this.world.note(`told ${op} ${ending.type} ${ending.status} ${ending.receipt?.sequence ?? ''}`);
        this.workload.settle(op, ending);
      });
      await this.pause(chance.below(this.profile.thinkMsMax));
    }
  }

  private next(): Call | null {
    return this.isOver ? null : this.workload.next();
  }

  private async ask(call: Call, region: string, timeoutMs: number): Promise<readonly Ending[]> {
    const { operations } = call;
    const [first] = operations;
    const { dataset, key: idempotencyKey } = first;
    const caller = this.caller();
    const ask = (gateway: Gateway): Promise<Answer> =>
      call.kind === 'single'
        ? gateway.write({ dataset, body: writeBody(first), idempotencyKey, caller })
        : gateway.writeBatch({ dataset, body: batchBody(operations), caller });
    try {
      const { body, headers, status } = await this.cluster.ask(
        this.client,
        region,
        ask,
        timeoutMs + PATIENCE_MS,
      );
      const lower = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
      );
      const heard = { status, headers: lower, body };
      return call.kind === 'single' ? [judgeAnswer(first, heard)] : judgeBatchAnswer(operations, heard);
    } catch (error) {
      if (!isPortError(error)) throw error;
      return operations.map(() => endedUnanswered(error.code, error.disposition === 'retryable'));
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

  private line(line: DistributiveOmit<Exclude<HistoryLine, RunLine>, 'i' | 't'>): void {
    const t = (this.world.nowMs() - START_MS) * 1e6;
    this.lines.push({ ...line, i: this.written, t } as HistoryLine);
    this.written += 1;
  }
}

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
