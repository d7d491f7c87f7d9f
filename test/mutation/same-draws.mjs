/** A counterexample is enough to kill a mutant: no search for a smaller one, and the same draws in every run. */
import fc from 'fast-check';

fc.configureGlobal({ endOnFailure: true, seed: 20_261 });
