/**
 * Turns the TypeScript of an aggregate's reducer into the JavaScript that a fold configuration keeps.
 *
 * The text is scanned into tokens and written again without comments and with single spaces, so that a comment, an
 * indentation, or the blanks that another Node release leaves where types stood change no hash. What would answer
 * differently in two regions (clocks, chance, locale, globals, state between events) is refused by name: a guard
 * against mistakes, not a sandbox against their author.
 */
import { stripTypeScriptTypes } from 'node:module';

export interface ReducerProblem {
  readonly line: number;
  readonly reason: string;
  readonly nextStep: string;
}

export type CompiledReducer =
  | { readonly kind: 'javascript'; readonly javascript: string }
  | { readonly kind: 'refused'; readonly problems: readonly ReducerProblem[] };

export function compileReducer(typeScript: string): CompiledReducer {
  let stripped: string;
  try {
    stripped = stripTypeScriptTypes(typeScript);
  } catch (error) {
    return { kind: 'refused', problems: [problemOfSyntax(error)] };
  }
  const scanned = scan(stripped);
  if (scanned.kind === 'unreadable') return { kind: 'refused', problems: [scanned.problem] };
  const problems = [...importProblems(scanned.tokens), ...determinismProblems(scanned.tokens)];
  if (problems.length > 0) return { kind: 'refused', problems };
  return { kind: 'javascript', javascript: written(scanned.tokens) };
}

function written(tokens: readonly Token[]): string {
  const parts = tokens.map((token, index) =>
    token.gap === ' ' && isLoose(token, tokens[index - 1]) ? token.text : token.gap + token.text,
  );
  return `${parts.join('').trim()}\n`;
}

/** Whether a blank before the token says nothing; erased types leave one before these signs. */
function isLoose(token: Token, previous: Token | undefined): boolean {
  switch (token.text) {
    case ')':
    case ']':
    case ',':
    case ';':
      return true;
    case '(':
      return previous?.kind === 'word';
    case '.':
      // `1 .toFixed()` needs its blank.
      return previous?.kind !== 'number';
    default:
      return false;
  }
}

/** Whether the module would reach for another one when it runs; true as well for a text that cannot be read. */
export function importsAnything(javascript: string): boolean {
  const scanned = scan(javascript);
  return scanned.kind === 'unreadable' || importProblems(scanned.tokens).length > 0;
}

function problemOfSyntax(error: unknown): ReducerProblem {
  const { code, message, stack } = error as { code?: unknown; message?: unknown; stack?: unknown };
  // Node says the place only in the first line of the stack: `name:line`.
  const line = Number(/^[^\n]*?:(\d+)\n/.exec(String(stack))?.[1] ?? '1');
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return {
      line,
      reason: `only types that can be erased are allowed: ${String(message)}`,
      nextStep: 'write this part in plain JavaScript, for example constants instead of an enum',
    };
  }
  return { line, reason: `not TypeScript: ${String(message)}`, nextStep: 'correct the syntax at this place' };
}

interface Token {
  readonly kind: 'word' | 'string' | 'template' | 'number' | 'regex' | 'sign';
  readonly text: string;
  /** What stood before it: nothing, a blank or a line break. */
  readonly gap: '' | ' ' | '\n';
  readonly line: number;
  /** Open brackets of any kind around it. */
  readonly depth: number;
}

type Scanned =
  | { readonly kind: 'tokens'; readonly tokens: readonly Token[] }
  | { readonly kind: 'unreadable'; readonly problem: ReducerProblem };

