/** Liveness by progress, and readiness; answered at once from what is known. */
import type { HttpAnswer } from './http-answer.js';

export interface HealthApi {
  health(): HttpAnswer;
  ready(): HttpAnswer;
}
