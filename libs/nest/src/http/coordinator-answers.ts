/** The coordinator of the engine behind the operator's routes, as far as they exist. */
import type { Coordinator } from '@lockstep/engine';
import { answerJson } from '@lockstep/protocol';
import type { CoordinatorApi } from './coordinator-api.js';

export function coordinatorApi(coordinator: Coordinator): CoordinatorApi {
  return {
    cluster: () => Promise.resolve(answerJson(200, coordinator.describe())),
    // No decision is taken yet: the control log begins with elections.
    decisions: () => Promise.resolve(answerJson(200, { decisions: [] })),
    history: () => Promise.resolve(answerJson(200, { history: [] })),
  };
}