const BLANK = /(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\/)+/y;
const WORD = /[\p{ID_Start}$_#@][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*/y;
const STRING = /'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"/y;
/** A piece of a template literal, from its beginning or a closing brace to its end or the next `${`. */
const TEMPLATE = /[`}](?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{)/y;
const REGEX = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const LINE_BREAK = /[\n\r\u2028\u2029]/;
/** Words after which a `/` begins a regular expression and not a division. */
const BEFORE_VALUE = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'new',
  'delete',
  'void',
  'throw',
  'else',
  'do',
]);

function scan(text: string): Scanned {
  const tokens: Token[] = [];
  /** Closing signs awaited, innermost last; a template's `${` awaits `}` as `template`. */
  const open: string[] = [];
  let at = 0;
  let line = 1;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };

  while (at < text.length) {
    const blank = match(BLANK) ?? '';
    at += blank.length;
    line += linesIn(blank);
    if (at >= text.length) break;
    const gap = blank === '' ? '' : LINE_BREAK.test(blank) ? '\n' : ' ';
    const first = text[at]!;
    const previous = tokens.at(-1);

    let kind: Token['kind'] = 'sign';
    let part: string | null = first;
    if (first === '`' || (first === '}' && open.at(-1) === 'template')) {
      kind = 'template';
      part = match(TEMPLATE);
    } else if (first === '"' || first === "'") {
      kind = 'string';
      part = match(STRING);
    } else if (first === '/' && previous?.text === '}') {
      // Division or regular expression: only a parser could tell, and a wrong guess would rewrite the text.
      part = null;
    } else if (first === '/' && beginsValue(previous)) {
      kind = 'regex';
      part = match(REGEX);
    } else if (match(NUMBER) !== null) {
      kind = 'number';
      part = match(NUMBER);
    } else if (match(WORD) !== null) {
      kind = 'word';
      part = match(WORD);
    } else if (first === '\\') {
      part = null;
    }
    if (part === null) {
      const reason = `\`${text.slice(at, at + 12).split('\n', 1)[0]}\` cannot be read reliably`;
      return { kind: 'unreadable', problem: { line, reason, nextStep: 'write this place in a simpler way' } };
    }

    if (kind === 'template' && first === '}') open.pop();
    if (kind === 'sign' && (part === ')' || part === ']' || part === '}')) open.pop();
    tokens.push({ kind, text: part, gap, line, depth: open.length });
    if (kind === 'template' && part.endsWith('${')) open.push('template');
    if (kind === 'sign' && (part === '(' || part === '[' || part === '{')) open.push(part);
    at += part.length;
    line += linesIn(part);
  }
  return { kind: 'tokens', tokens };
}

function beginsValue(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  switch (previous.kind) {
    case 'word':
      return BEFORE_VALUE.has(previous.text);
    case 'template':
      return previous.text.endsWith('${');
    case 'sign':
      return previous.text !== ')' && previous.text !== ']' && previous.text !== '}';
    case 'string':
    case 'number':
    case 'regex':
      return false;
  }
}

const linesIn = (text: string): number => text.split('\n').length - 1;

function importProblems(tokens: readonly Token[]): readonly ReducerProblem[] {
  const lines: number[] = [];
  /** Inside an import that is already named, up to the module's name. */
  let importing = false;
  tokens.forEach((token, index) => {
    const named = isMember(tokens, index) || isPropertyName(tokens, index);
    if (token.kind === 'word' && token.text === 'import' && !named) {
      lines.push(token.line);
      importing = true;
    } else if (token.kind === 'string') {
      // `export { a } from 'b'` and `export * from 'b'` reach for another module as well.
      if (!importing && tokens[index - 1]?.text === 'from' && !isMember(tokens, index - 1))
        lines.push(token.line);
      importing = false;
    }
  });
  return lines.map((line) => ({
    line,
    reason: 'a reducer imports nothing when it runs',
    nextStep: 'write `import type` for types, and move everything else into this file',
  }));
}

/** Functions of Math whose results the language fixes to the last bit. */
const EXACT_MATH = new Set([
  'abs',
  'ceil',
  'clz32',
  'floor',
  'fround',
  'imul',
  'max',
  'min',
  'round',
  'sign',
  'trunc',
]);

