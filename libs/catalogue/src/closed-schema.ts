/**
 * Reads a JSON Schema file into the closed subset that protocol checks: object, string with length or `date-time`,
 * bounded integer, number, boolean. Everything else is refused here, because whatever passes a schema must be storable
 * in Postgres and mean the same in every region. Annotations for readers (`title`, `description`, ...) are dropped, so
 * they change no hash; `describedSchema` keeps two of them beside the configuration, for people.
 */
import type { Schema } from '@lockstep/protocol';
import type { FindingList, SettingPath } from './finding.js';
import type { PositionedDocument } from './positioned-document.js';
import { nearestOrKnown, nearestWord } from './suggestion.js';

export type ObjectSchema = Extract<Schema, { readonly type: 'object' }>;

/** A schema with what its file says to readers: nothing decides by it. */
export type DescribedSchema = { readonly title?: string; readonly description?: string } & (
  | Exclude<Schema, ObjectSchema>
  | (Omit<ObjectSchema, 'properties'> & {
      readonly properties: { readonly [name: string]: DescribedSchema };
    })
);

/** Objects inside objects; the whole entry may have 32 levels, of which events take three. */
const DEPTH_MAX = 16;
/** More characters than the largest entry has bytes could never pass. */
const LENGTH_MAX = 512 * 1024;
const PROPERTIES_MAX = 200;
const ENUM_MAX = 200;

const KEYWORDS = {
  object: ['type', 'required', 'properties', 'additionalProperties'],
  string: ['type', 'minLength', 'maxLength', 'enum', 'format'],
  integer: ['type', 'minimum', 'maximum'],
  number: ['type', 'minimum', 'maximum'],
  boolean: ['type'],
} as const;
const TYPES = Object.keys(KEYWORDS) as readonly (keyof typeof KEYWORDS)[];
const ANNOTATIONS: readonly string[] = ['$schema', '$id', '$comment', 'title', 'description', 'examples'];

type Keywords = { readonly [keyword: string]: unknown };

/** The schema of an event's data, which is always an object; null after findings. */
export function readEventSchema(document: PositionedDocument, findings: FindingList): ObjectSchema | null {
  const schema = new SchemaReader(document, findings).read(document.value, []);
  if (schema === null || schema.type === 'object') return schema;
  findings.at(
    document,
    ['type'],
    `an event's data is an object, not a ${schema.type}`,
    'set `type` to "object"',
  );
  return null;
}

/** @param written what `schema` was read from. */
export function describedSchema(schema: Schema, written: unknown): DescribedSchema {
  const { title, description, properties } = written as Keywords;
  const notes = {
    ...(typeof title === 'string' ? { title } : {}),
    ...(typeof description === 'string' ? { description } : {}),
  };
  if (schema.type !== 'object') return { ...notes, ...schema };
  const described = Object.entries(schema.properties).map(([name, inner]) => [
    name,
    describedSchema(inner, (properties as Keywords)[name]),
  ]);
  return { ...notes, ...schema, properties: Object.fromEntries(described) };
}

class SchemaReader {
  constructor(
    private readonly document: PositionedDocument,
    private readonly findings: FindingList,
  ) {}

