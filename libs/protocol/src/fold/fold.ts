/**
 * The fold: one entry, one verdict, the same in every region, because it depends only on the log before it (I3).
 *
 * `ShardFold` folds a batch of one shard on a working copy; the state it started from is untouched, so that whoever
 * holds it may drop the batch when the commit fails (B23). Folding entries one by one, in any batches, or after a
 * restart gives the same state and hashes (property test).
 *
 * Upheld here: I2 (each record takes one sequence), I3, I5 (an epoch changes only by a valid fence), I6, I8 (session
 * numbers and keys), I10 (same key same answer), I16 (log time only, no clock).
 */
import type { ConfigurationContent } from '../configuration/content.js';
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import type { AggregateState } from '../configuration/reducer.js';
import type { ControlBody, EntryEvent } from '../entry/body.js';
import { Absorber, chainDigest, ZERO_HASH, type Hash128 } from '../entry/digest.js';
import { NO_PUBLISHER, type EntryHeader } from '../entry/header.js';
import { needsAuthority, signedBytes, type SigningKey, type VerifySignature } from '../entry/signature.js';
import {
  epoch,
  sequence,
  type ConfigurationHash,
  type DatasetName,
  type EntryNumber,
  type Epoch,
  type KeyHash,
  type PublisherId,
  type RegionName,
  type Sequence,
  type ShardName,
} from '../identity/identity.js';
import type { Halt } from '../position/watermark.js';
import { parseShardName } from '../identity/identity.js';
import { sameDemands } from '../quorum/demand.js';
import {
  changeRule,
  demandsUnder,
  endJointStep,
  replaceRule,
  ruleTextOf,
  type RuleInForce,
} from '../quorum/rule-in-force.js';
import { groupOfPartition, routeKey } from '../routing/key.js';
import { isTooLarge, type DecodedEntry } from './decoded-entry.js';
import { coalesce, type ColumnOperation, type RowOperation } from './row-operation.js';
import {
  MARK_INTERVAL,
  type Cursor,
  type FencedAttempt,
  type Mark,
  type Outcome,
  type ReadAnswers,
  type Session,
  type ShardState,
} from './state.js';
import { binds, VERDICTS, type Verdict } from './verdict.js';

/** How far an entry's append time may run ahead of its publisher's clock before it stops moving log time. */
export const CLOCK_TOLERANCE_MS = 60_000;

/** Of W3C trace context, version 00. */
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The configurations that this region has; null for one that it lacks. */
export type Configurations = (hash: ConfigurationHash) => FoldConfiguration | null;

export type SignatureState = 'valid' | 'invalid' | 'absent';

/** How an entry of the shard is signed, judged by these keys; by none where it need not be signed. */
export type SignatureOf = (
  entry: DecodedEntry,
  shard: ShardName,
  keys: readonly SigningKey[],
) => SignatureState;

/** Signatures by an adapter's cryptography: at most one check for each key, and none where an entry need not be signed. */
export const signaturesBy =
  (verify: VerifySignature): SignatureOf =>
  ({ header, record }, shard, keys) => {
    const signature = header?.signature ?? null;
    if (keys.length === 0 || header === null || signature === null || record.valueText === null)
      return 'absent';
    const message = signedBytes(shard, header, record.valueText);
    return keys.some(({ publicKey }) => verify(publicKey, message, signature)) ? 'valid' : 'invalid';
  };

/** What became of one record. */
export interface FoldedEntry {
  readonly entry: DecodedEntry;
  readonly verdict: Verdict;
  readonly sequence: Sequence;
  /** Epoch of the shard after the entry. */
  readonly epoch: Epoch;
  /** For `repeated`: the outcome that is the answer. */
  readonly first: Outcome | null;
  /** Rows that the entry changes; empty unless accepted. */
  readonly operations: readonly RowOperation[];
}

export type FoldStep =
  | { readonly kind: 'folded'; readonly folded: FoldedEntry }
  | { readonly kind: 'halted'; readonly halt: Halt };

export interface FoldedBatch {
  readonly state: ShardState;
  /** Marks that the batch passed, oldest first. */
  readonly marks: readonly Mark[];
  /** Sessions that changed. */
  readonly sessions: readonly Session[];
  /** Keys that were bound. */
  readonly outcomes: readonly Outcome[];
  /** In the order of the log. */
  readonly fenced: readonly FencedAttempt[];
  /** One per key, sorted by key. */
  readonly rows: readonly RowOperation[];
}

