/** What is served at `/openapi.json` is valid OpenAPI 3.1, every reference in it leads somewhere, and every schema is one. */
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { OPENAPI_TEXT } from './openapi.js';

interface Document {
  readonly info: { title?: string };
  readonly components: { readonly schemas: { [name: string]: { [keyword: string]: unknown } } };
}
const copy = (): Document => JSON.parse(OPENAPI_TEXT) as Document;

async function findingsOf(document: Document): Promise<string> {
  const { valid, errors } = await new Validator().validate(document as unknown as Record<string, unknown>);
  return valid ? '' : JSON.stringify(errors);
}

/** Every schema, by where it stands: the components and those written in place. */
function schemasIn(value: unknown, place = ''): readonly (readonly [place: string, schema: object])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const here = `${place}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const isSchema = name === 'schema' || place === '/components/schemas';
    return isSchema ? [[here, inner as object] as const] : schemasIn(inner, here);
  });
}

/** @throws Error that names the first keyword or reference that no schema can have. */
function compileSchemas(document: Document): number {
  const ajv = new Ajv2020({
    // What refers to a schema and adds to it need not say its type again.
    strictTypes: false,
    formats: { 'date-time': true },
  })
    .addVocabulary(Object.keys(document))
    .addSchema(document, 'document');
  const schemas = schemasIn(document);
  for (const [place] of schemas) ajv.compile({ $ref: `document#${encodeURI(place)}` });
  return schemas.length;
}

describe('the description of the calls', () => {
  test('is valid', async () => {
    expect(await findingsOf(copy())).toBe('');
  });

  test('would not be without a title, or with a reference to nothing', async () => {
    const untitled = copy();
    delete untitled.info.title;
    expect(await findingsOf(untitled)).toContain('title');
    const torn = copy();
    delete torn.components.schemas['Receipt'];
    expect(await findingsOf(torn)).toContain('#/components/schemas/Receipt');
  });

  test('holds schemas of JSON Schema 2020-12 only', () => {
    expect(compileSchemas(copy())).toBeGreaterThan(Object.keys(copy().components.schemas).length);
  });

  test('would not with a keyword that does not exist, or one that is used wrongly', () => {
    const misspelt = copy();
    misspelt.components.schemas['Receipt']!['propertys'] = {};
    expect(() => compileSchemas(misspelt)).toThrow(/propertys/);
    const misused = copy();
    misused.components.schemas['Receipt']!['required'] = 'id';
    expect(() => compileSchemas(misused)).toThrow(/required/);
  });
});
