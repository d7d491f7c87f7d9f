/** The sample catalogue, compiled for a simulated or in-memory cluster. */
import { join } from 'node:path';
import { loadCatalogue, loadReducer } from '@lockstep/catalogue';
import type { GatewayDataset } from '@lockstep/engine';
import { compileConfiguration, partitionCount, type DatasetName } from '@lockstep/protocol';

export const SAMPLE_CATALOGUE = join(import.meta.dirname, '../../infra/catalogue/sample');

export async function sampleDatasets(): Promise<ReadonlyMap<DatasetName, GatewayDataset>> {
  const result = await loadCatalogue(SAMPLE_CATALOGUE);
  if (result.kind === 'invalid') throw new Error('the sample catalogue is invalid');
  const datasets = new Map<DatasetName, GatewayDataset>();
  for (const [name, { content, hash, openFirst }] of result.catalogue.datasets) {
    const { projection } = content;
    const reduce = projection.kind === 'aggregate' ? await loadReducer(projection.reducer) : null;
    datasets.set(name, {
      configuration: compileConfiguration(hash, content, reduce),
      table: { dataset: name, table: projection.table, columns: projection.columns },
      partitions: partitionCount(content.groups),
      openFirst,
    });
  }
  return datasets;
}
