/** The door of @lockstep/testing/workload: what is asked of a cluster, and what its answers mean. Free of the test framework. */
export { Chance } from '../world/chance.js';
export { endedUnanswered, judgeAnswer, judgeBatchAnswer } from './answer.js';
export type { Ending, HeardAnswer } from './answer.js';
export { batchBody, writeBody, type Call, type Operation } from './operation.js';
export { judgeReadAnswer, readPath, Reads, readUnanswered } from './reads.js';
export type { ReadEnding, ReadQuestion } from './reads.js';
export { Session } from './session.js';
export { runName, Workload, type WorkloadAmount, type WorkloadOptions } from './workload.js';
