/**
 * The control log as it stands, page by page, for whoever folds it again (I15): nothing that this process has folded is in it.
 * One page is read at a time and few wait, so that readers of history cost the log and this process little (I17).
 */
import {
  answerJson,
  answerProblem,
  CONTROL_TOPIC,
  controlPageJson,
  problem,
  type Answer,
  type Offset,
} from '@lockstep/protocol';
import type { Log } from '../ports/log.js';
import { isPortError } from '../ports/port-error.js';

/** A record that is larger is a page of its own. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;
/** A page that is not the log's end has records. */
const FETCH_WAIT_MS_MAX = 500;
const WAITING_MAX = 8;

export class ControlPages {
  private reading: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(private readonly log: Log) {}

  /** @param from null for the first record that the log holds. */
  async answer(from: Offset | null): Promise<Answer> {
    if (this.waiting >= WAITING_MAX)
      return answerProblem(
        problem('too-many-requests', `${WAITING_MAX} pages of the control log are asked for`),
      );
    this.waiting += 1;
    const page = this.reading.then(() => this.read(from));
    this.reading = page.catch(() => undefined);
    try {
      return await page;
    } catch (error) {
      if (!isPortError(error)) throw error;
      return answerProblem(problem('control-unavailable', `the control log does not answer (${error.code})`));
    } finally {
      this.waiting -= 1;
    }
  }

  private async read(from: Offset | null): Promise<Answer> {
    const { log } = this;
    const offset = from ?? (await log.admin.bounds(CONTROL_TOPIC, 0)).startOffset;
    const reader = await log.openReader(CONTROL_TOPIC);
    try {
      const [part] = await reader.fetch({
        positions: [{ partition: 0, offset }],
        waitMsMax: FETCH_WAIT_MS_MAX,
        bytesMax: PAGE_BYTES_MAX,
      });
      const { endOffset, outOfRange, startOffset } = part!;
      return outOfRange
        ? answerProblem(
            problem(
              'not-found',
              `the control log goes from ${startOffset} to ${endOffset}, without ${offset}`,
            ),
          )
        : answerJson(200, controlPageJson({ ...part!, fromOffset: offset, log: reader.topicId }));
    } finally {
      await reader.close();
    }
  }
}
