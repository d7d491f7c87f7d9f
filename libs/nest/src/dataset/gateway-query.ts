/** How calls of the dataset port are asked of a gateway, whatever carries them: the names and values of its queries. */
import type { IncomingQuery } from '../http/gateway-api.js';
import type { ReceiptCall, RowCall } from './dataset-port.js';

export function receiptQuery({ settle, timeoutMs, wait }: ReceiptCall): IncomingQuery {
  return {
    timeoutMs: String(timeoutMs),
    ...(wait === null ? {} : { wait }),
    ...(settle === null ? {} : { shard: settle.shard, deadline: String(settle.deadlineMs) }),
  };
}

export const rowQuery = ({ consistency, timeoutMs }: RowCall): IncomingQuery => ({
  consistency,
  timeoutMs: String(timeoutMs),
});