const CLOCK = 'take times from the event';
const AMBIENT = 'use only the state and the event';
const SYNCHRONOUS = 'compute the row at once';
const BANNED_GLOBALS: ReadonlyMap<string, string> = new Map([
  ...['Date', 'Temporal', 'performance'].map((word) => [word, CLOCK] as const),
  ...['globalThis', 'global', 'process', 'require', 'Buffer', 'console', 'SharedArrayBuffer'].map(
    (word) => [word, AMBIENT] as const,
  ),
  ...['fetch', 'XMLHttpRequest', 'WebSocket', 'navigator', 'crypto', 'URL', 'WebAssembly'].map(
    (word) => [word, AMBIENT] as const,
  ),
  ...['eval', 'Function', 'Reflect', 'Proxy', 'Symbol', 'WeakRef', 'FinalizationRegistry', 'Atomics'].map(
    (word) => [word, 'write plain functions over plain values'] as const,
  ),
  ...[
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'Promise',
    'async',
    'await',
    'yield',
  ].map((word) => [word, SYNCHRONOUS] as const),
  ['Intl', 'compare and format without a locale'],
]);

const LOCALE = 'compare with < and >, and leave formatting to readers';
const BANNED_MEMBERS: ReadonlyMap<string, string> = new Map([
  ...['localeCompare', 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString'].map(
    (word) => [word, LOCALE] as const,
  ),
  ...['toLocaleUpperCase', 'toLocaleLowerCase', 'normalize'].map((word) => [word, LOCALE] as const),
  ...['constructor', '__proto__', 'prototype', 'stack'].map(
    (word) => [word, 'write plain functions over plain values'] as const,
  ),
]);

function determinismProblems(tokens: readonly Token[]): readonly ReducerProblem[] {
  return tokens.flatMap((token, index) => {
    const problem = problemOfToken(tokens, token, index);
    return problem === null ? [] : [{ line: token.line, ...problem }];
  });
}

function problemOfToken(
  tokens: readonly Token[],
  token: Token,
  index: number,
): { readonly reason: string; readonly nextStep: string } | null {
  if (token.kind !== 'word' && token.kind !== 'string') return null;
  const name = token.kind === 'string' ? token.text.slice(1, -1) : token.text;
  const reached = token.kind === 'string' ? tokens[index - 1]?.text === '[' : isMember(tokens, index);
  const avoided = reached ? BANNED_MEMBERS.get(name) : undefined;
  if (avoided !== undefined) return { reason: `a reducer cannot use \`${name}\``, nextStep: avoided };
  if (token.kind === 'string') return null;

  const banned = BANNED_GLOBALS.get(name);
  if (banned !== undefined && !isMember(tokens, index) && !isPropertyName(tokens, index)) {
    return { reason: `a reducer cannot use \`${name}\``, nextStep: banned };
  }
  if (name === 'Math' && !isMember(tokens, index)) {
    const member = tokens[index + 1]?.text === '.' ? tokens[index + 2]?.text : undefined;
    if (member !== undefined && EXACT_MATH.has(member)) return null;
    return {
      reason: `a reducer cannot use \`Math${member === undefined ? '' : `.${member}`}\``,
      nextStep: `use only Math.${[...EXACT_MATH].join(', Math.')}, which answer the same everywhere`,
    };
  }
  if ((name === 'let' || name === 'var') && token.depth === 0) {
    return {
      reason: 'a reducer keeps no state between events',
      nextStep: 'use `const` here, or keep it in a column',
    };
  }
  return null;
}

const isMember = (tokens: readonly Token[], index: number): boolean => {
  // `?.` is scanned as two signs and `...` as three.
  const [before, further] = [tokens[index - 1]?.text, tokens[index - 2]?.text];
  return before === '.' && further !== '.';
};

/** `{ process: 1 }`, and not the middle of `condition ? process : 1`. */
const isPropertyName = (tokens: readonly Token[], index: number): boolean => {
  const before = tokens[index - 1]?.text;
  return tokens[index + 1]?.text === ':' && (before === '{' || before === ',');
};