type Judgement =
  | { readonly verdict: Verdict; readonly first?: Outcome }
  | { readonly verdict: 'accepted'; readonly operations: readonly RowOperation[] }
  | {
      readonly verdict: 'accepted';
      readonly change: Partial<Cursor>;
      readonly settled?: KeyHash;
      readonly degraded?: Outcome;
    };

/** Of a column's value in the effects hash. */
const TYPE_PREFIXES = {
  string: 'string:',
  number: 'number:',
  boolean: 'boolean:',
  bigint: 'bigint:',
} as const;

export class ShardFold {
  private cursor: Cursor;
  private readonly changedSessions = new Map<PublisherId, Session>();
  private readonly boundOutcomes = new Map<KeyHash, Outcome>();
  private readonly aggregates = new Map<string, AggregateState>();
  private readonly operations: RowOperation[] = [];
  /** Of the rows that these operations change, as many as stood there when a version was asked for: most never are. */
  private readonly versions = new Map<string, Sequence>();
  private versioned = 0;
  private readonly marks: Mark[] = [];
  private readonly fenced: FencedAttempt[] = [];
  private readonly effects = new Absorber(ZERO_HASH);
  private readonly partition: number;
  private readonly dataset: DatasetName | undefined;

  constructor(
    private readonly before: ShardState,
    private readonly answers: ReadAnswers,
    private readonly configurations: Configurations,
    private readonly signatureOf: SignatureOf = () => 'absent',
  ) {
    this.cursor = before.cursor;
    const parsed = parseShardName(before.cursor.shard);
    this.partition = parsed?.partition ?? -1;
    this.dataset = parsed?.dataset;
  }

  /** Folds the next record; a halt leaves everything as it was before the record, and so does what a defect throws. */
  fold(entry: DecodedEntry): FoldStep {
    const missing = this.missingConfiguration(entry);
    if (missing !== null) return { kind: 'halted', halt: missing };
    const { cursor } = this;
    const publisher = entry.header?.publisher ?? NO_PUBLISHER;
    const session = this.changedSessions.get(publisher);
    try {
      return { kind: 'folded', folded: this.foldKnown(entry) };
    } catch (defect) {
      this.cursor = cursor;
      if (session === undefined) this.changedSessions.delete(publisher);
      else this.changedSessions.set(publisher, session);
      throw defect;
    }
  }

  private foldKnown(entry: DecodedEntry): FoldedEntry {
    const { record, header } = entry;
    const at = sequence(this.cursor.sequence + 1n);
    const logTimeMs =
      header === null
        ? this.cursor.logTimeMs
        : Math.max(
            this.cursor.logTimeMs,
            Math.min(record.appendTimeMs, header.publisherClockMs + CLOCK_TOLERANCE_MS),
          );
    this.remember(logTimeMs);
    const judgement = this.judge(entry, at, logTimeMs);
    const operations = 'operations' in judgement ? judgement.operations : [];
    // Most entries change nothing of it beside their own place.
    const changed = 'change' in judgement ? { ...this.cursor, ...judgement.change } : this.cursor;
    const epochAfter = changed.epoch;

    const effectsHash = this.chainEffects(judgement.verdict, operations);
    this.bind(entry, judgement, { at, logTimeMs, epoch: epochAfter });
    for (const operation of operations) this.operations.push(operation);
    this.cursor = {
      ...changed,
      offset: record.offset,
      sequence: at,
      logTimeMs,
      inputHash: chainDigest(this.cursor.inputHash, record.digest),
      effectsHash,
      recordDigest: record.digest,
    };
    if (at % MARK_INTERVAL === 0n) {
      const { inputHash, effectsHash } = this.cursor;
      const mark = { sequence: at, inputHash, effectsHash };
      this.cursor = { ...this.cursor, mark };
      this.marks.push(mark);
    }
    if (entry.kind === 'data' && judgement.verdict === 'fenced') this.keepFenced(entry);
    const first = 'first' in judgement ? (judgement.first ?? null) : null;
    return { entry, verdict: judgement.verdict, sequence: at, epoch: epochAfter, first, operations };
  }

