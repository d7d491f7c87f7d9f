/** What every process of a region is told in the same words, whether by its environment or by the service that it is part of. */
import { describedText, parseUrl } from './described-schema.js';

/** @param fallback null: it must be set. */
export const catalogueFolder = (fallback: string | null) =>
  describedText(
    {
      values: 'the path of a folder',
      fallback,
      meaning: 'Catalogue: topology.yaml, datasets, schemas and reducers.',
    },
    (text) => ({ value: text }),
  );

/** @param fallback null: it must be set. */
export const regionDatabase = (fallback: string | null) =>
  describedText(
    { values: 'postgres://user:password@host:port/database', fallback, meaning: "The region's database." },
    (text) => parseUrl(text, ['postgres:', 'postgresql:']),
  );

export const spanCollector = (fallback: string, meaning: string) =>
  describedText(
    {
      values: 'the base URL of an OTLP/HTTP collector, for example http://127.0.0.1:4318',
      fallback,
      meaning,
    },
    (text) => parseUrl(text, ['http:', 'https:']),
  );
