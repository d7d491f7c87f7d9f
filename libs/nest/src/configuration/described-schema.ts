/**
 * Configuration that explains itself: every option of a zod schema carries what may be set, its default and a sentence,
 * so that findings and tables are written from the schema and cannot tell something else.
 *
 * Findings name the option, what is wrong and what to set; a value that may hold a secret is never repeated.
 */
import { z } from 'zod';

/** What people read of an option, in findings and in tables. */
export interface OptionMeaning {
  /** Completes "Set it to ..."; names the unit where there is one. */
  readonly values: string;
  /** Null: it must be set. */
  readonly fallback: string | null;
  readonly meaning: string;
}

export interface NamedMeaning extends OptionMeaning {
  readonly name: string;
}

export interface ConfigurationFinding {
  readonly variable: string;
  readonly wrong: string;
  readonly set: string;
}

export type Parsed<T> = { readonly value: T } | { readonly wrong: string };

/** A text that `parse` turns into a value, or finds wrong. */
export function describedText<T>(meaning: OptionMeaning, parse: (text: string) => Parsed<T>) {
  return z
    .string({ error: 'is not set' })
    .transform((text, context): T => {
      const parsed = parse(text);
      if ('value' in parsed) return parsed.value;
      context.addIssue({ code: 'custom', message: parsed.wrong });
      return z.NEVER;
    })
    .meta({ ...meaning });
}

/** One such text, or several in their order: at most `max`, each once. */
export function describedTexts<T>(
  meaning: OptionMeaning,
  { max, parse }: { readonly max: number; readonly parse: (text: string) => Parsed<T> },
) {
  return z
    .union([z.string(), z.array(z.string())], { error: 'is neither a text nor a list of texts' })
    .transform((told, context): readonly T[] => {
      const wrong = (message: string): never => {
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      };
      const texts = typeof told === 'string' ? [told] : told;
      if (texts.length === 0) return wrong('the list is empty');
      if (texts.length > max) return wrong(`the list has more than ${max}`);
      if (new Set(texts).size < texts.length) return wrong('the list names one twice');
      const values: T[] = [];
      for (const text of texts) {
        const parsed = parse(text);
        if ('wrong' in parsed) return wrong(parsed.wrong);
        values.push(parsed.value);
      }
      return values;
    })
    .meta({ ...meaning });
}

/** A whole number between two bounds; the unit stands in the name of the option and in what people read. */
export function describedWhole(told: {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly fallback: number;
  readonly meaning: string;
}) {
  const { fallback, max, meaning, min, unit } = told;
  const values = `a whole number of ${unit} from ${min} to ${max}`;
  const wrong = `is not ${values}`;
  const described: OptionMeaning = { values, fallback: String(fallback), meaning };
  return z
    .number({ error: wrong })
    .int({ error: wrong })
    .min(min, { error: wrong })
    .max(max, { error: wrong })
    .default(fallback)
    .meta({ ...described });
}

/** What the schema's options mean, in its order. */
export function meaningsOf(schema: z.ZodObject): readonly NamedMeaning[] {
  return Object.keys(schema.shape).map((name) => ({ name, ...meaningOf(schema, name) }));
}

export function findingsOf(schema: z.ZodObject, error: z.ZodError): readonly ConfigurationFinding[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownOption(schema, name));
    const name = String(issue.path[0] ?? '');
    // The whole is something else than options.
    if (name === '')
      return [{ variable: 'the configuration', wrong: 'is no object', set: 'an object of options' }];
    const set: unknown = issue.code === 'custom' ? issue.params?.['set'] : undefined;
    return [
      {
        variable: name,
        wrong: issue.message,
        set: typeof set === 'string' ? set : meaningOf(schema, name).values,
      },
    ];
  });
}

/** The findings as a person reads them, one line each. */
export function describeFindings(findings: readonly ConfigurationFinding[]): string {
  return findings.map(({ variable: name, wrong, set }) => `${name}: ${wrong}. Set it to ${set}.`).join('\n');
}

/** Never repeats the text: it may hold a password. */
export function parseUrl(text: string, protocols: readonly string[]): Parsed<string> {
  if (!URL.canParse(text)) return { wrong: 'it is no URL' };
  const { protocol, hostname } = new URL(text);
  if (!protocols.includes(protocol) || hostname === '')
    return { wrong: `it is no URL of ${protocols.join(' or ')}//host` };
  return { value: text };
}

/** A URL as it may be printed. */
export function withoutSecrets(text: string): string {
  const url = new URL(text);
  if (url.password !== '') url.password = '***';
  if (url.search !== '') url.search = '?***';
  return url.href;
}

/** Written on every field of the schema by whoever described it. */
function meaningOf(schema: z.ZodObject, name: string): OptionMeaning {
  const field: unknown = schema.shape[name];
  const described = field instanceof z.ZodOptional ? field.unwrap() : field;
  return (described as z.ZodType).meta() as unknown as OptionMeaning;
}

const unknownOption = (schema: z.ZodObject, name: string): ConfigurationFinding => ({
  variable: name.slice(0, 60),
  wrong: 'is no option',
  set: `nothing; the options are ${Object.keys(schema.shape).join(', ')}`,
});