  finish(): FoldedBatch {
    const sessions = [...this.changedSessions.values()];
    return {
      state: { cursor: this.cursor, sessions: this.sessionsAfter() },
      marks: this.marks,
      sessions,
      outcomes: [...this.boundOutcomes.values()],
      fenced: this.fenced,
      rows: coalesce(this.operations),
    };
  }

  /** The first rule that applies is the verdict; the order is that of VERDICTS, but for configured limits (0019). */
  private judge(entry: DecodedEntry, at: Sequence, logTimeMs: number): Judgement {
    const configuration = this.active();
    const forged = this.isForged(entry);
    const { header: decoded } = entry;
    const counted = decoded?.kind !== 'data' || forged ? null : this.count(decoded, logTimeMs);
    if (entry.kind === 'malformed') return { verdict: 'malformed' };
    if (forged) return { verdict: 'forged' };
    if (entry.kind === 'control') return this.judgeControl(entry.body, entry.header, at, logTimeMs);
    if (configuration === null) return { verdict: 'superseded' };
    if (counted === 'duplicate' || counted === 'hole') return { verdict: counted };

    const { header, events } = entry;
    const { content } = configuration;
    if (header.idempotency !== null) {
      const outcome = this.outcomeOf(header.idempotency.key);
      if (outcome !== null) {
        const same = outcome.fingerprint === null || outcome.fingerprint === header.idempotency.fingerprint;
        return same ? { verdict: 'repeated', first: outcome } : { verdict: 'key-reused' };
      }
    }
    // After the key: a limit that became stricter does not change the answer of a key that is bound.
    if (isTooLarge(entry, content.limits)) return { verdict: 'malformed' };
    if (header.epoch < this.cursor.epoch) return { verdict: 'fenced' };
    if (header.epoch > this.cursor.epoch) return { verdict: 'not-owner' };
    if (content.writers !== 'any' && header.region !== this.cursor.home) return { verdict: 'not-owner' };
    if (isExpired(header, logTimeMs, content.limits.notAfterAheadMsMax)) return { verdict: 'expired' };
    if (!events.every((event) => this.fits(configuration, event))) return { verdict: 'schema' };
    // Every key lives here, so that one group rules all events.
    const { regions } = groupOfPartition(content.groups, this.partition);
    if (!regions.includes(header.region)) return { verdict: 'policy' };
    for (const event of events) {
      if (event.expectedVersion !== null && event.expectedVersion !== this.versionOf(event.key)) {
        return { verdict: 'version-conflict' };
      }
    }
    const operations = this.project(configuration, events, at);
    return operations === null ? { verdict: 'guard' } : { verdict: 'accepted', operations };
  }

  private isForged(entry: DecodedEntry): boolean {
    const keys = this.keysOver(entry);
    const signature = this.signatureOf(entry, this.cursor.shard, keys);
    return signature === 'invalid' || (signature === 'absent' && keys.length > 0);
  }

  /** Of these one must have signed the entry; none where nobody must. */
  private keysOver(entry: DecodedEntry): readonly SigningKey[] {
    if (entry.kind !== 'control' || !needsAuthority(entry.body.kind)) return [];
    const keys = this.active()?.content.signingKeys ?? [];
    if (keys.length > 0) return keys;
    // The first keys come in by whoever holds one of them, so that nobody is locked out by a wrong one.
    const activated = this.activatedBy(entry.body);
    return activated === null ? [] : (this.configurations(activated)?.content.signingKeys ?? []);
  }

