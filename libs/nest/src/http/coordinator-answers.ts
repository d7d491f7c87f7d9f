/** The coordinator of the engine behind the operator's routes: requests are read, then judged, then told as JSON. */
import type { ChangedShard, Coordinator } from '@lockstep/engine';
import {
  answerJson,
  answerProblem,
  isRegionName,
  parseShardName,
  problem,
  readApproveRequest,
  readReasonRequest,
  readControlPageQuery,
  readDecisionNumber,
  readDecisionsQuery,
  readEvacuateRequest,
  readMoveRequest,
  readPauseRequest,
  readPreflightQuery,
  readResumeRequest,
  readRuleRequest,
  type Answer,
  type Read,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { CanaryRecord } from '../role/canary-record.js';
import type { RuleRecord } from '../role/rule-record.js';
import type { CoordinatorApi, RegionFact } from './coordinator-api.js';
import type { IncomingQuery } from './gateway-api.js';
import { problemAnswer, type HttpAnswer } from './http-answer.js';
import type { CallLeader } from './leader-call.js';
import { PRINCIPAL } from './principal.js';
import type { RegionRead, RegionReads } from './region-reads.js';

export interface CoordinatorSurroundings {
  /** Asks the coordinator of another region, which leads, the same. */
  readonly callLeader: CallLeader;
  readonly canaries: CanaryRecord;
  readonly ruleChanges: RuleRecord;
  readonly regionReads: RegionReads;
  readonly region: RegionName;
  /** Where people look at traces; null where nothing is known of such a place. */
  readonly tracesUrl: string | null;
}

export function coordinatorApi(
  coordinator: Coordinator,
  { callLeader, canaries, region, regionReads, ruleChanges, tracesUrl }: CoordinatorSurroundings,
): CoordinatorApi {
  const { operator } = coordinator;
  const byLeader = (
    path: string,
    body: string,
    staysHere: boolean,
    here: () => Promise<Answer>,
  ): Promise<HttpAnswer> => {
    const leader = operator.leaderElsewhere();
    return staysHere || leader === null ? here() : callLeader(leader, path, body);
  };
  return {
    cluster: async () =>
      answerJson(200, {
        ...coordinator.describe(),
        failovers: operator.describeForecasts(),
        quorums: describeQuorums(coordinator),
      }),
    changeRule: (dataset, body) =>
      answerRead(readRuleRequest(body), async (asked) => {
        const change = await coordinator.changeRule(dataset, asked, PRINCIPAL);
        if (change === null)
          return answerProblem(problem('unknown-dataset', `there is no dataset "${dataset.slice(0, 64)}"`));
        if (change.kind === 'refused') return answerProblem(change.problem);
        const isDone = change.shards.every(({ state }) => state === 'in-force');
        return answerJson(isDone ? 200 : 202, { dataset, shards: change.shards.map(describeChange) });
      }),
    move: (kind, { dataset, n }, body, isForwarded) => {
      const shard = `${dataset}/${n}`;
      if (parseShardName(shard) === null) return notFound(`there is no shard ${shard.slice(0, 64)}`);
      const path = `/v1/shards/${dataset}/${n}/${kind}`;
      return answerRead(readMoveRequest(body), (asked) =>
        byLeader(path, body, isForwarded || asked.dryRun, () =>
          operator.move(kind, shard as ShardName, asked, PRINCIPAL),
        ),
      );
    },
    approve: ({ dataset, n }, body) => {
      const shard = `${dataset}/${n}`;
      if (parseShardName(shard) === null) return notFound(`there is no shard ${shard.slice(0, 64)}`);
      return answerRead(readApproveRequest(body), (asked) =>
        operator.approve(shard as ShardName, asked, PRINCIPAL),
      );
    },
    preflight: (query) => answerRead(readPreflightQuery(query), async (asked) => operator.preflight(asked)),
    evacuate: (region, body, isForwarded) => {
      if (!isRegionName(region)) return notFound(`there is no region ${region.slice(0, 64)}`);
      const path = `/v1/regions/${region}/evacuate`;
      return answerRead(readEvacuateRequest(body), (asked) =>
        byLeader(path, body, isForwarded || asked.dryRun, () => operator.evacuate(region, asked, PRINCIPAL)),
      );
    },
    cancel: (decision, body) => {
      const number = readDecisionNumber(decision);
      if (number === null) return notFound(`there is no decision ${decision.slice(0, 64)}`);
      return answerRead(readReasonRequest(body), (reason) => operator.cancel(number, reason, PRINCIPAL));
    },
    acknowledge: (failover, body) => {
      const number = readDecisionNumber(failover);
      if (number === null) return notFound(`there is no failover ${failover.slice(0, 64)}`);
      return answerRead(readReasonRequest(body), (reason) => operator.acknowledge(number, reason, PRINCIPAL));
    },
    pause: (body) => answerRead(readPauseRequest(body), (asked) => operator.pause(asked, PRINCIPAL)),
    resume: (body) => answerRead(readResumeRequest(body), (asked) => operator.resume(asked, PRINCIPAL)),
    decisions: (query) => answerRead(readDecisionsQuery(query), async (asked) => operator.decisions(asked)),
    history: async () => operator.history(),
    records: (query) => answerRead(readControlPageQuery(query), (asked) => operator.records(asked)),
    console: async () => answerJson(200, { region, tracesUrl }),
    canaries: async (query) => {
      const sinceMs = query['since'] === undefined ? 0 : Date.parse(query['since']);
      const [strange] = strangeNames(query, ['since']);
      if (strange !== undefined || Number.isNaN(sinceMs))
        return problemAnswer('malformed', 'canaries are asked for with "since", a time, or with nothing');
      return answerJson(200, { region, ...canaries.describe(sinceMs) });
    },
    ruleChanges: async () => answerJson(200, { region, ...ruleChanges.describe() }),
    ofRegion: async (asked, { about, headers, query }) => {
      const read = regionRead(about);
      const [strange] = strangeNames(query, read.names);
      if (strange !== undefined)
        return problemAnswer('malformed', `the query names ${JSON.stringify(strange.slice(0, 64))}`);
      return regionReads.ask(asked, { role: read.role, path: read.path, query, headers });
    },
  };
}

const describeQuorums = (coordinator: Coordinator): readonly object[] =>
  coordinator.quorums().map(({ isReachable, shard, voters }) => ({ shard, voters, reachable: isReachable }));

/** The role's own call, and the names that its query may have: waiting for a receipt, or settling it, is no mere look. */
function regionRead(about: RegionFact): Pick<RegionRead, 'path' | 'role'> & { readonly names: string[] } {
  switch (about.kind) {
    case 'shards':
      return { role: 'gateway', path: '/v1/shards', names: [] };
    case 'status':
      return { role: 'gateway', path: '/v1/status', names: ['shard'] };
    case 'quarantine':
      return { role: 'gateway', path: '/v1/quarantine', names: ['dataset', 'shard', 'limit'] };
    case 'canaries':
      return { role: 'coordinator', path: '/v1/canaries', names: ['since'] };
    case 'receipt': {
      const [dataset, key] = [about.dataset, about.idempotencyKey].map(encodeURIComponent);
      return { role: 'gateway', path: `/v1/datasets/${dataset}/receipts/${key}`, names: ['shard'] };
    }
  }
}

const strangeNames = (query: IncomingQuery, names: readonly string[]): readonly string[] =>
  Object.keys(query).filter((name) => !names.includes(name));

async function answerRead<Asked>(
  read: Read<Asked>,
  answer: (asked: Asked) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  return read.kind === 'refused' ? answerProblem(read.problem) : answer(read.value);
}

const notFound = (what: string): Promise<Answer> =>
  Promise.resolve(answerProblem(problem('not-found', what)));

function describeChange({ detail, rule, shard, state }: ChangedShard): object {
  return {
    shard,
    state,
    ...(detail === null ? {} : { detail }),
    rule: rule === null ? null : { text: rule.text, from: Number(rule.from), withdrawn: rule.withdrawn },
  };
}
