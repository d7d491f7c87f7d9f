/**
 * A second opinion on the order of a log and on the verdicts that follow from it alone: sequences without a gap, numbers of
 * a publisher's session, epochs and owners (I2, I5, I6, I8). It takes every record once, in log order, and remembers no
 * record: a session is its last number, a shard its owners. The rules are SPEC.md's, told once more and without the fold.
 */
import {
  binds,
  CLOCK_TOLERANCE_MS,
  type ConfigurationContent,
  type ControlBody,
  type EntryHeader,
  type Verdict,
} from '@lockstep/protocol';
import { FindingList } from './finding.js';

/** One record as it stands in the log, and the verdict that it was given. */
export interface AuditedRecord {
  readonly shard: string;
  readonly sequence: bigint;
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly verdict: Verdict;
  /** Null where it does not decode. */
  readonly header: Pick<
    EntryHeader,
    'kind' | 'epoch' | 'publisher' | 'number' | 'region' | 'publisherClockMs'
  > | null;
  readonly control: ControlBody | null;
}

/** Of the configuration that is active before the record; null before genesis. */
export type AuditRules = {
  readonly writers: ConfigurationContent['writers'];
  readonly sessionsMs: number;
} | null;

/** Who owns a shard from a sequence on. */
export interface Owner {
  readonly since: bigint;
  readonly epoch: bigint;
  readonly home: string;
  /** By what it became so; null for the first one. */
  readonly fence: Fence | null;
}

export interface Fence extends Pair {
  readonly offset: bigint;
}

/** What a fence or `term` entry leaves in its shard; only a later one counts behind it. */
interface Pair {
  readonly term: bigint;
  readonly decision: bigint;
}

/** The first data entry of a region that is stamped with an epoch. */
export interface Opening {
  readonly shard: string;
  readonly epoch: bigint;
  readonly region: string;
  readonly offset: bigint;
}

interface AuditedSession {
  readonly last: bigint;
  readonly holed: boolean;
  readonly logTimeMs: number;
}

interface AuditedShard {
  sequence: bigint;
  offset: bigint;
  logTimeMs: number;
  rememberedSinceMs: number;
  pair: Pair;
  readonly owners: Owner[];
  readonly openings: Map<string, Opening>;
  readonly sessions: Map<string, AuditedSession>;
}

type Counted = 'next' | 'duplicate' | 'hole';

export class LogAudit {
  readonly found = new FindingList();
  private readonly shards = new Map<string, AuditedShard>();

  note(record: AuditedRecord, rules: AuditRules): void {
    const shard = this.shardOf(record.shard);
    this.auditPlace(shard, record);
    const { control, header, verdict } = record;
    if (header === null) return;
    this.moveTime(shard, record, header.publisherClockMs, rules);
    if (control !== null) {
      if (verdict === 'accepted') this.auditOwner(shard, record, control);
    } else if (header.kind === 'data' && verdict !== 'forged') {
      this.noteOpening(shard, record, header);
      this.auditNumber(shard, record, header);
      this.auditEpoch(shard, record, header, rules);
    }
  }

  /** Owners of each shard, in the order of the log. */
  owners(): ReadonlyMap<string, readonly Owner[]> {
    return new Map([...this.shards].map(([name, { owners }]) => [name, owners]));
  }

  openings(): readonly Opening[] {
    return [...this.shards.values()].flatMap(({ openings }) => [...openings.values()]);
  }

  private noteOpening(
    { openings }: AuditedShard,
    { offset, shard }: AuditedRecord,
    { epoch, region }: NonNullable<AuditedRecord['header']>,
  ): void {
    const name = `${epoch} ${region}`;
    if (!openings.has(name)) openings.set(name, { shard, epoch, region, offset });
  }

  private auditPlace(shard: AuditedShard, record: AuditedRecord): void {
    const { offset, sequence } = record;
    if (sequence !== shard.sequence + 1n || offset <= shard.offset) {
      const detail = `offset ${offset} behind sequence ${shard.sequence} at offset ${shard.offset}`;
      this.found.add('sequence-gap', { ...at(record), detail });
    }
    shard.sequence = sequence;
    shard.offset = offset;
  }

  private moveTime(
    shard: AuditedShard,
    { appendTimeMs }: AuditedRecord,
    publisherClockMs: number,
    rules: AuditRules,
  ): void {
    const untilMs = Math.min(appendTimeMs, publisherClockMs + CLOCK_TOLERANCE_MS);
    shard.logTimeMs = Math.max(shard.logTimeMs, untilMs);
    if (rules === null) return;
    shard.rememberedSinceMs = Math.max(shard.rememberedSinceMs, shard.logTimeMs - rules.sessionsMs);
  }

