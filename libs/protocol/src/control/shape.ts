/**
 * Shapes of JSON values: what a decoder demands and what it answers, written once. A shape is total: a value, or the text
 * that says where the first thing stands that does not fit. Objects have exactly the names of their shape; what may
 * be missing is null. Ordinals are bigint in code and numbers in JSON.
 */
export type Decoded<T> =
  { readonly kind: 'value'; readonly value: T } | { readonly kind: 'refused'; readonly reason: string };

/** @param at where the value stands, for the text of a refusal. */
export type Shape<T> = (value: unknown, at: string) => Decoded<T>;

export type ShapeOf<S> = S extends Shape<infer T> ? T : never;
export interface Fields {
  readonly [name: string]: Shape<unknown>;
}
export type FieldsOf<F> = { readonly [K in keyof F]: ShapeOf<F[K]> };
type OneOf<V extends { readonly [kind: string]: Fields }> = {
  [K in keyof V]: { readonly kind: K } & FieldsOf<V[K]>;
}[keyof V];

const fits = <T>(value: T): Decoded<T> => ({ kind: 'value', value });
const refused = (reason: string): { readonly kind: 'refused'; readonly reason: string } => ({
  kind: 'refused',
  reason,
});

export const boolean: Shape<boolean> = (value, at) =>
  typeof value === 'boolean' ? fits(value) : refused(`${at} must be true or false`);

export const integer: Shape<number> = (value, at) =>
  typeof value === 'number' && Number.isSafeInteger(value)
    ? fits(value)
    : refused(`${at} must be an integer`);

export const ordinal: Shape<bigint> = (value, at) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? fits(BigInt(value))
    : refused(`${at} must be an integer from 0`);

export const text =
  (charactersMax: number): Shape<string> =>
  (value, at) =>
    typeof value === 'string' && value.length <= charactersMax && value.isWellFormed()
      ? fits(value)
      : refused(`${at} must be a text of at most ${charactersMax} characters`);

/** A text that the predicate knows. */
export const named =
  <T extends string>(isOne: (value: string) => value is T, what: string): Shape<T> =>
  (value, at) =>
    typeof value === 'string' && isOne(value) ? fits(value) : refused(`${at} must be ${what}`);

export const choice = <T extends string>(...choices: readonly T[]): Shape<T> =>
  named(
    (value): value is T => (choices as readonly string[]).includes(value),
    `one of ${choices.join(', ')}`,
  );

/** The shape's value in another type, for example a branded one. */
export const as =
  <A, B>(shape: Shape<A>, turn: (value: A) => B): Shape<B> =>
  (value, at) => {
    const decoded = shape(value, at);
    return decoded.kind === 'refused' ? decoded : fits(turn(decoded.value));
  };

export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, at) =>
    value === null ? fits(null) : shape(value, at);

export const list =
  <T>(shape: Shape<T>, lengthMax: number): Shape<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length > lengthMax)
      return refused(`${at} must be a list of at most ${lengthMax}`);
    const items: T[] = [];
    for (const [index, item] of value.entries()) {
      const decoded = shape(item, `${at}[${index}]`);
      if (decoded.kind === 'refused') return decoded;
      items.push(decoded.value);
    }
    return fits(items);
  };

export const object =
  <F extends Fields>(fields: F): Shape<FieldsOf<F>> =>
  (value, at) => {
    if (!isObject(value)) return refused(`${at} must be an object`);
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
    if (unknown !== undefined) return refused(`${at} has an unknown name "${unknown.slice(0, 64)}"`);
    const decoded: [string, unknown][] = [];
    for (const [name, shape] of Object.entries(fields)) {
      if (!Object.hasOwn(value, name)) return refused(`${at}.${name} is missing`);
      const field = shape(value[name], `${at}.${name}`);
      if (field.kind === 'refused') return field;
      decoded.push([name, field.value]);
    }
    return fits(Object.fromEntries(decoded) as FieldsOf<F>);
  };

/** An object whose `kind` says which of the shapes its other names have. */
export const oneOf =
  <V extends { readonly [kind: string]: Fields }>(variants: V): Shape<OneOf<V>> =>
  (value, at) => {
    if (!isObject(value)) return refused(`${at} must be an object`);
    const { kind, ...rest } = value;
    if (typeof kind !== 'string' || !Object.hasOwn(variants, kind))
      return refused(`${at}.kind must be one of ${Object.keys(variants).join(', ')}`);
    const decoded = object(variants[kind]!)(rest, at);
    return decoded.kind === 'refused' ? decoded : fits({ kind, ...decoded.value } as OneOf<V>);
  };

/** Any JSON object, as it stands. */
export const anyObject: Shape<{ readonly [name: string]: unknown }> = (value, at) =>
  isObject(value) ? fits(value) : refused(`${at} must be an object`);

/** What a shape decoded, as JSON again: ordinals become numbers. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, toJson(field)]));
  return value;
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
