/** When the home appends a probe to an idle shard: early enough that retention never passes a cursor. */
import { expect, test } from '@jest/globals';
import { AP, EU, watermark } from '../quorum/ledger.fixture.js';
import type { Watermark } from './watermark.js';
import { needsProbe } from './probe.js';

const told: Watermark = { ...watermark({ region: EU, at: 3 }), logTimeMs: 1_000 };
const logRetentionMs = 4_000;

test.each<[string, Parameters<typeof needsProbe>[0], boolean]>([
  [
    'idle for a quarter of the retention',
    { region: EU, watermark: told, nowMs: 2_000, logRetentionMs },
    true,
  ],
  ['not yet', { region: EU, watermark: told, nowMs: 1_999, logRetentionMs }, false],
  ['the home is elsewhere', { region: AP, watermark: told, nowMs: 9_000, logRetentionMs }, false],
  ['nothing is known of it', { region: EU, watermark: null, nowMs: 9_000, logRetentionMs }, false],
  [
    'it is halted: a probe would not be folded',
    {
      region: EU,
      watermark: { ...told, halted: { code: 'log-replaced', detail: '' } },
      nowMs: 9_000,
      logRetentionMs,
    },
    false,
  ],
])('%s', (_, question, expected) => {
  expect(needsProbe(question)).toBe(expected);
});
