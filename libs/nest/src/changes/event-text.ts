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

export const EVENT_CONTENT_TYPE = 'text/event-stream';

/** Comments keep it alive: readers pass over them. */
export const EVENTS: Wording<FeedMessage> = {
  contentType: EVENT_CONTENT_TYPE,
  keepAlive: ':\n\n',
  encode: eventText,
};

function eventText(message: FeedMessage): string {
  switch (message.kind) {
    case 'change': {
      const { key, position, row, version } = message;
      return event('change', position, { key, version, row });
    }
    case 'position':
      return event('position', message.position, {});
    case 'end':
      return event('end', null, message.problem);
  }
}

/** JSON has no line ends of its own. */
function event(name: string, id: string | null, data: object): string {
  const line = id === null ? '' : `id: ${id}\n`;
  return `${line}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
