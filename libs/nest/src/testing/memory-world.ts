/**
 * Datasets of a catalogue in memory, behind the port of the handles: for tests of services, without broker, database
 * or gateway. Requests are read, entries folded and answers written by the protocol, so that verdicts, receipts and
 * problems are the real ones. Every write reaches every stage at once.
 *
 * Faults are asked for one by one (`next`) and happen to the next write that they can happen to.
 */
import { loadCatalogue, describeFindings as describeCatalogue } from '@lockstep/catalogue';
import { PortError, Signal } from '@lockstep/engine';
import {
  answerJson,
  answerProblem,
  answerWrite,
  checkSchemas,
  decodeFeedPosition,
  decodeToken,
  defaultStage,
  encodeToken,
  feedShard,
  groupOfPartition,
  isIdempotencyKey,
  isHeld,
  judgesAttempt,
  offset,
  partitionCount,
  problem,
  readBatch,
  readWrite,
  routeKey,
  shardName,
  type Answer,
  type FoldConfiguration,
  type FoldedEntry,
  type KeyHash,
  type Outcome,
  type Problem,
  type Stage,
  type StageTimes,
  type ToldVerdictCode,
  type WriteEntry,
  type WriteFacts,
} from '@lockstep/protocol';
import { compileContent, tableOf } from '../configuration/compile-content.js';
import type {
  ChangesCall,
  DatasetPort,
  PortAnswer,
  PortFeed,
  ReceiptCall,
  RowCall,
  WriteCall,
} from '../dataset/dataset-port.js';
import { LockstepError, ownProblem } from '../dataset/lockstep-error.js';
import { PRINCIPAL } from '../http/principal.js';
import { nodeClock, nodeIdentities } from '../world/node-world.js';
import { MemoryFeed } from './memory-feed.js';
import { MemoryShard } from './memory-shard.js';

/**
 * conflict: somebody else changes the row between load and append of the next write that expects a version.
 * answer-lost: the write stands, its answer is lost. request-lost: it never arrives; the caller cannot tell the two.
 * outcome-unknown: the gateway answers that it does not know; the write never stood.
 * fenced: the home moves while the entry is on its way. busy: 429, nothing written.
 */
export const FAULTS = [
  'conflict',
  'answer-lost',
  'request-lost',
  'outcome-unknown',
  'fenced',
  'busy',
] as const;
export type Fault = (typeof FAULTS)[number];

interface MemoryDataset {
  readonly configuration: FoldConfiguration;
  readonly shards: readonly MemoryShard[];
}

export class MemoryWorld {
  private readonly clock = nodeClock();
  private readonly identities = nodeIdentities();
  private readonly datasets: ReadonlyMap<string, MemoryDataset>;
  private readonly faults: Fault[] = [];
  private readonly folded = new Signal();
  /** Which life of the logs this world is. */
  private readonly logId = this.identities.logIncarnation();

  private constructor(private readonly configurations: readonly FoldConfiguration[]) {
    this.datasets = new Map(
      configurations.map((configuration) => [configuration.content.dataset, this.datasetOf(configuration)]),
    );
  }

  /** @param catalogue its folder. @throws LockstepError `misconfigured` with the findings of a catalogue that is not valid. */
  static async open(catalogue: string): Promise<MemoryWorld> {
    const loaded = await loadCatalogue(catalogue);
    if (loaded.kind === 'invalid')
      throw new LockstepError(ownProblem('misconfigured', describeCatalogue(loaded.findings)));
    const datasets = [...loaded.catalogue.datasets.values()];
    return new MemoryWorld(
      await Promise.all(datasets.map(({ content, hash }) => compileContent(hash, content))),
    );
  }

  /** The same catalogue, and nothing written yet. */
  empty(): MemoryWorld {
    return new MemoryWorld(this.configurations);
  }

  /** The next writes that it can happen to meet this fault, each one of them. */
  next(fault: Fault, times = 1): void {
    for (let time = 0; time < times; time += 1) this.faults.push(fault);
  }

  /** Faults that nothing has met yet: a test that expects one wants none left. */
  get faultsLeft(): readonly Fault[] {
    return [...this.faults];
  }

