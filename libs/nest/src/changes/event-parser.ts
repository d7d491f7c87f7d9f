/**
 * Server-sent events out of the pieces in which they arrive. Total: what is no field is passed over, as the format says.
 * Bounded: an event that is longer than any message of a feed is a failure of the connection.
 */
import { PortError } from '@lockstep/engine';

export interface FeedEvent {
  /** `change`, `position`, `end`; others are passed over by whoever reads. */
  readonly name: string;
  /** From where on to resume once this event was taken; null: from the same as before. */
  readonly id: string | null;
  /** JSON text. */
  readonly data: string;
}

/** Far longer than any row. */
const EVENT_CHARACTERS_MAX = 8 * 1024 * 1024;

export class EventParser {
  private readonly decoder = new TextDecoder();
  private line = '';
  private id: string | null = null;
  private name = '';
  private data: string[] = [];
  private characters = 0;

  /** The events that this piece ends. */
  take(bytes: Uint8Array): readonly FeedEvent[] {
    const lines = (this.line + this.decoder.decode(bytes, { stream: true })).split('\n');
    this.line = lines.pop()!;
    const events: FeedEvent[] = [];
    for (const line of lines) {
      const event = this.takeLine(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (event !== null) events.push(event);
    }
    if (this.characters + this.line.length > EVENT_CHARACTERS_MAX)
      throw new PortError(
        'feed-broken',
        'retryable',
        `an event is longer than ${EVENT_CHARACTERS_MAX} characters`,
      );
    return events;
  }

  private takeLine(line: string): FeedEvent | null {
    if (line === '') return this.finish();
    this.characters += line.length;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.startsWith(': ', colon) ? colon + 2 : colon + 1);
    if (field === 'id') this.id = value;
    else if (field === 'event') this.name = value;
    else if (field === 'data') this.data.push(value);
    return null;
  }

  private finish(): FeedEvent | null {
    const { data, id, name } = this;
    [this.id, this.name, this.data, this.characters] = [null, '', [], 0];
    return data.length === 0 ? null : { name, id, data: data.join('\n') };
  }
}
