/**
 * The dataset port in a process that is a gateway itself: calls reach the gateway's API without HTTP between them. At home an
 * entry goes from here to the log; elsewhere the gateway forwards it, as any does. The gateway serves nobody else, and is
 * bounded as one behind HTTP: admission, size of bodies, number of feeds.
 */
import { Gate, PortError } from '@lockstep/engine';
import { presentTraceparent } from '@lockstep/telemetry';
import { FEEDS_MAX } from '../changes/changes.controller.js';
import { feedEvent } from '../changes/event-text.js';
import type { GatewayApi, IncomingHeaders } from '../http/gateway-api.js';
import { problemAnswer, type HttpAnswer } from '../http/http-answer.js';
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from '../http/incoming.js';
import type { Role } from '../role/role.js';
import type { DatasetPort, PortAnswer, PortFeed, WriteCall } from './dataset-port.js';
import { receiptQuery, rowQuery } from './gateway-query.js';

/** @param role of a gateway; the port ends it. */
export function embeddedDatasetPort(role: Role & { readonly gateway: GatewayApi }): DatasetPort {
  const { gateway, health } = role;
  const feeds = new Set<PortFeed>();
  let opening = 0;
  const closing = new Gate();
  let ended: Promise<void> | null = null;

  /** What a gateway throws is a defect, and says nothing about a write. */
  const answered = <Told>(call: () => Promise<Told>): Promise<Told> =>
    new Promise((resolve, reject) => {
      if (closing.isOpen) {
        reject(new PortError('port-closed', 'retryable', 'the application is ending'));
        return;
      }
      const takeBack = closing.onOpen(() =>
        reject(new PortError('port-closed', 'unknown', 'the application ended before the answer was there')),
      );
      call()
        .then(resolve, (error: unknown) =>
          reject(new PortError('gateway-defect', 'unknown', 'the gateway met a defect', error)),
        )
        .finally(takeBack);
    });

  const admitted = async (
    { body, dataset }: WriteCall,
    bytesMax: number,
    write: () => Promise<HttpAnswer>,
  ): Promise<PortAnswer> => {
    if (Buffer.byteLength(body) > bytesMax)
      return portAnswer(problemAnswer('too-large', `The body is larger than ${bytesMax} bytes.`));
    const admission = gateway.admit({ dataset, forwarded: false });
    if ('refused' in admission) return portAnswer(admission.refused);
    try {
      return portAnswer(await write());
    } finally {
      admission.release();
    }
  };

  return {
    write: (call) =>
      answered(() =>
        admitted(call, BODY_BYTES_MAX, () => {
          const { body, dataset, idempotencyKey } = call;
          const key = idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey };
          return gateway.write({ dataset, body, headers: { ...traceHeaders(), ...key } });
        }),
      ),
    writeBatch: (call) =>
      answered(() =>
        admitted(call, BATCH_BODY_BYTES_MAX, () =>
          gateway.writeBatch({ dataset: call.dataset, body: call.body, headers: traceHeaders() }),
        ),
      ),
    receipt: (call) =>
      answered(async () => {
        const { dataset, idempotencyKey } = call;
        return portAnswer(
          await gateway.receipt({
            dataset,
            idempotencyKey,
            query: receiptQuery(call),
            headers: traceHeaders(),
          }),
        );
      }),
    row: (call) =>
      answered(async () => {
        const { dataset, key, token } = call;
        const headers = { ...traceHeaders(), ...(token === null ? {} : { 'lockstep-token': token }) };
        return portAnswer(await gateway.row({ dataset, key, query: rowQuery(call), headers }));
      }),
    changes: ({ dataset, from }) =>
      answered(async () => {
        if (feeds.size + opening >= FEEDS_MAX)
          return portAnswer(problemAnswer('overloaded', `${FEEDS_MAX} change feeds are open.`));
        const headers = from === null ? {} : { 'last-event-id': from };
        opening += 1;
        const opened = await gateway.changes({ dataset, query: {}, headers }).finally(() => (opening -= 1));
        if (!('next' in opened)) return portAnswer(opened);
        const feed: PortFeed = {
          next: async () => (await opened.next())?.map(feedEvent) ?? null,
          close: () => {
            feeds.delete(feed);
            opened.close();
          },
        };
        feeds.add(feed);
        if (closing.isOpen) feed.close();
        return feed;
      }),
    readiness: () => answered(() => Promise.resolve(portAnswer(health.ready()))),
    close: () => {
      closing.open();
      for (const feed of feeds) feed.close();
      return (ended ??= role.close());
    },
  };
}

function traceHeaders(): IncomingHeaders {
  const traceparent = presentTraceparent();
  return traceparent === null ? {} : { traceparent };
}

const portAnswer = ({ body, headers, status }: HttpAnswer): PortAnswer => ({
  status,
  body,
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
});