  private auditOwner(shard: AuditedShard, record: AuditedRecord, body: ControlBody): void {
    if (body.kind === 'fence' || body.kind === 'term') this.auditPair(shard, record, body);
    if (body.kind !== 'genesis' && body.kind !== 'fence') return;
    const epoch = body.kind === 'genesis' ? 1n : body.epoch;
    const present = shard.owners.at(-1)?.epoch ?? 0n;
    if (epoch <= present) {
      this.found.add('two-owners', { ...at(record), detail: `epoch ${epoch} for ${body.home}, again` });
    } else if (epoch !== present + 1n || (body.kind === 'fence' && body.expectedEpoch !== present)) {
      this.found.add('epoch-jumped', { ...at(record), detail: `from ${present} to ${epoch}` });
    }
    const { offset, sequence: since } = record;
    const fence = body.kind === 'fence' ? { offset, term: body.term, decision: body.decision } : null;
    shard.owners.push({ since, epoch, home: body.home, fence });
  }

  private auditPair(shard: AuditedShard, record: AuditedRecord, { decision, term }: Pair): void {
    const { pair } = shard;
    const isLater = term > pair.term || (term === pair.term && decision > pair.decision);
    if (!isLater) {
      const detail = `(${term}, ${decision}) behind (${pair.term}, ${pair.decision})`;
      this.found.add('epoch-jumped', { ...at(record), detail });
    }
    shard.pair = { term, decision };
  }

  private auditNumber(
    shard: AuditedShard,
    record: AuditedRecord,
    { number, publisher }: NonNullable<AuditedRecord['header']>,
  ): void {
    const known = shard.sessions.get(publisher);
    const session = known !== undefined && known.logTimeMs >= shard.rememberedSinceMs ? known : null;
    const last = session?.last ?? 0n;
    const isNext = session?.holed !== true && number === last + 1n;
    const counted: Counted = number <= last ? 'duplicate' : isNext ? 'next' : 'hole';
    if (counted !== 'duplicate') {
      const { logTimeMs } = shard;
      shard.sessions.set(publisher, { last: isNext ? number : last, holed: !isNext, logTimeMs });
    }
    const { verdict } = record;
    // Both are said before the number is looked at.
    if (verdict === 'malformed' || verdict === 'superseded') return;
    const told: Counted = verdict === 'duplicate' || verdict === 'hole' ? verdict : 'next';
    if (told === counted) return;
    const code = counted === 'duplicate' && binds(verdict) ? 'number-twice' : 'session-misjudged';
    const detail = `number ${number} of ${publisher} behind ${last} is ${counted}, judged ${verdict}`;
    this.found.add(code, { ...at(record), detail });
  }

  private auditEpoch(
    shard: AuditedShard,
    record: AuditedRecord,
    { epoch, region }: NonNullable<AuditedRecord['header']>,
    rules: AuditRules,
  ): void {
    const owner = shard.owners.at(-1);
    if (owner === undefined || rules === null) return;
    const { verdict } = record;
    const isStrange = rules.writers !== 'any' && region !== owner.home;
    const expected = epoch < owner.epoch ? 'fenced' : epoch > owner.epoch || isStrange ? 'not-owner' : null;
    const told = verdict === 'fenced' || verdict === 'not-owner' ? verdict : null;
    if (told === expected || (told === null && !binds(verdict))) return;
    const code = told === null ? 'owner-ignored' : 'fence-unfounded';
    const detail = `epoch ${epoch} of ${region} under epoch ${owner.epoch} of ${owner.home}, judged ${verdict}`;
    this.found.add(code, { ...at(record), detail });
  }

  private shardOf(name: string): AuditedShard {
    const known = this.shards.get(name);
    if (known !== undefined) return known;
    const shard = {
      sequence: 0n,
      offset: -1n,
      logTimeMs: 0,
      rememberedSinceMs: 0,
      pair: { term: 0n, decision: 0n },
      owners: [],
      openings: new Map(),
      sessions: new Map(),
    };
    this.shards.set(name, shard);
    return shard;
  }
}

const at = ({ sequence, shard }: AuditedRecord): { shard: string; sequence: number } => ({
  shard,
  sequence: Number(sequence),
});

/** The owner at a sequence; null before genesis. */
export function ownerAt(owners: readonly Owner[] | undefined, sequence: bigint): Owner | null {
  return owners?.findLast(({ since }) => since <= sequence) ?? null;
}
