/**
 * Makes a reducer from the text that a fold configuration keeps, and from nothing else, so that a region can fold old
 * parts of a log with configurations that only its database still holds.
 *
 * The guard of `reducer-source` judged the text when it was compiled; it is not asked again here, because a guard that
 * grew stricter since would leave a region unable to fold its own log. Imports are refused in any case. A module once
 * loaded stays in memory for the life of the process: one for each configuration, which is a small number.
 */
import { PortError } from '@lockstep/engine';
import type { Reducer } from '@lockstep/protocol';
import { importsAnything } from './reducer-source.js';

/** @throws PortError `reducer-unloadable`, fatal, when the text is no module that exports a synchronous `reduce`. */
export async function loadReducer(javascript: string): Promise<Reducer> {
  if (importsAnything(javascript)) throw unloadable('its text imports another module or cannot be read');
  const bytes = Buffer.from(javascript, 'utf8').toString('base64');
  let exported: { readonly reduce?: unknown };
  try {
    exported = (await import(`data:text/javascript;base64,${bytes}`)) as typeof exported;
  } catch (error) {
    throw unloadable(error instanceof Error ? error.message : String(error), error);
  }
  const { reduce } = exported;
  if (typeof reduce !== 'function') throw unloadable('it exports no function `reduce`');
  // An async function or a generator answers an object that is no row; every entry would be refused.
  const form = Object.prototype.toString.call(reduce);
  if (form !== '[object Function]') throw unloadable('its `reduce` is not a plain synchronous function');
  return reduce as Reducer;
}

const unloadable = (why: string, cause?: unknown): PortError =>
  new PortError(
    'reducer-unloadable',
    'fatal',
    `The reducer cannot be loaded: ${why}. Export \`reduce(state, event)\` from a module without imports.`,
    cause,
  );
