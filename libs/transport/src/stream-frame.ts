/**
 * The wire form of stream frames, in one place: JSON lines, one frame a line, readable with curl (README "Frames").
 *
 * Sequences, epochs and numbers are JSON numbers (all below 2^53, asserted here), offsets decimal strings, hashes and
 * identities lower-case hex. An empty line keeps a quiet connection alive. A reader ignores fields it does not know,
 * so that regions may be upgraded one after the other; everything else that is not exactly a frame is a PortError,
 * and the connection that brought it is at its end: nothing half-read is ever counted.
 */
import {
  entryNumber,
  epoch,
  hashFromHex,
  hashToHex,
  HALT_CODES,
  isId128,
  isRegionName,
  offset,
  parseShardName,
  sequence,
  VERDICTS,
  WITHHELD_CODES,
} from '@lockstep/protocol';
import type {
  Demand,
  Halt,
  HaltCode,
  LogIncarnation,
  Mark,
  PublisherId,
  RegionName,
  RuleInForce,
  ShardName,
  StoreIncarnation,
  Verdict,
  Watermark,
  Withheld,
  WithheldCode,
} from '@lockstep/protocol';
import { PortError } from '@lockstep/engine';
import type { FirstOutcome, StreamFrame, ToldVerdict } from '@lockstep/engine';

/** A longer line is garbage. 1,000 verdicts of at most 400 bytes stay far below it. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** A frame with more verdicts is told in several lines, in order. */
export const VERDICTS_PER_LINE_MAX = 1_000;
/** What is told of why a shard halted or a vote is withheld; the region's own log has all of it. */
const DETAIL_CHARACTERS_MAX = 1_000;
const shortened = (detail: string): string => detail.slice(0, DETAIL_CHARACTERS_MAX).toWellFormed();

/** What keeps a quiet connection alive. */
export const KEEP_ALIVE_LINE = '\n';

/** One line, or several for a frame with very many verdicts; each ends with a newline. */
export function encodeFrame(frame: StreamFrame): string {
  if (frame.kind === 'watermark') return watermarkLine(frame.watermark);
  let lines = '';
  for (let from = 0; from < frame.verdicts.length; from += VERDICTS_PER_LINE_MAX) {
    const verdicts = frame.verdicts.slice(from, from + VERDICTS_PER_LINE_MAX).map(toldVerdictToJson);
    lines += `${JSON.stringify({ kind: 'verdicts', shard: frame.shard, verdicts })}\n`;
  }
  return lines;
}

/**
 * Every listener of a region is told the same watermarks: each is worded once. Bounded by the shards of the process (I17); a WeakMap would
 * keep what is told in it until the next great collection.
 */
const worded = new Map<ShardName, { readonly watermark: Watermark; readonly line: string }>();

function watermarkLine(watermark: Watermark): string {
  const known = worded.get(watermark.shard);
  if (known?.watermark === watermark) return known.line;
  const line = `${JSON.stringify(watermarkToJson(watermark))}\n`;
  worded.set(watermark.shard, { watermark, line });
  return line;
}

/** @throws PortError `stream-garbage` for anything that is not a frame. */
export function decodeFrame(line: string): StreamFrame {
  try {
    const frame = objectOf(JSON.parse(line), 'frame');
    switch (frame['kind']) {
      case 'watermark':
        return { kind: 'watermark', watermark: watermarkFromJson(frame) };
      case 'verdicts':
        return {
          kind: 'verdicts',
          shard: shardOf(frame['shard']),
          verdicts: arrayOf(frame['verdicts'], 'verdicts').map(toldVerdictFromJson),
        };
      default:
        throw new Misfit('kind');
    }
  } catch (error) {
    const what =
      error instanceof Misfit ? `the field "${error.field}" is not what a frame has there` : 'it is not JSON';
    throw new PortError(
      'stream-garbage',
      'retryable',
      `A line of the stream is no frame: ${what}. Line begins: ${JSON.stringify(line.slice(0, 80))}. ` +
        'Check that the address is a replicator of a compatible version.',
      error,
    );
  }
}

