/** The unit project of the root, with properties that end at their first counterexample and always draw the same. */
import root from '../../jest.config.mjs';

const unit = root.projects.find((project) => project.displayName === 'unit');

// `testMatch` is added by run.mjs, part by part.
export default { ...unit, setupFiles: ['<rootDir>/test/mutation/same-draws.mjs'] };