  port(): DatasetPort {
    let closed = false;
    const feeds = new Set<PortFeed>();
    const open = <Value>(answer: () => Value): Promise<Value> => {
      const refusal = new PortError('world-closed', 'retryable', 'this port of the world is closed');
      return new Promise((resolve, reject) => {
        if (closed) reject(refusal);
        // What is thrown here rejects.
        else resolve(answer());
      });
    };
    const answered = (answer: () => Answer): Promise<PortAnswer> => open(() => portAnswer(answer()));
    return {
      write: (call) => answered(() => this.write(call)),
      writeBatch: (call) => answered(() => this.writeBatch(call)),
      receipt: (call) => answered(() => this.receipt(call)),
      row: (call) => answered(() => this.readRow(call)),
      changes: (call) =>
        open(() => {
          const opened = this.changes(call);
          if ('next' in opened) feeds.add(opened);
          return 'next' in opened ? opened : portAnswer(opened);
        }),
      readiness: () => answered(() => answerJson(200, { status: 'ok' })),
      close: () => {
        closed = true;
        for (const feed of feeds) feed.close();
      },
    };
  }

  /** At once. @throws PortError where a fault loses request or answer. */
  written(call: WriteCall & { readonly idempotencyKey: string | null }): PortAnswer {
    return portAnswer(this.write(call));
  }

  /** At once. */
  row(call: RowCall): PortAnswer {
    return portAnswer(this.readRow(call));
  }

  private write({
    body,
    dataset,
    idempotencyKey,
  }: WriteCall & { readonly idempotencyKey: string | null }): Answer {
    const known = this.datasets.get(dataset);
    if (known === undefined) return unknownDataset(dataset);
    if (idempotencyKey !== null && !isIdempotencyKey(idempotencyKey))
      return answerProblem(problem('malformed', 'Idempotency-Key must be 1-128 printable ASCII characters'));
    const read = readWrite(body, known.configuration);
    if (read.kind === 'refused') return answerProblem(read.problem);
    const { ack, entry, timeoutMs } = read.value;
    return this.writeEntry(known, { entry, ack, timeoutMs, idempotencyKey });
  }

  private writeBatch({ body, dataset }: WriteCall): Answer {
    const known = this.datasets.get(dataset);
    if (known === undefined) return unknownDataset(dataset);
    const read = readBatch(body, known.configuration);
    if (read.kind === 'refused') return answerProblem(read.problem);
    const { ack, items, timeoutMs } = read.value;
    const bodies = items.map((item) =>
      'entry' in item
        ? this.writeEntry(known, { ...item, ack, timeoutMs }).body
        : JSON.stringify(item satisfies Problem),
    );
    const headers = { 'Content-Type': 'application/json' };
    return { status: 207, headers, body: `{"entries":[${bodies.join(',')}]}`, code: null };
  }

  private writeEntry(
    { configuration, shards }: MemoryDataset,
    asked: {
      readonly entry: WriteEntry;
      readonly ack: Stage | null;
      readonly timeoutMs: number;
      readonly idempotencyKey: string | null;
    },
  ): Answer {
    const { entry, idempotencyKey, timeoutMs } = asked;
    const { content } = configuration;
    if (this.meets('busy'))
      return answerProblem(problem('too-many-requests', 'a fault of the test'), { 'Retry-After': '0' });
    if (this.meets('request-lost')) throw lost('the request was lost');
    if (idempotencyKey === null) {
      const misfit = checkSchemas(entry, configuration);
      if (misfit !== null) return answerProblem(misfit);
    }
    const minted = content.keys === 'always' ? this.identities.idempotencyKey() : null;
    const id = idempotencyKey ?? minted;
    const shard = shards[entry.partition]!;
    const nowMs = this.clock.nowMs();
    const deadlineMs = nowMs + timeoutMs;
    const facts = {
      id: id ?? `memory:${shard.cursor.sequence + 1n}`,
      dataset: content.dataset,
      shard: shard.shard,
      traceId: this.identities.traceId(),
      eventKeys: [...new Set(entry.events.map(({ key }) => key))],
    };
    const wanted = asked.ack ?? defaultStage(content.class);
    if (this.meets('outcome-unknown')) {
      const location = id === null ? null : `/v1/datasets/${content.dataset}/receipts/${id}`;
      return answerWrite({ ...facts, judged: null, stages: {} }, wanted, false, location);
    }
    const expecting = entry.events.filter(({ expectedVersion }) => expectedVersion !== null);
    if (
      expecting.length > 0 &&
      expecting.every(({ key }) => shard.row(key) !== null) &&
      this.meets('conflict')
    )
      shard.touch(expecting.map(({ key }) => key));
    const idempotency =
      id === null ? null : { key: this.keyHash(id), fingerprint: this.identities.fingerprint(entry.text) };
    const submission = { text: entry.text, deadlineMs, idempotency };
    let known = shard.cursor;
    if (this.meets('fenced')) shard.fence(this.otherHome(configuration, entry.partition, known.home));
    for (;;) {
      const folded = shard.append({ ...submission, epoch: known.epoch, home: known.home });
      known = shard.cursor;
      // As a gateway: what judges the attempt and not the key is submitted anew, by the present home.
      if (judgesAttempt(folded.verdict)) continue;
      const judged = judgedBy(folded, shard);
      const stages = judged.verdict === 'accepted' ? this.everywhere(configuration, entry.partition) : {};
      const answer = answerWrite({ ...facts, judged, stages }, wanted, folded.verdict === 'repeated', null);
      if (this.meets('answer-lost')) throw lost('the answer was lost');
      return answer;
    }
  }