  private judgeControl(body: ControlBody, header: EntryHeader, at: Sequence, logTimeMs: number): Judgement {
    const { cursor } = this;
    const superseded: Judgement = { verdict: 'superseded' };
    if (body.kind === 'genesis') {
      if (cursor.logIncarnation !== null) return superseded;
      const { logIncarnation, home, configuration } = body;
      const { content } = this.configurations(configuration)!;
      const rules = this.rulesWith(at, home, content, { text: ruleTextOf(content), withdrawn: [] });
      if (rules === null) return superseded;
      return {
        verdict: 'accepted',
        change: { logIncarnation, home, configuration, rules, epoch: epoch(1n) },
      };
    }
    const configuration = this.active();
    if (configuration === null) return superseded;
    const { limits, retention } = configuration.content;
    switch (body.kind) {
      case 'fence': {
        const expired = isExpired(header, logTimeMs, limits.notAfterAheadMsMax);
        if (body.expectedEpoch !== cursor.epoch || !isDecidedAfter(cursor, body) || expired)
          return superseded;
        const { home, term, decision } = body;
        const rules = this.rulesOfHome(at, home, configuration.content);
        return { verdict: 'accepted', change: { epoch: body.epoch, home, term, decision, rules } };
      }
      case 'configuration':
        if (body.expected !== cursor.configuration) return superseded;
        // A copy that lands late must not activate a configuration again that was replaced since.
        if (isExpired(header, logTimeMs, limits.notAfterAheadMsMax)) return superseded;
        return this.judgeConfiguration(body.configuration, configuration.content, at);
      case 'rule': {
        const { rule: text, withdrawn } = body;
        const expired = isExpired(header, logTimeMs, limits.notAfterAheadMsMax);
        if (body.expected !== cursor.rules.at(-1)?.from || expired) return superseded;
        const rules =
          endJointStep(cursor.rules, { from: at, text, withdrawn }) ??
          this.rulesWith(at, cursor.home, configuration.content, { text, withdrawn });
        return rules === null ? superseded : { verdict: 'accepted', change: { rules } };
      }
      case 'term': {
        // Never late: it only takes authority from leaders before its own, and a copy that lands late finds its pair taken.
        const { term, decision } = body;
        return isDecidedAfter(cursor, body)
          ? { verdict: 'accepted', change: { term, decision } }
          : superseded;
      }
      case 'probe':
        return { verdict: 'accepted', change: {} };
      case 'settle': {
        // Beyond this a copy of the entry could outlive the outcome that answers it.
        const bindsUntilMs = body.deadlineMs + retention.outcomesMs - limits.notAfterAheadMsMax;
        if (logTimeMs >= bindsUntilMs) return superseded;
        return { verdict: 'accepted', change: {}, settled: body.key };
      }
      case 'degrade': {
        const outcome = this.outcomeOf(body.key);
        if (outcome?.verdict !== 'accepted' || outcome.sequence !== body.sequence) return superseded;
        return { verdict: 'accepted', change: {}, degraded: outcome };
      }
    }
  }

  /** The rule in force stays through a configuration that does not change what it says. */
  private judgeConfiguration(hash: ConfigurationHash, before: ConfigurationContent, at: Sequence): Judgement {
    const { content } = this.configurations(hash)!;
    const { home, rules: present } = this.cursor;
    const { text, withdrawn } = present.at(-1)!;
    const isChanged = content.quorum !== before.quorum;
    const change = { text: isChanged ? ruleTextOf(content) : text, withdrawn };
    const rules = this.rulesWith(at, home, content, change);
    if (rules === null) return { verdict: 'superseded' };
    return { verdict: 'accepted', change: { configuration: hash, rules } };
  }

  /** Null when the rule cannot be met, or another change is under way. */
  private rulesWith(
    at: Sequence,
    home: RegionName | null,
    content: ConfigurationContent,
    { text, withdrawn }: { readonly text: string; readonly withdrawn: readonly RegionName[] },
  ): readonly RuleInForce[] | null {
    const demanded = demandsUnder(content, { partition: this.partition, home }, { text, withdrawn });
    if (demanded.kind === 'refused') return null;
    return changeRule(this.cursor.rules, { from: at, text, withdrawn, demands: demanded.demands });
  }

  /** Where the rule is `home`, another home is another rule, at once: what the former home held stays in the log. */
  private rulesOfHome(at: Sequence, home: RegionName, content: ConfigurationContent): readonly RuleInForce[] {
    const { rules } = this.cursor;
    const { text, withdrawn } = rules.at(-1)!;
    const demanded = demandsUnder(content, { partition: this.partition, home }, { text, withdrawn });
    const isSame = demanded.kind === 'refused' || sameDemands(demanded.demands, rules.at(-1)!.demands);
    return isSame ? rules : replaceRule(rules, { from: at, text, withdrawn, demands: demanded.demands });
  }

  /** Advances the session of a data entry, whatever its verdict will be, and says how its number stands. */
  private count(header: EntryHeader, logTimeMs: number): 'next' | 'duplicate' | 'hole' {
    const session = this.sessionOf(header.publisher);
    const last = session?.last ?? (0n as EntryNumber);
    if (header.number <= last) return 'duplicate';
    const next = session?.holed !== true && header.number === last + 1n;
    this.changedSessions.set(header.publisher, {
      publisher: header.publisher,
      last: next ? header.number : last,
      holed: !next,
      logTimeMs,
    });
    return next ? 'next' : 'hole';
  }