function watermarkToJson(watermark: Watermark): object {
  return {
    kind: 'watermark',
    region: watermark.region,
    storeIncarnation: watermark.storeIncarnation,
    shard: watermark.shard,
    logIncarnation: watermark.logIncarnation,
    sequence: safeNumber(watermark.sequence),
    offset: watermark.offset.toString(),
    epoch: safeNumber(watermark.epoch),
    home: watermark.home,
    term: safeNumber(watermark.term),
    decision: safeNumber(watermark.decision),
    logTimeMs: watermark.logTimeMs,
    rules: watermark.rules.map(ruleToJson),
    inputHash: watermark.inputHash,
    effectsHash: watermark.effectsHash,
    marks: watermark.marks.map(markToJson),
    caughtUpAtMs: watermark.caughtUpAtMs,
    lagRecords: watermark.lagRecords,
    halted:
      watermark.halted === null
        ? null
        : {
            code: watermark.halted.code,
            detail: shortened(watermark.halted.detail),
          },
    withheld:
      watermark.withheld === null
        ? null
        : { code: watermark.withheld.code, detail: shortened(watermark.withheld.detail) },
  };
}

function watermarkFromJson(json: JsonObject): Watermark {
  return {
    region: regionOf(json['region'], 'region'),
    storeIncarnation: id128Of(json['storeIncarnation'], 'storeIncarnation') as StoreIncarnation,
    shard: shardOf(json['shard']),
    logIncarnation: nullOr(
      json['logIncarnation'],
      (value) => id128Of(value, 'logIncarnation') as LogIncarnation,
    ),
    sequence: sequence(ordinalOf(json['sequence'], 'sequence')),
    offset: offset(offsetOf(json['offset'])),
    epoch: epoch(ordinalOf(json['epoch'], 'epoch')),
    home: nullOr(json['home'], (value) => regionOf(value, 'home')),
    term: ordinalOf(json['term'], 'term'),
    decision: ordinalOf(json['decision'], 'decision'),
    logTimeMs: millisecondsOf(json['logTimeMs'], 'logTimeMs'),
    rules: arrayOf(json['rules'], 'rules').map(ruleFromJson),
    inputHash: id128Of(json['inputHash'], 'inputHash'),
    effectsHash: id128Of(json['effectsHash'], 'effectsHash'),
    marks: arrayOf(json['marks'], 'marks').map(markFromJson),
    caughtUpAtMs: nullOr(json['caughtUpAtMs'], (value) => millisecondsOf(value, 'caughtUpAtMs')),
    lagRecords: nullOr(json['lagRecords'], (value) => Number(ordinalOf(value, 'lagRecords'))),
    halted: nullOr(json['halted'], haltFromJson),
    withheld: nullOr(json['withheld'], withheldFromJson),
  };
}

function ruleToJson(rule: RuleInForce): object {
  return { ...rule, from: safeNumber(rule.from) };
}

function ruleFromJson(value: unknown): RuleInForce {
  const json = objectOf(value, 'rules');
  if (typeof json['text'] !== 'string') throw new Misfit('rules.text');
  return {
    from: sequence(ordinalOf(json['from'], 'rules.from')),
    text: json['text'],
    withdrawn: regionsOf(json['withdrawn'], 'rules.withdrawn'),
    demands: arrayOf(json['demands'], 'rules.demands').map(demandFromJson),
    jointly: arrayOf(json['jointly'], 'rules.jointly').map(demandFromJson),
  };
}

function demandFromJson(value: unknown): Demand {
  const json = objectOf(value, 'rules.demands');
  const needed = Number(ordinalOf(json['needed'], 'rules.needed'));
  const domains = arrayOf(json['domains'], 'rules.domains').map((domain) =>
    regionsOf(domain, 'rules.domains'),
  );
  // Nothing needed would be met by nobody.
  if (needed === 0) throw new Misfit('rules.needed');
  return { needed, domains };
}

const regionsOf = (value: unknown, field: string): readonly RegionName[] =>
  arrayOf(value, field).map((name) => regionOf(name, field));

function markToJson(mark: Mark): object {
  return {
    sequence: safeNumber(mark.sequence),
    inputHash: hashToHex(mark.inputHash),
    effectsHash: hashToHex(mark.effectsHash),
  };
}

function markFromJson(value: unknown): Mark {
  const json = objectOf(value, 'marks');
  return {
    sequence: sequence(ordinalOf(json['sequence'], 'marks.sequence')),
    inputHash: hashFromHex(id128Of(json['inputHash'], 'marks.inputHash')),
    effectsHash: hashFromHex(id128Of(json['effectsHash'], 'marks.effectsHash')),
  };
}

