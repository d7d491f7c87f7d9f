/** Planted in what must go on while a region or every coordinator is away, in what a gateway owes to who waits, and in drills. */
import type { PlantedBug } from './planted-bug.ts';

const WRITES = 'engine/gateway/writes';
const OPERATOR_CALLS = 'engine/control/operator-calls';
const TAKES_A_WRITE = 'await this.held.pass(shard, attempt.untilMs);';

export const BUGS_WHEN_AWAY: readonly PlantedBug[] = [
  {
    listed: null,
    name: 'failure-noticed-late',
    defect: 'Canaries that nobody answers are borne for twelve seconds.',
    breaks: 'failover-slow',
    profile: 'outage',
    edits: [{ module: 'protocol/failover/evidence', text: 'canaryMs: 800,', becomes: 'canaryMs: 12_000,' }],
  },
  {
    listed: null,
    name: 'failover-by-all',
    defect: 'A region is failed over when every member finds it unfit, itself included.',
    breaks: 'I20',
    profile: 'outage',
    edits: [
      {
        module: 'protocol/failover/agreement',
        text: 'Math.floor(((configuration?.members.length ?? 0) - 1) / 2) + 1',
        becomes: '(configuration?.members.length ?? 0)',
      },
    ],
  },
  {
    listed: null,
    name: 'writes-need-every-region',
    defect: 'A gateway takes no write while it does not hear all regions.',
    breaks: 'I20',
    profile: 'mixed',
    needs: ({ outage }) => outage !== null,
    edits: [
      {
        module: WRITES,
        text: TAKES_A_WRITE,
        becomes: `${TAKES_A_WRITE}
        if (feed.connected().size < this.options.regions.length)
            return refusal(problem('not-ready', 'a region is away'));`,
      },
    ],
  },
  {
    listed: null,
    name: 'writes-need-a-leader',
    defect: 'A gateway takes no write while the control log has had no entry for three seconds.',
    breaks: 'stopped-without-coordinators',
    profile: 'mixed',
    needs: ({ leaderlessMs }) => leaderlessMs !== null,
    edits: [
      {
        module: WRITES,
        text: TAKES_A_WRITE,
        becomes: `${TAKES_A_WRITE}
        if ((this.options.control.state()?.logTimeMs ?? 0) < this.options.clock.nowMs() - 3_000)
            return refusal(problem('not-ready', 'nobody leads'));`,
      },
    ],
  },
  {
    listed: null,
    name: 'wait-without-end',
    defect:
      'A gateway that was not told whether the log took a write waits for its verdict as long as it takes.',
    breaks: 'wait-unresolved',
    profile: 'log',
    edits: [
      {
        module: WRITES,
        text: `if (published.kind !== 'logged' || key === null) {
            await waitAtMost(verdict, clock, untilMs - clock.monotonicMs());`,
        becomes: `if (published.kind !== 'logged' || key === null) {
            await verdict.opened();`,
      },
    ],
  },
  {
    listed: null,
    name: 'dry-run-decides',
    defect: 'A dry run of a move is decided as well.',
    breaks: 'drill-acted',
    profile: 'mixed',
    needs: ({ moves }) => moves > 0,
    edits: [
      {
        module: OPERATOR_CALLS,
        text: `if (dryRun)
            return this.rehearse({ move: kind, shard, to, acceptLoss, actor });`,
        becomes: `if (dryRun) {
            void this.options.moves.decide({ move: kind, shard, to, reason, actor, acceptLoss });
            return this.rehearse({ move: kind, shard, to, acceptLoss, actor });
        }`,
      },
    ],
  },
  {
    listed: null,
    name: 'dry-run-allows-all',
    defect: 'A dry run tells the cost of a move and not that it is forbidden.',
    breaks: 'drill-untrue',
    profile: 'mixed',
    needs: ({ moves }) => moves > 0,
    edits: [
      {
        module: OPERATOR_CALLS,
        text: 'allowed: isAllowed,\n            checks:',
        becomes: 'allowed: true,\n            checks:',
      },
    ],
  },
];
