/**
 * Reads `lockstep.watermarks` from its beginning to its end, and on from there when asked again. A topic that was made
 * anew is read from its beginning.
 */
import { WATERMARK_TOPIC, type Offset } from '@lockstep/protocol';
import type { Log, LogReader } from '../ports/log.js';

const FETCH_BYTES_MAX = 8 * 1024 * 1024;

export class CopyReader {
  private reader: LogReader | null = null;
  private topicId: string | null = null;
  private nextOffset = 0n as Offset;

  /** @param take gets the text of every record, in their order. */
  constructor(
    private readonly log: Log,
    private readonly take: (text: string | null) => void,
  ) {}

  /** Resolves when everything is taken that stood in the topic when it was called; rejects when the log fails. */
  async readToEnd(): Promise<void> {
    try {
      this.reader ??= await this.log.openReader(WATERMARK_TOPIC);
      const { reader } = this;
      if (reader.topicId !== this.topicId) this.nextOffset = 0n as Offset;
      this.topicId = reader.topicId;
      const endOffset = await this.readOnce(reader);
      while (this.nextOffset < endOffset) await this.readOnce(reader);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const { reader } = this;
    this.reader = null;
    await reader?.close().catch(() => undefined);
  }

  /** @returns where the topic ended. */
  private async readOnce(reader: LogReader): Promise<Offset> {
    const [part] = await reader.fetch({
      positions: [{ partition: 0, offset: this.nextOffset }],
      waitMsMax: 0,
      bytesMax: FETCH_BYTES_MAX,
    });
    if (part === undefined) throw new Error('the log did not answer for the copy of watermarks');
    for (const record of part.records) this.take(record.valueText);
    // Retention passed the place: what is left is read from its beginning.
    this.nextOffset = part.outOfRange ? part.startOffset : part.nextOffset;
    return part.endOffset;
  }
}
