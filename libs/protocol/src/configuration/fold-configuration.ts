/**
 * A fold configuration made executable: content with its compiled schemas and projection.
 */
import type { EntryEvent } from '../entry/body.js';
import type { ConfigurationHash } from '../identity/identity.js';
import type { ConfigurationContent } from './content.js';
import { compileAggregate, compileRows, type AggregateProjector, type RowsProjector } from './projection.js';
import type { Reducer } from './reducer.js';
import { compileSchema, type Check } from './schema.js';

export interface FoldConfiguration {
  readonly hash: ConfigurationHash;
  readonly content: ConfigurationContent;
  readonly projector:
    | { readonly kind: 'rows'; readonly project: RowsProjector }
    | { readonly kind: 'aggregate'; readonly project: AggregateProjector };
  /** Null when type and version are known and the data fits; otherwise the reason. */
  readonly checkEvent: (event: EntryEvent) => string | null;
}

/**
 * @param reduce the aggregate's reducer, made from the content's text; null for a rows projection.
 * @throws Error when an aggregate comes without its reducer: a defect of the caller.
 */
export function compileConfiguration(
  hash: ConfigurationHash,
  content: ConfigurationContent,
  reduce: Reducer | null,
): FoldConfiguration {
  const checks = new Map<string, Map<number, Check>>();
  for (const { type, version, schema } of content.events)
    checks.set(type, (checks.get(type) ?? new Map<number, Check>()).set(version, compileSchema(schema)));
  return {
    hash,
    content,
    projector: compileProjector(content, reduce),
    checkEvent: (event) => {
      const check = checks.get(event.type)?.get(event.v);
      if (check === undefined) return `${content.dataset} has no event "${event.type}" in version ${event.v}`;
      return check(event.data, 'data');
    },
  };
}

function compileProjector(
  content: ConfigurationContent,
  reduce: Reducer | null,
): FoldConfiguration['projector'] {
  const { projection } = content;
  switch (projection.kind) {
    case 'rows':
      return { kind: 'rows', project: compileRows(projection) };
    case 'aggregate':
      if (reduce === null) throw new Error(`aggregate ${content.dataset} needs its reducer`);
      return { kind: 'aggregate', project: compileAggregate(projection.columns, reduce) };
  }
}
