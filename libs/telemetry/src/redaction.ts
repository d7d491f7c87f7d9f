/**
 * Takes secrets out of a finished log line: passwords in URLs and connection strings, values under telling names at
 * any depth, bearer and basic credentials, signed tokens.
 *
 * It works on the text and not on the fields because secrets arrive inside messages and causes of libraries. Where a
 * pattern cannot be sure it takes too much away: a lost word costs less than a published password. Each pattern reads
 * the line in linear time.
 */
const HIDDEN = '[hidden]';
const TELLING =
  '(?:authorization|password|passwd|pwd|secret|token|cookie|credential|api[-_]?key|private[-_]?key)';

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // scheme://user:password@host
  [/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/"\\]*):[^\s/"\\]*@/gi, `$1:${HIDDEN}@`],
  // "password":"...", also with a list of texts, also as JSON inside a text
  [
    new RegExp(
      `("[\\w.-]{0,60}${TELLING}[\\w.-]{0,60}"\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|\\[[^\\]]*\\]?|-?\\d[\\d.eE+-]*)`,
      'gi',
    ),
    `$1"${HIDDEN}"`,
  ],
  [
    new RegExp(`(\\\\"[\\w.-]{0,60}${TELLING}[\\w.-]{0,60}\\\\"\\s*:\\s*)\\\\"[^"\\\\]*\\\\"`, 'gi'),
    `$1\\"${HIDDEN}\\"`,
  ],
  // password=..., in a query or a connection string
  [new RegExp(`(\\b[\\w-]{0,60}${TELLING}=)[^&\\s"\\\\]+`, 'gi'), `$1${HIDDEN}`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/(?<![\w-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, HIDDEN],
];

export function redact(line: string): string {
  let redacted = line;
  for (const [pattern, replacement] of PATTERNS) redacted = redacted.replace(pattern, replacement);
  return redacted;
}
