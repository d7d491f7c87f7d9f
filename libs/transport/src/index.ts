/** The door of @lockstep/transport: streams and forwarding between regions over HTTP, and one bounded exchange. */
export { httpStreams, SILENCE_MS_MAX } from './stream-client.js';
export { serveStream, STREAM_CONTENT_TYPE } from './stream-server.js';
export { decodeFrame, encodeFrame, LINE_BYTES_MAX, VERDICTS_PER_LINE_MAX } from './stream-frame.js';
export { httpCanary } from './http-canary.js';
export { httpOutboxes } from './http-outboxes.js';
export { exchange } from './exchange.js';
export { httpForwarder, FORWARDS_IN_FLIGHT_MAX } from './http-forwarder.js';
export type { HttpForwarder } from './http-forwarder.js';
export { encodeForwarded, FORWARDED_HEADER, parseForwarded } from './forwarded-header.js';
export type { Forwarded } from './forwarded-header.js';
export { KEEP_ALIVE_INTERVAL_MS, serveLong } from './long-answer.js';
export type { Telling, Wording } from './long-answer.js';