  private bind(
    entry: DecodedEntry,
    judgement: Judgement,
    where: { readonly at: Sequence; readonly logTimeMs: number; readonly epoch: Epoch },
  ): void {
    const { verdict } = judgement;
    if (!binds(verdict)) return;
    const common = {
      sequence: where.at,
      epoch: where.epoch,
      logTimeMs: where.logTimeMs,
      appendTimeMs: entry.record.appendTimeMs,
      degraded: false,
    };
    if ('degraded' in judgement && judgement.degraded !== undefined) {
      const { degraded: outcome } = judgement;
      this.boundOutcomes.set(outcome.key, { ...outcome, degraded: true });
    } else if ('settled' in judgement && judgement.settled !== undefined) {
      const key = judgement.settled;
      if (this.outcomeOf(key) !== null) return;
      this.boundOutcomes.set(key, { ...common, key, fingerprint: null, verdict: 'expired', eventKeys: [] });
    } else if (entry.kind === 'data' && entry.header.idempotency !== null) {
      const { key, fingerprint } = entry.header.idempotency;
      const eventKeys = [...new Set(entry.events.map((event) => event.key))];
      this.boundOutcomes.set(key, { ...common, key, fingerprint, verdict, eventKeys });
    }
  }

  private keepFenced({ events, header, record }: Extract<DecodedEntry, { readonly kind: 'data' }>): void {
    const { epoch: shardEpoch, logIncarnation, logTimeMs, sequence: at } = this.cursor;
    const { traceparent } = record;
    this.fenced.push({
      sequence: at,
      // There is no epoch to be below before genesis.
      logIncarnation: logIncarnation!,
      region: header.region,
      publisher: header.publisher,
      number: header.number,
      epoch: header.epoch,
      shardEpoch,
      firstKey: events[0]!.key,
      idempotencyKey: header.idempotency?.key ?? null,
      // Whatever else stands there has any length.
      traceparent: traceparent !== null && TRACEPARENT.test(traceparent) ? traceparent : null,
      logTimeMs,
    });
  }

  /** The entry's row operations, or null when an aggregate refuses. Effects of one entry are atomic. */
  private project(
    configuration: FoldConfiguration,
    events: readonly EntryEvent[],
    at: Sequence,
  ): readonly RowOperation[] | null {
    const { projector } = configuration;
    const operations: RowOperation[] = [];
    if (projector.kind === 'rows') {
      for (const event of events) {
        const effect = projector.project(event);
        const { key } = event;
        if (effect.kind === 'delete') operations.push({ kind: 'delete', key, version: at });
        else operations.push({ kind: 'put', key, version: at, replaces: false, columns: effect.columns });
      }
    } else {
      const states = new Map<string, AggregateState>();
      for (const event of events) {
        const state = projector.project(states.get(event.key) ?? this.aggregateOf(event.key), event);
        if (state === null) return null;
        states.set(event.key, state);
      }
      for (const [key, state] of states) {
        this.aggregates.set(key, state);
        const columns = new Map<string, ColumnOperation>();
        for (const [column, value] of Object.entries(state)) columns.set(column, { kind: 'set', value });
        operations.push({ kind: 'put', key, version: at, replaces: false, columns });
      }
    }
    return operations;
  }

  private fits(configuration: FoldConfiguration, event: EntryEvent): boolean {
    const route = routeKey(configuration.content.groups, event.key);
    return (
      route.kind === 'shard' && route.partition === this.partition && configuration.checkEvent(event) === null
    );
  }

  private chainEffects(verdict: Verdict, operations: readonly RowOperation[]): Hash128 {
    const absorber = this.effects.begin(this.cursor.effectsHash);
    absorber.word(VERDICTS.indexOf(verdict));
    const columns = this.active()?.content.projection.columns ?? [];
    for (const operation of operations) {
      absorber.text(operation.key);
      if (operation.kind === 'delete') {
        absorber.word(0);
        continue;
      }
      for (let i = 0; i < columns.length; i += 1) {
        const column = operation.columns.get(columns[i]!.name);
        if (column === undefined) continue;
        absorber.word(i + 1);
        absorber.text(column.kind);
        const { value } = column;
        if (value === null) absorber.text(null);
        else absorber.joined(TYPE_PREFIXES[typeof value as keyof typeof TYPE_PREFIXES], String(value));
      }
    }
    return absorber.finish();
  }

