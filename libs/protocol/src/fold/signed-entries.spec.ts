/** Who may append what: control entries that need authority, once a configuration names keys. */
import { describe, expect, test } from '@jest/globals';
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import { controlText, type ControlBody } from '../entry/body.js';
import { hashToHex, recordDigest } from '../entry/digest.js';
import { encodeHeader, NO_CONFIGURATION_PREFIX, NO_PUBLISHER, type EntryHeader } from '../entry/header.js';
import { needsAuthority, signedBytes, type VerifySignature } from '../entry/signature.js';
import { utf8 } from '../entry/utf8.js';
import { entryNumber, epoch, sequence, type ShardName } from '../identity/identity.js';
import {
  AGGREGATE,
  configured,
  EU,
  FoldedRegion,
  keyOf,
  LOG_INCARNATION,
  LogBuilder,
  opened,
  SHARD,
  START_MS,
  US,
} from './fold.fixture.js';
import { signaturesBy } from './fold.js';
import type { Verdict } from './verdict.js';

/** Stands for Ed25519: whoever has the name of a key can sign by it. */
const keyNamed = (name: string): string => tied(utf8(name), utf8('')).slice(0, 64);
const signatureBy = (publicKey: string, message: Uint8Array): string => tied(utf8(publicKey), message);
const verify: VerifySignature = (publicKey, message, signature) =>
  signature === signatureBy(publicKey, message);
function tied(key: Uint8Array, message: Uint8Array): string {
  const part = (appendTimeMs: number): string =>
    hashToHex(recordDigest({ key, value: message, header: null, appendTimeMs }));
  return [0, 1, 2, 3].map(part).join('');
}

const signedBy = (digit: string, ...names: readonly string[]): FoldConfiguration =>
  configured(digit, { signingKeys: names.map((id) => ({ id, publicKey: keyNamed(id) })) });
const OLD = signedBy('5', 'old');
const BOTH = signedBy('6', 'new', 'old');
const NEW = signedBy('7', 'new');

interface Forgery {
  readonly shard?: ShardName;
  /** What the header says in the log where it was signed with something else. */
  readonly header?: Partial<EntryHeader>;
  readonly body?: ControlBody;
}

class SignedLog extends LogBuilder {
  by(name: string | null, body: ControlBody, forgery: Forgery = {}): this {
    const header: EntryHeader = {
      kind: body.kind,
      epoch: epoch(0n),
      publisherClockMs: this.nowMs,
      notAfterMs: this.nowMs + 120_000,
      publisher: NO_PUBLISHER,
      number: entryNumber(0n),
      configurationPrefix: NO_CONFIGURATION_PREFIX,
      region: EU,
      idempotency: null,
      signature: null,
    };
    const text = controlText(body);
    const signature =
      name === null ? null : signatureBy(keyNamed(name), signedBytes(forgery.shard ?? SHARD, header, text));
    return this.record(
      controlText(forgery.body ?? body),
      encodeHeader({ ...header, ...forgery.header, signature }),
    );
  }
}

const genesis = (configuration: FoldConfiguration): ControlBody => ({
  kind: 'genesis',
  logIncarnation: LOG_INCARNATION,
  home: EU,
  configuration: configuration.hash,
});
const activate = (from: FoldConfiguration, to: FoldConfiguration): ControlBody => ({
  kind: 'configuration',
  expected: from.hash,
  configuration: to.hash,
});
const FENCE: ControlBody = {
  kind: 'fence',
  expectedEpoch: epoch(1n),
  epoch: epoch(2n),
  home: US,
  term: 1n,
  decision: 1n,
};
const RULE: ControlBody = {
  kind: 'rule',
  expected: sequence(1n),
  rule: 'all',
  withdrawn: [],
  reason: 'a test',
  actor: 'ada',
};
const TERM: ControlBody = { kind: 'term', term: 2n, decision: 0n };

function verdictsOf(log: LogBuilder, known = [AGGREGATE, OLD, BOTH, NEW]): readonly Verdict[] {
  const one = new FoldedRegion(known, signaturesBy(verify)).applyAll(log.entries());
  const together = new FoldedRegion(known, signaturesBy(verify)).applyAll(log.entries(), [99, 99, 99, 99]);
  expect(together.verdicts).toEqual(one.verdicts);
  expect(together.cursor).toEqual(one.cursor);
  return one.verdicts;
}

