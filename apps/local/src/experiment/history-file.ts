/**
 * The history of a run as it is written: lines get their ordinal and their time here, in the order in which they come.
 * Nothing is buffered beyond the stream's own mark when writers wait for `written`.
 */
import { HISTORY_VERSION, historyText, type HistoryLine, type RunLine } from '@lockstep/testing/history';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LocalError } from '../local-error.js';

type Counted = Exclude<HistoryLine, RunLine>;
/** Without what the file adds. */
type Said<Line extends Counted> = Line extends Counted ? Omit<Line, 'i' | 't'> : never;

const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;

export class HistoryFile {
  private readonly begunNanoseconds = process.hrtime.bigint();
  private lines = 0;
  private failure: Error | null = null;

  private constructor(
    readonly path: string,
    private readonly stream: WriteStream,
  ) {
    stream.on('error', (error) => (this.failure = error));
  }

  /** A file of its own: what stands there already is never overwritten. */
  static async create(path: string, run: Omit<RunLine, 'type' | 'version'>): Promise<HistoryFile> {
    const stream = await openNew(path);
    const file = new HistoryFile(path, stream);
    stream.write(historyText({ type: 'run', version: HISTORY_VERSION, ...run }));
    return file;
  }

  add(said: Said<Counted>): void {
    const t = Number(process.hrtime.bigint() - this.begunNanoseconds);
    const { type, ...rest } = said;
    this.stream.write(historyText({ type, i: this.lines, t, ...rest } as Counted));
    this.lines += 1;
  }

  /** Resolves when more may be added. */
  async written(): Promise<void> {
    if (this.failure !== null) throw this.failure;
    if (this.stream.writableNeedDrain) await once(this.stream, 'drain');
  }

  /** Everything that was added stands in the file then. */
  async close(): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.stream.end();
    await once(this.stream, 'close');
  }
}

async function openNew(path: string): Promise<WriteStream> {
  try {
    await mkdir(dirname(path), { recursive: true });
    const stream = createWriteStream(path, { flags: 'wx', highWaterMark: BUFFERED_BYTES_MAX });
    await once(stream, 'open');
    return stream;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new LocalError('closed-folder', `The history cannot be kept: ${message}`);
    throw new LocalError('invalid-option', `${path} exists already. Name another file.`);
  }
}