  private missingConfiguration(entry: DecodedEntry): Halt | null {
    const { cursor } = this;
    const activated = entry.kind === 'control' ? this.activatedBy(entry.body) : null;
    for (const hash of [cursor.configuration, activated]) {
      if (hash !== null && this.configurations(hash)?.content.dataset !== this.dataset) {
        return {
          code: 'configuration-missing',
          detail: `this region lacks the fold configuration ${hash} of ${this.dataset}`,
        };
      }
    }
    return null;
  }

  /** What the entry names where it may take effect: no region goes on without it, so that all judge by it. */
  private activatedBy(body: ControlBody): ConfigurationHash | null {
    const { configuration, logIncarnation } = this.cursor;
    const isFirst = body.kind === 'genesis' && logIncarnation === null;
    const isNext = body.kind === 'configuration' && body.expected === configuration;
    return isFirst || isNext ? body.configuration : null;
  }

  private active(): FoldConfiguration | null {
    return this.cursor.configuration === null ? null : this.configurations(this.cursor.configuration);
  }

  /** Moves on what is remembered; judged before the entry, so that the entry's own append counts. */
  private remember(logTimeMs: number): void {
    const configuration = this.active();
    if (configuration === null) return;
    const { outcomesMs, sessionsMs } = configuration.content.retention;
    const { cursor } = this;
    const outcomesSinceMs = Math.max(cursor.outcomesSinceMs, logTimeMs - outcomesMs);
    const sessionsSinceMs = Math.max(cursor.sessionsSinceMs, logTimeMs - sessionsMs);
    // Records that were appended together stand at one time: most move nothing.
    if (outcomesSinceMs === cursor.outcomesSinceMs && sessionsSinceMs === cursor.sessionsSinceMs) return;
    this.cursor = { ...cursor, outcomesSinceMs, sessionsSinceMs };
  }

  private outcomeOf(key: KeyHash): Outcome | null {
    const outcome = this.boundOutcomes.get(key) ?? this.answers.outcomes.get(key);
    return outcome === undefined || outcome.logTimeMs < this.cursor.outcomesSinceMs ? null : outcome;
  }

  private sessionOf(publisher: PublisherId): Session | null {
    const session = this.changedSessions.get(publisher) ?? this.before.sessions.get(publisher);
    return session === undefined || session.logTimeMs < this.cursor.sessionsSinceMs ? null : session;
  }

  private sessionsAfter(): ReadonlyMap<PublisherId, Session> {
    if (this.changedSessions.size === 0) return this.before.sessions;
    const sessions = new Map<PublisherId, Session>();
    for (const [publisher, session] of this.before.sessions) {
      if (session.logTimeMs >= this.cursor.sessionsSinceMs) sessions.set(publisher, session);
    }
    for (const [publisher, session] of this.changedSessions) sessions.set(publisher, session);
    return sessions;
  }

  private versionOf(key: string): Sequence {
    for (; this.versioned < this.operations.length; this.versioned += 1) {
      const operation = this.operations[this.versioned]!;
      this.versions.set(operation.key, operation.kind === 'delete' ? sequence(0n) : operation.version);
    }
    return this.versions.get(key) ?? this.answers.rows.get(key)?.version ?? sequence(0n);
  }

  private aggregateOf(key: string): AggregateState | null {
    return this.aggregates.get(key) ?? this.answers.rows.get(key)?.columns ?? null;
  }
}

/** Decided by a later leader, or later by the same one, than what a fence or `term` entry left in the shard. */
export function isDecidedAfter(
  left: Pick<Cursor, 'term' | 'decision'>,
  one: { readonly term: bigint; readonly decision: bigint },
): boolean {
  return one.term > left.term || (one.term === left.term && one.decision > left.decision);
}

function isExpired(header: EntryHeader, logTimeMs: number, aheadMsMax: number): boolean {
  return header.notAfterMs < logTimeMs || header.notAfterMs > logTimeMs + aheadMsMax;
}
