/** A process that runs one profile after the other and answers what became of each, without its trace. */
import { runSeed, type Profile, type SeedResult } from '@lockstep/testing/simulation';
import { sampleDatasets } from './sample-datasets.ts';

export type SeedSummary = Omit<SeedResult, 'trace'>;

const sample = await sampleDatasets();

const tell = (what: unknown): void => {
  if (process.connected) process.send!(what);
};

process.on('message', (profile: Profile) => {
  void runSeed(profile, sample).then(({ trace: _trace, ...summary }) => tell(summary));
});
process.on('disconnect', () => process.exit());
// The terminal's Ctrl-C is the parent's to answer.
process.on('SIGINT', () => undefined);
tell('ready');
