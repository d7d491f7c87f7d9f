/** A control entry as its author's process would have sent it, to be put into a log at any later time. */
import {
  controlText,
  encodeHeader,
  entryNumber,
  epoch,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  RECORD_HEADER,
  utf8,
  type ControlBody,
  type RegionName,
} from '@lockstep/protocol';
import type { ForeignRecord } from './memory-log.js';

export function controlRecord(
  body: ControlBody,
  author: { readonly region: RegionName; readonly nowMs: number; readonly notAfterMs: number },
): ForeignRecord {
  const { notAfterMs, nowMs, region } = author;
  const header = encodeHeader({
    kind: body.kind,
    epoch: epoch(0n),
    publisherClockMs: Math.floor(nowMs),
    notAfterMs: Math.floor(notAfterMs),
    publisher: NO_PUBLISHER,
    number: entryNumber(0n),
    configurationPrefix: NO_CONFIGURATION_PREFIX,
    region,
    idempotency: null,
    signature: null,
  });
  return { key: utf8(body.kind), value: utf8(controlText(body)), headers: [[RECORD_HEADER, header]] };
}
