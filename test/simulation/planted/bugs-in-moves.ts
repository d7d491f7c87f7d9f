/** Planted where homes move: epochs, fences, the control log, elections, and what the leader does for an open move. */
import type { PlantedBug } from './planted-bug.ts';

const CONTROL = 'protocol/control/fold-control';
const FOLD = 'protocol/fold/fold';
const LANE = 'engine/apply/lane';
const MOVE = 'protocol/promotion/decide-move';
const WRITES = 'engine/gateway/writes';

export const BUGS_IN_MOVES: readonly PlantedBug[] = [
  {
    listed: 8,
    name: 'epoch-unchecked-in-one-region',
    defect: 'One region folds entries of every epoch as if they were of the present one.',
    breaks: 'I3',
    profile: 'mixed',
    edits: [
      {
        module: LANE,
        text: 'foldEntries(fold, entries);',
        becomes: `foldEntries(fold, this.options.region !== 'us' ? entries : entries.map((entry) => entry.kind !== 'data' ? entry : {
          ...entry,
          header: Object.defineProperty({ ...entry.header }, 'epoch', { get: () => fold.cursor.epoch }),
        }));`,
      },
    ],
  },
  {
    listed: null,
    name: 'epoch-unchecked',
    defect: 'Late writes of a former home are judged like those of the owner, in every region.',
    breaks: 'I6',
    profile: 'mixed',
    edits: [
      { module: FOLD, text: 'if (header.epoch < this.cursor.epoch)', becomes: 'if (false)' },
      {
        module: FOLD,
        text: "content.writers !== 'any' && header.region !== this.cursor.home",
        becomes:
          "content.writers !== 'any' && header.epoch === this.cursor.epoch && header.region !== this.cursor.home",
      },
    ],
  },
  {
    listed: 9,
    name: 'epoch-stamped-anew',
    defect: 'A batch that is sent again takes the epoch of the moment.',
    breaks: 'I6',
    profile: 'mixed',
    heldBy: 'the numbers of a session: whichever copy stands first is judged, and all others are copies',
    edits: [
      {
        module: WRITES,
        text: 'configuration: dataset.configuration.hash,\n                epoch: known,',
        becomes:
          'configuration: dataset.configuration.hash,\n                get epoch() { return feed.own(shard).epoch; },',
      },
      {
        module: 'engine/publish/shard-publisher',
        text: 'import { encodeHeader,',
        becomes: 'import { decodeHeader, encodeHeader,',
      },
      {
        module: 'engine/publish/shard-publisher',
        text: 'records,\n                    timeoutMs: ATTEMPT_TIMEOUT_MS,',
        becomes: `records: batch.map(({ queued, record }) => queued.submission.publication.kind !== 'data' ? record : {
                      ...record,
                      header: encodeHeader({
                        ...decodeHeader(record.header), epoch: queued.submission.publication.epoch,
                      }),
                    }),
                    timeoutMs: ATTEMPT_TIMEOUT_MS,`,
      },
    ],
  },
  {
    listed: 9,
    name: 'fence-stamped-anew',
    defect: 'A fence that came too late is sent again for the epoch that another one has begun meanwhile.',
    breaks: 'I19',
    profile: 'mixed',
    edits: [
      { module: MOVE, text: 'if (owner.epoch > expectedEpoch) {', becomes: 'if (owner.home === to) {' },
      {
        module: MOVE,
        text: "{ kind: 'fence', expectedEpoch, epoch: epoch(expectedEpoch + 1n), home: to }",
        becomes: "{ kind: 'fence', expectedEpoch: owner.epoch, epoch: epoch(owner.epoch + 1n), home: to }",
      },
    ],
  },
  {
    listed: 10,
    name: 'writes-open-before-the-fence-is-folded',
    defect:
      'A gateway takes writes for the next epoch as soon as it reads that its region is to be fenced in.',
    breaks: 'I13',
    profile: 'mixed',
    edits: [
      {
        module: WRITES,
        text: 'const own = feed.own(shard);\n        if (own.home === region ||',
        becomes: `const next = this.options.control.state()?.open.find((move) =>
          move.shard === shard && move.to === region && ['fencing', 'fenced'].includes(move.stage));
        const own = next === undefined || next.expectedEpoch !== feed.own(shard).epoch
          ? feed.own(shard)
          : { ...feed.own(shard), home: region, epoch: next.expectedEpoch + 1n };
        if (own.home === region ||`,
      },
    ],
  },
  {
    listed: 10,
    name: 'promoted-before-the-fence-is-folded',
    defect: 'A candidate is taken for promoted as soon as its fence stands in the log.',
    breaks: 'I13',
    profile: 'mixed',
    edits: [
      {
        module: MOVE,
        text: 'if (candidate?.epoch === expectedEpoch + 1n && candidate.home === to)',
        becomes: 'if (candidate !== null)',
      },
    ],
  },
  {
    listed: 11,
    name: 'second-fence-wins',
    defect: 'A second fence for an epoch that has begun is taken too.',
    breaks: 'I6',
    profile: 'mixed',
    edits: [
      {
        module: FOLD,
        text: 'if (body.expectedEpoch !== cursor.epoch || !isDecided',
        becomes: 'if (!isDecided',
      },
    ],
  },
  {
    listed: null,
    name: 'overtaken-fence-wins',
    defect: 'The shard does not compare by whose decision a fence came.',
    breaks: 'I5',
    profile: 'mixed',
    edits: [{ module: FOLD, text: '!isDecidedAfter(cursor, body) || expired', becomes: 'expired' }],
  },
  {
    listed: null,
    name: 'withdrawn-by-word-only',
    defect:
      'A move whose fence may be on its way is ended as cancelled without an entry that keeps the fence from winning.',
    breaks: 'I5',
    profile: 'mixed',
    edits: [{ module: MOVE, text: 'const unsettled = settled(told);', becomes: 'const unsettled = null;' }],
  },
  {
    listed: null,
    name: 'fence-before-its-stage',
    defect: 'The leader sends the fence together with the entry that says so, without reading it back.',
    breaks: 'I19',
    profile: 'mixed',
    edits: [
      {
        module: 'engine/control/moves',
        text: "case 'append':",
        becomes: `case 'append':
                if (step.command.event === 'fencing')
                  void entries.append(move.shard, { kind: 'fence', expectedEpoch: move.expectedEpoch,
                    epoch: move.expectedEpoch + 1n, home: move.to, term: move.term, decision: move.decision }, 5_000);`,
      },
    ],
  },
  {
    listed: 20,
    name: 'pause-checked-once',
    defect: 'A pause keeps moves from being decided, and those that are under way go on.',
    breaks: 'I14',
    profile: 'mixed',
    edits: [
      {
        module: CONTROL,
        text: "advanced(next, move, 'pause', detail) ?? next, state);",
        becomes: 'next, state);',
      },
    ],
  },
  {
    listed: null,
    name: 'pause-confirmed-at-once',
    defect: 'A pause is confirmed although the fence of a move in its scope is on its way.',
    breaks: 'I14',
    profile: 'mixed',
    needs: ({ moves }) => moves > 0,
    edits: [
      { module: CONTROL, text: 'if (unsettledUnder(state, pause).length > 0)', becomes: 'if (false)' },
      {
        module: 'protocol/promotion/pause',
        text: 'pause.confirmedAt === null && unsettledUnder(state, pause).length === 0',
        becomes: 'pause.confirmedAt === null',
      },
    ],
  },
  {
    listed: null,
    name: 'former-leader-obeyed',
    defect: 'Commands count of whoever gives them, whether it leads its term or not.',
    breaks: 'two-leaders',
    profile: 'mixed',
    edits: [{ module: CONTROL, text: 'if (isLeaders(command)) {', becomes: 'if (false) {' }],
  },
  {
    listed: null,
    name: 'one-silent-member-is-enough',
    defect: 'A leader is followed as soon as one member has not heard it.',
    breaks: 'claim-unfounded',
    profile: 'network',
    edits: [
      {
        module: 'protocol/election/election',
        text: 'silent.length >= majorityOf(members)',
        becomes: 'silent.length >= 1',
      },
    ],
  },
  {
    listed: 19,
    name: 'candidate-taken-as-it-is',
    defect: 'A region may take a shard whatever it was last heard to be: behind, halted, withheld or gone.',
    breaks: 'I14',
    profile: 'mixed',
    edits: [
      {
        module: 'protocol/promotion/preflight',
        text: 'const obstacle = obstacleOf(candidate);',
        becomes: 'const obstacle = null;',
      },
      {
        module: 'protocol/promotion/preflight',
        text: 'lag !== null && lag <= lagRecordsMax',
        becomes: 'true',
      },
    ],
  },
  {
    listed: null,
    name: 'one-observer-is-enough',
    defect: 'A region is failed over as soon as one other finds it unfit.',
    breaks: 'I14',
    profile: 'network',
    edits: [
      {
        module: 'protocol/failover/agreement',
        text: 'const OBSERVERS_MIN = 2;',
        becomes: 'const OBSERVERS_MIN = 1;',
      },
      {
        module: 'protocol/failover/agreement',
        text: 'Math.floor(((configuration?.members.length ?? 0) - 1) / 2) + 1',
        becomes: '1',
      },
    ],
  },
  {
    listed: 21,
    name: 'cool-down-forgotten',
    defect: 'Failovers that were decided before are not remembered.',
    breaks: 'I14',
    profile: 'mixed',
    needs: ({ failover, moves }) => failover === 'automatic' && moves > 0,
    edits: [
      {
        module: 'protocol/failover/govern',
        text: 'last?.atMs ?? null',
        becomes: 'null',
      },
      {
        module: 'protocol/failover/govern',
        text: 'unseen.filter(({ atMs }) => state.logTimeMs - atMs < windowMs).length',
        becomes: '0',
      },
    ],
  },
  {
    listed: null,
    name: 'writes-not-held',
    defect: 'Gateways hold no writes while their shard is handed over.',
    breaks: 'I6',
    profile: 'mixed',
    heldBy:
      'the fence: what the former home appends too late takes no effect, and is appended again by the next one',
    edits: [
      {
        module: 'engine/gateway/held-shards',
        text: 'if (this.options.clock.monotonicMs() >= giveUpAtMs)',
        becomes: 'if (true)',
      },
    ],
  },
];