describe('once a configuration names keys', () => {
  test.each<[string, ControlBody]>([
    ['a fence', FENCE],
    ['a rule', RULE],
    ['a term', TERM],
    ['a configuration', activate(OLD, BOTH)],
    ['a second genesis', genesis(OLD)],
  ])('%s without a signature by one of them is forged', (_, body) => {
    const begun = (): SignedLog => new SignedLog().by('old', genesis(OLD));
    expect(verdictsOf(begun().by(null, body))).toEqual(['accepted', 'forged']);
    expect(verdictsOf(begun().by('thief', body))).toEqual(['accepted', 'forged']);
    const signed = body.kind === 'genesis' ? 'superseded' : 'accepted';
    expect(verdictsOf(begun().by('old', body))).toEqual(['accepted', signed]);
  });

  test('probes, settles, degrades and data need none, and nobody looks at one that they carry', () => {
    let checks = 0;
    const counting: VerifySignature = (...signed) => {
      checks += 1;
      return verify(...signed);
    };
    const log = new SignedLog()
      .by('old', genesis(OLD))
      .by(null, { kind: 'probe' })
      .by('thief', { kind: 'probe' })
      .by(null, { kind: 'settle', key: keyOf('k'), deadlineMs: START_MS })
      .data([opened()], { idempotencyKey: 'd', signature: 'ab'.repeat(64) })
      .by(null, { kind: 'degrade', key: keyOf('d'), sequence: sequence(5n) });
    const region = new FoldedRegion([OLD], signaturesBy(counting)).applyAll(log.entries());
    expect(region.verdicts).toEqual(Array.from({ length: 6 }, () => 'accepted'));
    expect(checks).toBe(1);
  });

  test.each<[string, Forgery]>([
    ['another partition', { shard: 'accounts/1' as ShardName }],
    ['another topic', { shard: 'orders/0' as ShardName }],
    ['another epoch', { header: { epoch: epoch(1n) } }],
    ['another region', { header: { region: US } }],
    ['a later time', { header: { notAfterMs: START_MS + 600_000 } }],
    ['another clock', { header: { publisherClockMs: START_MS + 7 } }],
    ['another configuration', { header: { configurationPrefix: '1'.repeat(32) } }],
    ['another home', { body: { ...FENCE, home: EU } as ControlBody }],
    ['another kind', { header: { kind: 'term' }, body: TERM }],
  ])('a signature that was made for %s is worth nothing', (_, forgery) => {
    const log = new SignedLog().by('old', genesis(OLD)).by('old', FENCE, forgery).by('old', FENCE);
    expect(verdictsOf(log)).toEqual(['accepted', 'forged', 'accepted']);
  });

  test('a copy in the same shard finds its expectation gone', () => {
    const log = new SignedLog().by('old', genesis(OLD)).by('old', FENCE);
    log.record(log.records[1]!.valueText, log.records[1]!.header);
    log.record(log.records[0]!.valueText, log.records[0]!.header);
    expect(verdictsOf(log)).toEqual(['accepted', 'accepted', 'superseded', 'superseded']);
  });
});

describe('keys come in and go', () => {
  test('by genesis: it is judged by the keys of the configuration that it activates', () => {
    const log = new SignedLog().by(null, genesis(OLD)).by('new', genesis(OLD)).by('old', genesis(OLD));
    expect(verdictsOf(log)).toEqual(['forged', 'forged', 'accepted']);
  });

  test('by a configuration: the first keys by one of them, later ones by one that is there', () => {
    const log = new SignedLog()
      .by(null, genesis(AGGREGATE))
      .by(null, activate(AGGREGATE, OLD))
      .by('new', activate(AGGREGATE, OLD))
      .by('old', activate(AGGREGATE, OLD))
      .by('new', activate(OLD, BOTH))
      .by('old', activate(OLD, BOTH));
    expect(verdictsOf(log)).toEqual(['accepted', 'forged', 'forged', 'accepted', 'forged', 'accepted']);
  });

  test('both count while both are named, and the old one no more when it is not', () => {
    const log = new SignedLog()
      .by('old', genesis(BOTH))
      .by('new', FENCE)
      .by('old', TERM)
      .by('new', activate(BOTH, NEW))
      .by('old', { ...TERM, term: 3n } as ControlBody)
      .by('new', { ...TERM, term: 3n } as ControlBody);
    const accepted = ['accepted', 'accepted', 'accepted', 'accepted'];
    expect(verdictsOf(log)).toEqual([...accepted, 'forged', 'accepted']);
  });

  test('none is demanded again when a configuration that is signed names none', () => {
    const log = new SignedLog()
      .by('old', genesis(OLD))
      .by(null, activate(OLD, AGGREGATE))
      .by('old', activate(OLD, AGGREGATE))
      .by(null, TERM);
    expect(verdictsOf(log)).toEqual(['accepted', 'forged', 'accepted', 'accepted']);
  });

  test('a region that lacks a configuration which cannot take effect judges as one that has it (I3)', () => {
    const log = new SignedLog()
      .by(null, genesis(AGGREGATE))
      .by(null, genesis(OLD))
      .by(null, activate(NEW, OLD));
    expect(verdictsOf(log)).toEqual(['accepted', 'superseded', 'superseded']);
    expect(verdictsOf(log, [AGGREGATE])).toEqual(['accepted', 'superseded', 'superseded']);
  });
});

test('what needs authority is what changes who owns a shard or how it is judged', () => {
  const kinds = ['genesis', 'fence', 'configuration', 'rule', 'term', 'time', 'skip', 'seal'] as const;
  expect(kinds.every(needsAuthority)).toBe(true);
  expect((['data', 'probe', 'settle', 'degrade', 'digest', 'carried'] as const).some(needsAuthority)).toBe(
    false,
  );
});