  private receipt({ dataset, idempotencyKey, settle }: ReceiptCall): Answer {
    const known = this.datasets.get(dataset);
    if (known === undefined) return unknownDataset(dataset);
    if (!isIdempotencyKey(idempotencyKey))
      return answerProblem(problem('malformed', 'the key must be 1-128 printable ASCII characters'));
    const key = this.keyHash(idempotencyKey);
    const asked = known.shards.filter(({ shard }) => settle === null || shard === settle.shard);
    const hits = asked.filter((shard) => shard.outcome(key) !== null);
    if (hits.length > 1) {
      const named = hits.map(({ shard }) => shard).join(', ');
      return answerProblem(problem('several-shards-hit', `the key is known in ${named}`));
    }
    const [hit] = hits;
    if (hit !== undefined) return this.answerOutcome(known, hit, idempotencyKey, hit.outcome(key)!);
    const [place] = asked;
    if (settle !== null && place !== undefined && this.clock.nowMs() > settle.deadlineMs) {
      place.settle(key, settle.deadlineMs);
      const outcome = place.outcome(key);
      if (outcome !== null) return this.answerOutcome(known, place, idempotencyKey, outcome);
      return answerProblem(problem('never-or-expired', 'its outcome would no longer be kept'));
    }
    return answerProblem(problem('not-seen', 'no outcome of this key is known yet'));
  }

  private answerOutcome(
    { configuration }: MemoryDataset,
    shard: MemoryShard,
    id: string,
    { epoch, eventKeys, sequence, verdict }: Outcome,
  ): Answer {
    const judged = { verdict, sequence, epoch, logIncarnation: shard.cursor.logIncarnation };
    const partition = Number(shard.shard.split('/')[1]);
    const stages = verdict === 'accepted' ? this.everywhere(configuration, partition) : {};
    const { dataset } = configuration.content;
    const traceId = this.identities.traceId();
    const facts: WriteFacts = { id, dataset, shard: shard.shard, traceId, eventKeys, judged, stages };
    const answer = answerWrite(facts, 'logged', false, null);
    if (answer.code === null) return answer;
    // Asked for as a receipt, a rejection is an answer and not a problem.
    const { receipt } = JSON.parse(answer.body) as { readonly receipt: object };
    return answerJson(200, receipt);
  }

