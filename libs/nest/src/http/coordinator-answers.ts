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
  type ShardName,
} from '@lockstep/protocol';
import type { CoordinatorApi } from './coordinator-api.js';
import type { HttpAnswer } from './http-answer.js';
import type { CallLeader } from './leader-call.js';
import { PRINCIPAL } from './principal.js';

/** @param callLeader asks the coordinator of another region, which leads, the same. */
export function coordinatorApi(coordinator: Coordinator, callLeader: CallLeader): CoordinatorApi {
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
      answerJson(200, { ...coordinator.describe(), failovers: operator.describeForecasts() }),
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
  };
}

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
