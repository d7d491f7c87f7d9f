/** A dataset's content made executable, and the table that it projects to. */
import { loadReducer } from '@lockstep/catalogue';
import type { ProjectedTable } from '@lockstep/engine';
import {
  compileConfiguration,
  type ConfigurationContent,
  type ConfigurationHash,
  type FoldConfiguration,
} from '@lockstep/protocol';

export async function compileContent(
  hash: ConfigurationHash,
  content: ConfigurationContent,
): Promise<FoldConfiguration> {
  const { projection } = content;
  return compileConfiguration(
    hash,
    content,
    projection.kind === 'aggregate' ? await loadReducer(projection.reducer) : null,
  );
}

export const tableOf = (content: ConfigurationContent): ProjectedTable => ({
  dataset: content.dataset,
  table: content.projection.table,
  columns: content.projection.columns.map(({ name, type }) => ({ name, type })),
});
