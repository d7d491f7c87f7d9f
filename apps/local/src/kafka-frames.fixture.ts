/** Frames as a Kafka client and a broker exchange them. */
export const PRODUCE = 0;
export const FETCH = 1;

export function requestFrame(apiKey: number, correlationId: number, bodyBytes = 40): Buffer {
  const frame = Buffer.alloc(12 + bodyBytes, 'q');
  frame.writeInt32BE(8 + bodyBytes, 0);
  frame.writeInt16BE(apiKey, 4);
  frame.writeInt16BE(7, 6);
  frame.writeInt32BE(correlationId, 8);
  return frame;
}

export function responseFrame(correlationId: number, bodyBytes = 40): Buffer {
  const frame = Buffer.alloc(8 + bodyBytes, 'r');
  frame.writeInt32BE(4 + bodyBytes, 0);
  frame.writeInt32BE(correlationId, 4);
  return frame;
}
