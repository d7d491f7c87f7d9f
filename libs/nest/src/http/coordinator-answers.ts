/** The coordinator of the engine behind the operator's routes, as far as they exist. */
import type { ChangedShard, Coordinator } from '@lockstep/engine';
import { answerJson, answerProblem, problem, readRuleRequest } from '@lockstep/protocol';
import type { CoordinatorApi } from './coordinator-api.js';
import { PRINCIPAL } from './principal.js';

export function coordinatorApi(coordinator: Coordinator): CoordinatorApi {
  return {
    cluster: () => Promise.resolve(answerJson(200, coordinator.describe())),
    // No decision is taken yet: the control log begins with elections.
    decisions: () => Promise.resolve(answerJson(200, { decisions: [] })),
    history: () => Promise.resolve(answerJson(200, { history: [] })),
    changeRule: async (dataset, body) => {
      const read = readRuleRequest(body);
      if (read.kind === 'refused') return answerProblem(read.problem);
      const change = await coordinator.changeRule(dataset, read.value, PRINCIPAL);
      if (change === null)
        return answerProblem(problem('unknown-dataset', `there is no dataset "${dataset.slice(0, 64)}"`));
      if (change.kind === 'refused') return answerProblem(change.problem);
      const isDone = change.shards.every(({ state }) => state === 'in-force');
      return answerJson(isDone ? 200 : 202, { dataset, shards: change.shards.map(describeChange) });
    },
  };
}

function describeChange({ detail, rule, shard, state }: ChangedShard): object {
  return {
    shard,
    state,
    ...(detail === null ? {} : { detail }),
    rule: rule === null ? null : { text: rule.text, from: Number(rule.from), withdrawn: rule.withdrawn },
  };
}
