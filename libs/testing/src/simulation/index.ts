/** The door of @lockstep/testing/simulation: seeds, their profiles and what became of them. Free of the test framework. */
export { FAULTS, faultKinds, faultText } from './fault.js';
export type { Fault, FaultKind } from './fault.js';
export { drawProfile, PROFILE_NAMES, profileText } from './profile.js';
export type { Profile, ProfileName } from './profile.js';
export { judgeCluster, shardsIn } from './judge-cluster.js';
export type { ClusterRun } from './judge-cluster.js';
export { Load, RUN } from './load.js';
export { drawNoise, runNoise } from './noise.js';
export type { Episode, NoiseResult } from './noise.js';
export { runSeed } from './run-seed.js';
export type { SeedResult } from './run-seed.js';
export { STEP_NAMES, STEPS } from '../world/step.js';
export type { Step } from '../world/step.js';
export { shrink } from './shrink.js';
export type { Violation } from './violation.js';