  private readRow({ consistency, dataset, key, token }: RowCall): Answer {
    const known = this.datasets.get(dataset);
    if (known === undefined) return unknownDataset(dataset);
    const route = routeKey(known.configuration.content.groups, key);
    if (route.kind === 'malformed-key') return answerProblem(problem('malformed', `"${key}" is not a key`));
    if (route.kind === 'unknown-group')
      return answerProblem(problem('unknown-group', `"${route.group}" is not a group`));
    const shard = known.shards[route.partition]!;
    if (consistency === 'strong') shard.probe();
    const { logIncarnation, sequence } = shard.cursor;
    if (consistency === 'session') {
      if (token === null)
        return answerProblem(problem('malformed', 'consistency=session needs the header Lockstep-Token'));
      const positions = decodeToken(token);
      if (positions === null) return answerProblem(problem('bad-token', 'the token cannot be read'));
      const position = positions.get(shard.shard);
      if (position !== undefined && position.sequence > sequence)
        return answerProblem(problem('token-unreachable', `the token asks for ${position.sequence}`));
    }
    const headers = { 'Lockstep-Token': encodeToken(new Map([[shard.shard, { logIncarnation, sequence }]])) };
    const row = shard.row(key);
    if (row === null) return answerProblem(problem('not-found', `there is no row "${key}"`), headers);
    return answerJson(200, { key, version: Number(row.version), row: row.columns }, headers);
  }

  private changes({ dataset, from }: ChangesCall): PortFeed | Answer {
    const known = this.datasets.get(dataset);
    if (known === undefined) return unknownDataset(dataset);
    const { configuration, shards } = known;
    const ends = shards.map(({ cursor }) => offset(cursor.offset + 1n));
    const { dataset: name } = configuration.content;
    const now = { dataset: name, logId: this.logId, shards: ends.map((end) => feedShard(end)) };
    const position = from === null ? now : decodeFeedPosition(from);
    if (position?.dataset !== name || position.shards.length !== shards.length)
      return answerProblem(problem('bad-token', 'the position of the feed cannot be read'));
    const isMissing = position.shards.some(
      (place, partition) => !isHeld(place, { startOffset: offset(0n), endOffset: ends[partition]! }),
    );
    if (position.logId !== this.logId || isMissing)
      return answerProblem(problem('feed-expired', 'the position is of another world'));
    return new MemoryFeed(shards, position, this.folded);
  }

  private datasetOf(configuration: FoldConfiguration): MemoryDataset {
    const { content } = configuration;
    const table = tableOf(content);
    const shards = Array.from({ length: partitionCount(content.groups) }, (_, partition) => {
      const { home } = groupOfPartition(content.groups, partition);
      const name = shardName(content.dataset, partition);
      return new MemoryShard(
        name,
        configuration,
        table,
        home,
        () => this.clock.nowMs(),
        () => this.folded.raise(),
      );
    });
    return { configuration, shards };
  }

  private otherHome({ content }: FoldConfiguration, partition: number, home: MemoryShard['cursor']['home']) {
    const { regions } = groupOfPartition(content.groups, partition);
    return regions.find((region) => region !== home) ?? home;
  }

  private everywhere({ content }: FoldConfiguration, partition: number): StageTimes {
    const atMs = this.clock.nowMs();
    const { home, regions } = groupOfPartition(content.groups, partition);
    return {
      logged: { atMs },
      accepted: { atMs, region: home },
      quorum: { atMs, regions },
      everywhere: { atMs },
    };
  }

  private meets(fault: Fault): boolean {
    const at = this.faults.indexOf(fault);
    if (at >= 0) this.faults.splice(at, 1);
    return at >= 0;
  }

  private keyHash(key: string): KeyHash {
    return this.identities.keyHash(PRINCIPAL, key);
  }
}

/** The answer of a key that is bound is its first one. */
function judgedBy(
  { epoch, first, sequence, verdict }: FoldedEntry,
  { cursor }: MemoryShard,
): NonNullable<WriteFacts['judged']> {
  const { logIncarnation } = cursor;
  if (first !== null)
    return { verdict: first.verdict, sequence: first.sequence, epoch: first.epoch, logIncarnation };
  return { verdict: verdict as ToldVerdictCode, sequence, epoch, logIncarnation };
}

const lost = (what: string): PortError =>
  new PortError('gateway-broken', 'unknown', `A fault of the test: ${what}.`);

const unknownDataset = (dataset: string): Answer =>
  answerProblem(problem('unknown-dataset', `"${dataset.slice(0, 64)}" is not a dataset of the catalogue`));

function portAnswer({ body, headers, status }: Answer): PortAnswer {
  const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { status, headers: Object.fromEntries(lowerCase) as PortAnswer['headers'], body };
}
