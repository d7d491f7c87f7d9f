/** Planted between a client and the log: publisher, gateway, ledger and quorum rules. */
import type { PlantedBug } from './planted-bug.ts';

const DEMAND = 'protocol/quorum/demand';
const LEDGER = 'protocol/quorum/ledger';
const PUBLISHER = 'engine/publish/shard-publisher';
const RECEIPTS = 'engine/gateway/receipts';
const WRITES = 'engine/gateway/writes';

export const BUGS_IN_ANSWERS: readonly PlantedBug[] = [
  {
    listed: 2,
    name: 'accepted-when-logged',
    defect: 'A write is told accepted as soon as the log has taken it.',
    breaks: 'I7',
    profile: 'calm',
    edits: [
      {
        module: WRITES,
        text: "if (published.kind === 'logged' && attempt.ack === 'logged')",
        becomes: `if (published.kind === 'logged' && attempt.ack !== 'logged') {
                const { appendTimeMs, offset } = published;
                const told = { verdict: 'accepted', first: null, sequence: offset + 1n, epoch: known, appendTimeMs, committedAtMs: appendTimeMs };
                return this.fromTold({ told, region: this.options.region }, stages, logIncarnation);
            }
            if (published.kind === 'logged' && attempt.ack === 'logged')`,
      },
    ],
  },
  {
    listed: 3,
    name: 'vote-counted-twice',
    defect: 'Votes are counted instead of regions: the first region votes twice.',
    breaks: 'I7',
    profile: 'mixed',
    edits: [
      {
        module: DEMAND,
        text: 'const reached = domains\n            .map(',
        becomes: 'const reached = [...domains, ...domains.slice(0, 1)].map(',
      },
    ],
  },
  {
    listed: null,
    name: 'half-is-a-majority',
    defect: 'The rule `majority` takes half of the regions for enough.',
    breaks: 'I7',
    profile: 'mixed',
    edits: [
      {
        module: DEMAND,
        text: 'Math.floor(domains.length / 2) + 1',
        becomes: 'Math.floor(domains.length / 2)',
      },
    ],
  },
  {
    listed: null,
    name: 'newest-rule-for-all',
    defect: 'Every position is judged by the rule that is in force now.',
    breaks: 'I7',
    profile: 'mixed',
    edits: [
      {
        module: 'protocol/quorum/ledger',
        text: 'const met = highestMet(allDemands(rule), committed);',
        becomes: 'const met = highestMet(allDemands(rules.at(-1)), committed);',
      },
    ],
  },
  {
    listed: null,
    name: 'joint-step-of-one-rule',
    defect: 'While two rules are demanded together, only the new one is counted.',
    breaks: 'I7',
    profile: 'mixed',
    edits: [
      {
        module: 'protocol/quorum/ledger',
        text: 'const met = highestMet(allDemands(rule), committed);',
        becomes: 'const met = highestMet(rule.demands, committed);',
      },
    ],
  },
  {
    listed: null,
    name: 'everywhere-but-one',
    defect: '`everywhere` is told when all regions but one have committed.',
    breaks: 'I7',
    profile: 'mixed',
    edits: [
      {
        module: 'engine/gateway/ledger-feed',
        text: 'everywhere: wholeLog({ needed: regions.length, domains }, tally)',
        becomes: 'everywhere: wholeLog({ needed: regions.length - 1, domains }, tally)',
      },
    ],
  },
  {
    listed: null,
    name: 'former-life-counts',
    defect: 'The life of a store that was heard of last is taken for its present one.',
    breaks: 'I12',
    profile: 'mixed',
    edits: [
      {
        module: LEDGER,
        text: 'return isFormer ? line : newLine(watermark);',
        becomes: 'return newLine(watermark);',
      },
    ],
  },
  {
    listed: 'B1',
    name: 'numbers-used-again',
    defect:
      'The client numbers its batches for the brokers, gives the number of a failed batch to the next one, and is kept.',
    breaks: 'I7',
    profile: 'log',
    edits: [
      {
        module: 'testing/cluster/simulated-cluster',
        text: 'this.log = memoryLog(world, {',
        becomes: "this.log = memoryLog(world, {\n            clientDefect: 'reuses-sequences',",
      },
      {
        module: PUBLISHER,
        text: 'await this.closeWriter();\n                mayStand',
        becomes: 'mayStand',
      },
    ],
  },
  {
    listed: 'B4',
    name: 'late-told-as-failed',
    defect: 'A write that the log did not answer in time is told as refused.',
    breaks: 'I9',
    profile: 'log',
    edits: [
      {
        module: WRITES,
        text: "if (published.kind === 'failed')",
        becomes: "if (published.kind !== 'logged')",
      },
    ],
  },
  {
    listed: null,
    name: 'earlier-attempt-forgotten',
    defect: 'A refusal is told although an earlier attempt of the write may stand in the log.',
    breaks: 'I9',
    profile: 'stream',
    edits: [{ module: WRITES, text: 'if (mayStand && !end.definite)', becomes: 'if (false)' }],
  },
  {
    listed: null,
    name: 'numbered-anew',
    defect: 'A batch that is sent again takes new numbers.',
    breaks: 'I8',
    profile: 'log',
    edits: [
      {
        module: PUBLISHER,
        text: 'const records = batch.map(({ record }) => record);',
        becomes: 'let records = batch.map(({ record }) => record);',
      },
      {
        module: PUBLISHER,
        text: 'await clock.sleep(pauseMs).done;',
        becomes: `await clock.sleep(pauseMs).done;
                batch = batch.map(({ queued }) => this.number(queued));
                records = batch.map(({ record }) => record);`,
      },
    ],
  },
  {
    listed: 'B9',
    name: 'unknown-forward-repeated',
    defect: 'A forwarded write without a key is sent again when its answer was lost.',
    breaks: 'I8',
    profile: 'stream',
    edits: [
      {
        module: WRITES,
        text: "if (error.disposition === 'unknown')",
        becomes:
          "if (error.disposition === 'unknown') return { kind: 'again' };\n            if (error.disposition === 'unknown')",
      },
    ],
  },
  {
    listed: null,
    name: 'never-without-asking-the-log',
    defect:
      'A key that the store does not know after its deadline is told to be never, and the log is not asked.',
    breaks: 'I9',
    profile: 'mixed',
    edits: [
      {
        module: RECEIPTS,
        text: 'const end = await this.publishers.appendControl(dataset, shard, body, call.caller, untilMs);',
        becomes: "const end = { kind: 'folded' };",
      },
    ],
  },
  {
    listed: 24,
    name: 'strong-read-without-barrier',
    defect: 'A strong read is answered from the local store as it is.',
    breaks: 'strong-read-stale',
    profile: 'mixed',
    edits: [
      {
        module: 'engine/gateway/rows',
        text: 'return this.awaitBarrier(dataset, shard, caller, untilMs);',
        becomes: 'return NO_FLOOR;',
      },
    ],
  },
  {
    listed: null,
    name: 'token-ignored',
    defect: 'A read with a token is answered from the local store as it is.',
    breaks: 'session-read-stale',
    profile: 'mixed',
    edits: [
      {
        module: 'engine/gateway/rows',
        text: 'return this.awaitToken(shard, token, untilMs);',
        becomes: 'return NO_FLOOR;',
      },
    ],
  },
];
