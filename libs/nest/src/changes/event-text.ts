/**
 * A change feed as server-sent events: how each message is written by a gateway.
 *
 *   id: POSITION            from where on to resume once this event was taken; absent where that did not change
 *   event: change           data: {"key", "version", "row"}; row null where there is none
 *   event: position         data: {}; nothing else to tell
 *   event: end              data: a problem document; the last event, and no reason to come back with this position
 */
import type { FeedMessage } from '@lockstep/engine';
import type { Wording } from '@lockstep/transport';
import type { FeedEvent } from './event-parser.js';

export const EVENT_CONTENT_TYPE = 'text/event-stream';

/** Comments keep it alive: readers pass over them. */
export const EVENTS: Wording<FeedMessage> = {
  contentType: EVENT_CONTENT_TYPE,
  keepAlive: ':\n\n',
  encode: eventText,
};

/** The event of a message, before it is text. */
export function feedEvent(message: FeedMessage): FeedEvent {
  switch (message.kind) {
    case 'change': {
      const { key, position, row, version } = message;
      return { name: 'change', id: position, data: JSON.stringify({ key, version, row }) };
    }
    case 'position':
      return { name: 'position', id: message.position, data: '{}' };
    case 'end':
      return { name: 'end', id: null, data: JSON.stringify(message.problem) };
  }
}

/** JSON has no line ends of its own. */
function eventText(message: FeedMessage): string {
  const { data, id, name } = feedEvent(message);
  return `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${data}\n\n`;
}
