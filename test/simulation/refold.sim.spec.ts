/**
 * The log of a harassed cluster, folded once more as a whole, has the hashes that every region's cursors have (I3, I11):
 * batches, restarts, lost commits and copies leave no trace in what is folded.
 */
import { expect, test } from '@jest/globals';
import { parseShardName, topicOf, hashToHex, type Cursor } from '@lockstep/protocol';
import { shardsOf } from '@lockstep/engine';
import { Refold } from '@lockstep/testing/history';
import { harass, REGIONS } from './harassed-cluster.js';
import { sampleDatasets } from './sample-datasets.js';

test.each([31, 32, 33])('seed %i: the whole log folded again has every region’s hashes', async (seed) => {
  const { made } = await harass(seed);
  const datasets = await sampleDatasets();
  const shards = [...datasets].flatMap(([name, { partitions }]) => shardsOf(name, partitions));
  const known = [...datasets.values()].map(({ configuration }) => configuration);
  const refold = new Refold(
    (hash) => known.find((configuration) => configuration.hash === hash) ?? null,
    () => true,
  );
  for (const shard of shards) {
    const { dataset, partition } = parseShardName(shard)!;
    refold.take(shard, made.log.records(topicOf(dataset), partition));
  }
  const log = refold.finish();
  for (const region of REGIONS) {
    let cursors: readonly Cursor[] = [];
    void made
      .region(region)
      .query.cursors(shards)
      .then((found) => (cursors = found));
    await made.options.world.runUntil(() => cursors.length > 0, 10_000);
    for (const { shard, sequence, inputHash, effectsHash } of cursors) {
      const expected = { sequence, inputHash: hashToHex(inputHash), effectsHash: hashToHex(effectsHash) };
      expect({ shard, ...log.shards.get(shard) }).toMatchObject({ shard, ...expected });
    }
  }
  expect(log.audit.found.all()).toEqual([]);
  const verdicts = new Set(log.entries.map(({ verdict }) => verdict));
  expect(verdicts.size).toBeGreaterThan(2);
  expect(log.entries.filter(({ verdict }) => verdict === 'accepted').length).toBeGreaterThan(10);
});