function haltFromJson(value: unknown): Halt {
  const json = objectOf(value, 'halted');
  if (!HALT_CODES.includes(json['code'] as HaltCode)) throw new Misfit('halted.code');
  if (typeof json['detail'] !== 'string') throw new Misfit('halted.detail');
  return { code: json['code'] as HaltCode, detail: json['detail'] };
}

function withheldFromJson(value: unknown): Withheld {
  const json = objectOf(value, 'withheld');
  if (!WITHHELD_CODES.includes(json['code'] as WithheldCode)) throw new Misfit('withheld.code');
  if (typeof json['detail'] !== 'string') throw new Misfit('withheld.detail');
  return { code: json['code'] as WithheldCode, detail: json['detail'] };
}

function toldVerdictToJson(told: ToldVerdict): object {
  return {
    publisher: told.publisher,
    number: safeNumber(told.number),
    ...judgementToJson(told),
    committedAtMs: told.committedAtMs,
    first: told.first === null ? null : judgementToJson(told.first),
  };
}

function toldVerdictFromJson(value: unknown): ToldVerdict {
  const json = objectOf(value, 'verdicts');
  return {
    publisher: id128Of(json['publisher'], 'publisher') as PublisherId,
    number: entryNumber(ordinalOf(json['number'], 'number')),
    ...judgementFromJson(json),
    committedAtMs: millisecondsOf(json['committedAtMs'], 'committedAtMs'),
    first: nullOr(json['first'], (first) => judgementFromJson(objectOf(first, 'first'))),
  };
}

/** The part that a told verdict and the first outcome share. */
function judgementToJson(outcome: FirstOutcome): object {
  return {
    verdict: outcome.verdict,
    sequence: safeNumber(outcome.sequence),
    epoch: safeNumber(outcome.epoch),
    appendTimeMs: outcome.appendTimeMs,
  };
}

function judgementFromJson(json: JsonObject): FirstOutcome {
  if (!VERDICTS.includes(json['verdict'] as Verdict)) throw new Misfit('verdict');
  return {
    verdict: json['verdict'] as Verdict,
    sequence: sequence(ordinalOf(json['sequence'], 'sequence')),
    epoch: epoch(ordinalOf(json['epoch'], 'epoch')),
    appendTimeMs: millisecondsOf(json['appendTimeMs'], 'appendTimeMs'),
  };
}

/** Names the field at which a line stopped being a frame; never leaves this file. */
class Misfit extends Error {
  readonly field: string;

  constructor(field: string) {
    super(field);
    this.field = field;
  }
}

type JsonObject = { readonly [name: string]: unknown };

function objectOf(value: unknown, field: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Misfit(field);
  return value as JsonObject;
}

function arrayOf(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Misfit(field);
  return value;
}

/** A missing field is not null: a peer that leaves one out speaks another format. */
function nullOr<T>(value: unknown, parse: (value: unknown) => T): T | null {
  return value === null ? null : parse(value);
}

function ordinalOf(value: unknown, field: string): bigint {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Misfit(field);
  return BigInt(value as number);
}

function millisecondsOf(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Misfit(field);
  return value;
}

/** -1 stands before the first record; Kafka's own offsets have 63 bits. */
function offsetOf(value: unknown): bigint {
  if (typeof value !== 'string' || !/^(-1|0|[1-9][0-9]{0,18})$/.test(value)) throw new Misfit('offset');
  return BigInt(value);
}

function id128Of(value: unknown, field: string): string {
  if (!isId128(value)) throw new Misfit(field);
  return value;
}

function regionOf(value: unknown, field: string): RegionName {
  if (typeof value !== 'string' || !isRegionName(value)) throw new Misfit(field);
  return value;
}

function shardOf(value: unknown): ShardName {
  if (typeof value !== 'string' || parseShardName(value) === null) throw new Misfit('shard');
  return value as ShardName;
}

/** @throws RangeError: an ordinal that JSON would round is a defect, not a state of the world. */
function safeNumber(ordinal: bigint): number {
  if (ordinal < 0n || ordinal > BigInt(Number.MAX_SAFE_INTEGER))
    throw new RangeError(`not a telling ordinal: ${ordinal}`);
  return Number(ordinal);
}