  /** Null after a finding. */
  read(value: unknown, path: SettingPath): Schema | null {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.refuse(path, 'a schema is an object', 'write for example {"type": "boolean"}');
    }
    if (path.length > DEPTH_MAX * 2) {
      return this.refuse(path, `more than ${DEPTH_MAX} objects inside each other`, 'make the data flatter');
    }
    const keywords = value as Keywords;
    const type = TYPES.find((known) => known === keywords['type']);
    if (type === undefined) return this.refuseType(keywords, path);
    const before = this.findings.count;
    this.refuseUnknownKeywords(keywords, KEYWORDS[type], path);
    const schema = this.readType(type, keywords, path);
    return this.findings.count > before ? null : schema;
  }

  private readType(type: keyof typeof KEYWORDS, keywords: Keywords, path: SettingPath): Schema | null {
    switch (type) {
      case 'object':
        return this.readObject(keywords, path);
      case 'string':
        return this.readString(keywords, path);
      case 'integer':
        return this.readInteger(keywords, path);
      case 'number':
        return this.readNumber(keywords, path);
      case 'boolean':
        return { type };
    }
  }

  private readObject(keywords: Keywords, path: SettingPath): Schema | null {
    if (keywords['additionalProperties'] !== false) {
      this.refuse(
        [...path, 'additionalProperties'],
        'an object must say that it has no other properties',
        'add "additionalProperties": false',
      );
    }
    const declared = keywords['properties'];
    if (typeof declared !== 'object' || declared === null || Array.isArray(declared)) {
      return this.refuse(
        [...path, 'properties'],
        'an object must list its properties',
        'add "properties": {}',
      );
    }
    const names = Object.keys(declared);
    if (names.length > PROPERTIES_MAX) {
      this.refuse([...path, 'properties'], `more than ${PROPERTIES_MAX} properties`, 'split the event');
    }
    const properties: { [name: string]: Schema } = {};
    for (const name of names) {
      const inner = [...path, 'properties', name];
      if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) {
        this.refuse(
          inner,
          `\`${name}\` is not a property name`,
          'use up to 63 letters, digits and `_`, no digit first',
        );
        continue;
      }
      const schema = this.read((declared as Keywords)[name], inner);
      if (schema !== null) properties[name] = schema;
    }
    return {
      type: 'object',
      required: this.readRequired(keywords, names, path),
      properties,
      additionalProperties: false,
    };
  }

  private readRequired(keywords: Keywords, names: readonly string[], path: SettingPath): readonly string[] {
    const required = keywords['required'] ?? [];
    if (!Array.isArray(required)) {
      this.refuse(
        [...path, 'required'],
        '`required` is a list of properties',
        'write for example ["amount"]',
      );
      return [];
    }
    required.forEach((name: unknown, index) => {
      const place = [...path, 'required', index];
      if (typeof name !== 'string' || !names.includes(name)) {
        this.refuse(
          place,
          `the required property \`${String(name)}\` is not declared`,
          nearestOrKnown(String(name), names),
        );
      } else if (required.indexOf(name) < index) {
        this.refuse(place, `\`${name}\` is required twice`, 'name it once');
      }
    });
    return required as readonly string[];
  }

  private readString(keywords: Keywords, path: SettingPath): Schema | null {
    if (keywords['format'] !== undefined) {
      if (keywords['format'] !== 'date-time') {
        return this.refuse(
          [...path, 'format'],
          `the format ${JSON.stringify(keywords['format'])} is outside the closed subset`,
          'use "date-time", or "maxLength" instead of a format',
        );
      }
      for (const other of ['minLength', 'maxLength', 'enum']) {
        if (keywords[other] === undefined) continue;
        this.refuse([...path, other], `a date-time has no \`${other}\``, `remove \`${other}\``);
      }
      return { type: 'string', format: 'date-time' };
    }
    const { minLength, maxLength, enum: allowed } = keywords;
    if (maxLength === undefined) {
      return this.refuse(path, 'a string needs `maxLength`', 'add for example "maxLength": 200');
    }
    if (!isCount(maxLength)) {
      const sentence = `set it to a whole number from 0 to ${LENGTH_MAX}`;
      return this.refuse([...path, 'maxLength'], '`maxLength` is not a usable length', sentence);
    }
    if (minLength !== undefined && (!isCount(minLength) || minLength > maxLength)) {
      const sentence = `set it to a whole number from 0 to ${maxLength}`;
      return this.refuse([...path, 'minLength'], '`minLength` is not a length up to `maxLength`', sentence);
    }
    const values =
      allowed === undefined
        ? undefined
        : this.readEnum(allowed, minLength ?? 0, maxLength, [...path, 'enum']);
    return {
      type: 'string',
      ...(minLength === undefined ? {} : { minLength }),
      maxLength,
      ...(values === undefined ? {} : { enum: values }),
    };
  }

  private readEnum(
    allowed: unknown,
    lengthMin: number,
    lengthMax: number,
    path: SettingPath,
  ): readonly string[] {
    if (!Array.isArray(allowed) || allowed.length === 0 || allowed.length > ENUM_MAX) {
      this.refuse(path, `\`enum\` is not a list of 1 to ${ENUM_MAX} strings`, 'list the allowed strings');
      return [];
    }
    allowed.forEach((value: unknown, index) => {
      const place = [...path, index];
      if (typeof value !== 'string') {
        this.refuse(place, '`enum` holds a value that is not a string', 'write it as a string');
      } else if (value.includes('\u0000') || !value.isWellFormed()) {
        this.refuse(
          place,
          '`enum` holds a string that Postgres cannot store',
          'remove NUL and lone surrogates',
        );
      } else if ([...value].length < lengthMin || [...value].length > lengthMax) {
        this.refuse(
          place,
          `\`${value}\` is outside \`minLength\` and \`maxLength\``,
          'widen the lengths or remove it',
        );
      } else if (allowed.indexOf(value) < index) {
        this.refuse(place, `\`${value}\` stands twice in \`enum\``, 'name it once');
      }
    });
    return allowed as readonly string[];
  }

  private readInteger(keywords: Keywords, path: SettingPath): Schema | null {
    const bounds: number[] = [];
    for (const keyword of ['minimum', 'maximum']) {
      const bound = keywords[keyword];
      if (bound === undefined) {
        this.refuse(path, `an integer needs \`${keyword}\``, `add "${keyword}", within ±9007199254740991`);
      } else if (!Number.isSafeInteger(bound)) {
        this.refuse(
          [...path, keyword],
          `\`${keyword}\` is not a whole number within ±(2^53 - 1)`,
          'use a bound between -9007199254740991 and 9007199254740991',
        );
      } else {
        bounds.push(bound as number);
      }
    }
    const [minimum, maximum] = bounds;
    if (minimum === undefined || maximum === undefined) return null;
    if (minimum > maximum) return this.refuseCrossed(path);
    return { type: 'integer', minimum, maximum };
  }

  private readNumber(keywords: Keywords, path: SettingPath): Schema | null {
    const { minimum, maximum } = keywords;
    for (const [keyword, bound] of Object.entries({ minimum, maximum })) {
      if (bound === undefined || (typeof bound === 'number' && Number.isFinite(bound))) continue;
      this.refuse(
        [...path, keyword],
        `\`${keyword}\` is not a number that is kept exactly`,
        'use a smaller number',
      );
    }
    const bounds = {
      ...(typeof minimum === 'number' ? { minimum } : {}),
      ...(typeof maximum === 'number' ? { maximum } : {}),
    };
    if (bounds.minimum !== undefined && bounds.maximum !== undefined && bounds.minimum > bounds.maximum) {
      return this.refuseCrossed(path);
    }
    return { type: 'number', ...bounds };
  }

  private refuseUnknownKeywords(keywords: Keywords, known: readonly string[], path: SettingPath): void {
    for (const keyword of Object.keys(keywords)) {
      if (known.includes(keyword) || ANNOTATIONS.includes(keyword)) continue;
      const near = nearestWord(keyword, known);
      this.refuse(
        [...path, keyword],
        `\`${keyword}\` is outside the closed subset of JSON Schema for ${String(keywords['type'])}`,
        near === null ? `remove it; known here: ${known.join(', ')}` : `write \`${near}\``,
      );
    }
  }

  private refuseType(keywords: Keywords, path: SettingPath): null {
    const known = TYPES.join(', ');
    const { type } = keywords;
    if (type === undefined) return this.refuse(path, 'a schema needs `type`', `add "type", one of ${known}`);
    const next = typeof type === 'string' ? nearestOrKnown(type, TYPES) : `use one of ${known}`;
    return this.refuse(
      [...path, 'type'],
      `the type ${JSON.stringify(type)} is outside the closed subset`,
      next,
    );
  }

  private refuseCrossed(path: SettingPath): null {
    return this.refuse([...path, 'minimum'], '`minimum` is above `maximum`', 'swap or correct them');
  }

  private refuse(path: SettingPath, reason: string, nextStep: string): null {
    this.findings.at(this.document, path, reason, nextStep);
    return null;
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LENGTH_MAX;
