/**
 * One entry of a process's log, whoever wrote it: roles write JSON (pino), Jaeger too (zap), Kafka, Postgres and the
 * supervisor text behind a time. A line that does not begin an entry, such as one of a stack, belongs to the one before it.
 */
export interface LogEntry {
  /** Null: nobody wrote when. */
  readonly atMs: number | null;
  readonly level: string | null;
  readonly message: string;
  /** What else stands in a structured line. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Whose log it is. */
export interface LogSource {
  /** For example `eu-gateway`, `kafka-1`. */
  readonly process: string;
  /** Null for what belongs to no region. */
  readonly region: string | null;
  readonly role: string;
}

/** Told by the file's name already, or not worth a column. */
const OF_EVERY_LINE = new Set(['service', 'region', 'role', 'instance', 'pid', 'hostname']);
const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?) ?(Z|UTC|[+-]\d\d:\d\d)?[: ]*/;
const TEXT_LEVEL = /\b(TRACE|DEBUG|INFO|LOG|NOTICE|WARN|WARNING|ERROR|FATAL|PANIC)\b/;
const NAME_WIDTH = 15;

/** Null when the line begins no entry. */
export function readEntry(line: string): LogEntry | null {
  return line.startsWith('{') ? readStructured(line) : readText(line);
}

export function describeEntry({ process }: LogSource, entry: LogEntry): string {
  const { err, ...fields } = entry.fields;
  const stack = stackOf(err);
  const words = Object.entries(stack === null && err !== undefined ? { ...fields, err } : fields)
    .filter(([name]) => !OF_EVERY_LINE.has(name))
    .map(([name, value]) => `${name}=${wordOf(value)}`);
  const at = entry.atMs === null ? '?'.padEnd(24) : new Date(entry.atMs).toISOString();
  const head = [at, process.padEnd(NAME_WIDTH), (entry.level ?? '-').padEnd(5), entry.message, ...words];
  return harmless([head.join(' '), ...(stack === null ? [] : [indented(stack)])].join('\n'));
}

export function entryJson(source: LogSource, { atMs, level, message, fields }: LogEntry): object {
  const at = atMs === null ? null : new Date(atMs).toISOString();
  return { at, ...source, level, message, fields };
}

function readStructured(line: string): LogEntry | null {
  let parsed: Readonly<Record<string, unknown>>;
  try {
    parsed = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
  const { time, ts, level, msg, ...fields } = parsed;
  const atMs = Date.parse(String(time ?? ts));
  return {
    atMs: Number.isNaN(atMs) ? null : atMs,
    level: typeof level === 'string' ? level : null,
    message: typeof msg === 'string' ? msg : '',
    fields,
  };
}

function readText(line: string): LogEntry | null {
  const [begin, date, time, zone] = TIME.exec(line) ?? [];
  if (begin === undefined) return null;
  const message = line.slice(begin.length);
  return {
    atMs: Date.parse(`${date}T${time}${zone === 'UTC' ? 'Z' : (zone ?? '')}`),
    level: TEXT_LEVEL.exec(message.slice(0, 80))?.[1]?.toLowerCase() ?? null,
    message,
    fields: {},
  };
}

function stackOf(error: unknown): string | null {
  const stack = (error as { readonly stack?: unknown } | null | undefined)?.stack;
  return typeof stack === 'string' ? stack : null;
}

function wordOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return typeof value === 'string' && (text === '' || /\s/.test(text)) ? JSON.stringify(text) : text;
}

const indented = (text: string): string => text.replaceAll(/^/gm, '    ');

/** A client's words may stand in a line; none of them steers the terminal of whoever reads it. */
const harmless = (text: string): string =>
  text.replaceAll(
    /[^\P{Cc}\n\t]/gu,
    (sign) => `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
