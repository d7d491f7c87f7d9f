/**
 * The control log, page by page, from a coordinator or from a file that `decisions export` wrote: whole, of one log, up to where
 * it ended when the first page was read. What cannot be read so ends with exit code 2: nothing is known of it.
 */
import { readControlPage, type ControlPage } from '@lockstep/protocol';
import { open } from 'node:fs/promises';
import { CliError } from './cli-error.js';
import { askRole, type AddressOptions } from './role-call.js';

export interface PagesOptions extends AddressOptions {
  readonly file?: string;
}

type Offset = ControlPage['nextOffset'];

export async function* controlPages(options: PagesOptions): AsyncGenerator<ControlPage> {
  const { file } = options;
  const source = file === undefined ? pagesOfCoordinator(options) : pagesOfFile(file);
  let begun: ControlPage | null = null;
  let nextOffset: Offset | null = null;
  try {
    for await (const page of source) {
      begun ??= page;
      if (page.log !== begun.log) throw unreadable('the control log was made anew meanwhile');
      if (page.fromOffset !== (nextOffset ?? page.startOffset))
        throw unreadable(
          `the page from offset ${page.fromOffset} is not the one from ${nextOffset ?? page.startOffset}`,
        );
      ({ nextOffset } = page);
      yield page;
      if (nextOffset >= begun.endOffset) return;
      if (nextOffset === page.fromOffset) throw unreadable(`nothing is told from offset ${nextOffset} on`);
    }
  } catch (error) {
    throw error instanceof CliError ? new CliError(2, error.message) : error;
  }
  throw unreadable(
    begun === null ? 'it is empty' : `it ends at offset ${nextOffset}, the log ended at ${begun.endOffset}`,
  );
}

async function* pagesOfCoordinator(options: AddressOptions): AsyncGenerator<ControlPage> {
  for (let query = ''; ;) {
    const page = pageIn(await askRole('coordinator', `/v1/history/records${query}`, options));
    yield page;
    query = `?from=${page.nextOffset}`;
  }
}

async function* pagesOfFile(file: string): AsyncGenerator<ControlPage> {
  const handle = await open(file).catch((error: Error) => {
    throw unreadable(error.message);
  });
  try {
    if (!(await handle.stat()).isFile()) throw unreadable(`${file} is no file`);
    for await (const line of handle.readLines()) yield pageIn(valueIn(line));
  } finally {
    await handle.close();
  }
}

function pageIn(value: unknown): ControlPage {
  const page = readControlPage(value);
  if (page.kind === 'refused') throw unreadable(`this is no page of it: ${page.reason}`);
  return page.value;
}

function valueIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw unreadable(`a line is no JSON: ${(error as Error).message}`);
  }
}

const unreadable = (why: string): CliError => new CliError(2, `The control log cannot be read: ${why}.`);
