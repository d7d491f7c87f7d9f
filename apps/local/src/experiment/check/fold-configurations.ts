/** The configurations that the cluster's logs may need: those of its catalogue, and those that its databases keep. */
import { describeFindings, loadCatalogue, loadReducer } from '@lockstep/catalogue';
import { compileConfiguration } from '@lockstep/protocol';
import type {
  ConfigurationContent,
  ConfigurationHash,
  Configurations,
  FoldConfiguration,
} from '@lockstep/protocol';
import { LocalError } from '../../local-error.js';

export interface DeployedDataset {
  readonly hash: ConfigurationHash;
  readonly content: ConfigurationContent;
}

/** The datasets as one region's derived catalogue has them. */
export async function deployedDatasets(catalogue: string): Promise<readonly DeployedDataset[]> {
  const result = await loadCatalogue(catalogue);
  if (result.kind === 'valid') return [...result.catalogue.datasets.values()];
  throw new LocalError(
    'invalid-catalogue',
    `The catalogue of the cluster cannot be used:\n${describeFindings(result.findings)}`,
  );
}

export async function configurationsOf(
  deployed: readonly DeployedDataset[],
  regions: Iterable<{ readonly kept: readonly DeployedDataset[] }>,
): Promise<Configurations> {
  const known = new Map<ConfigurationHash, FoldConfiguration>();
  for (const { hash, content } of [...deployed, ...[...regions].flatMap(({ kept }) => kept)]) {
    if (known.has(hash)) continue;
    const { projection } = content;
    const reducer = projection.kind === 'aggregate' ? await loadReducer(projection.reducer) : null;
    known.set(hash, compileConfiguration(hash, content, reducer));
  }
  return (hash) => known.get(hash) ?? null;
}
