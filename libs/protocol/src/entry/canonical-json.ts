/**
 * One text for one JSON value: object keys sorted by UTF-16 code units, no white space, numbers as ECMAScript prints
 * them, strings as JSON.stringify escapes them (the form of RFC 8785). The publisher's body, the fingerprint of an
 * entry and the hash of a configuration are made from it.
 *
 * The caller bounds the depth (`parseJson` does); -0 becomes 0.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item: unknown) => canonicalJson(item)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const record = value as { readonly [name: string]: unknown };
    const names = Object.keys(record).filter((name) => record[name] !== undefined);
    names.sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson(record[name])}`).join(',')}}`;
  }
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  throw new TypeError(`not a JSON value: ${typeof value}`);
}
