/**
 * The gateway of the engine behind the routes: headers become a caller, answers go out as they are; reads are traced.
 */
import type { Caller, Clock, Gateway, Quarantine } from '@lockstep/engine';
import { answerJson, answerProblem, problem, type Answer } from '@lockstep/protocol';
import type { Telemetry } from '@lockstep/telemetry';
import { FORWARDED_HEADER, parseForwarded, type Forwarded } from '@lockstep/transport';
import type { EntryRequest, GatewayApi, IncomingHeaders } from './gateway-api.js';
import { PRINCIPAL } from './principal.js';

const HOPS_MAX = 1;

type CallerReading =
  { readonly caller: Caller; readonly idempotencyKey: string | null } | { readonly refused: Answer };

/** As spans name them: with placeholders, never with a key. */
const RECEIPT_ROUTE = '/v1/datasets/{dataset}/receipts/{idempotencyKey}';
const ROW_ROUTE = '/v1/datasets/{dataset}/rows/{key}';
const ROWS_ROUTE = '/v1/rows';

const REAPPLY_ROUTE = '/v1/quarantine/{id}/reapply';
const DISCARD_ROUTE = '/v1/quarantine/{id}/discard';

export function gatewayApi(
  gateway: Gateway,
  quarantine: Quarantine,
  telemetry: Telemetry,
  clock: Pick<Clock, 'nowMs'>,
): GatewayApi {
  const told = (refused: Answer): Answer => {
    telemetry.requestRefused(refused.status, refused.code ?? 'none');
    return refused;
  };
  const notFound = (what: string): Answer => answerProblem(problem('not-found', what));
  /** A write tells of itself; a read is told here, a defect too. */
  const traced = async (
    method: string,
    route: string,
    { trace: span }: Caller,
    read: () => Promise<Answer>,
  ): Promise<Answer> => {
    const startedAtMs = clock.nowMs();
    let status = 500;
    try {
      const answer = await read();
      status = answer.status;
      return answer;
    } finally {
      telemetry.httpSpan({ method, route, status, startedAtMs, endedAtMs: clock.nowMs(), span });
    }
  };
  const ofEntry = async (
    route: string,
    { body, headers, id }: EntryRequest,
    act: (call: Parameters<Quarantine['reapply']>[0]) => Promise<Answer>,
  ): Promise<Answer> => {
    const reading = readCaller(headers, telemetry);
    if ('refused' in reading) return told(reading.refused);
    const { caller } = reading;
    return traced('POST', route, caller, () => act({ id, body, caller }));
  };
  return {
    refusal: (write) => {
      const refused = gateway.admission.refusal(write);
      return refused === null ? null : told(refused);
    },
    admit: (write) => {
      const admitted = gateway.admission.enter(write);
      return 'refused' in admitted ? { refused: told(admitted.refused) } : admitted;
    },
    write: async ({ dataset, body, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return told(reading.refused);
      return gateway.write({ dataset, body, ...reading });
    },
    writeBatch: async ({ dataset, body, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return told(reading.refused);
      return gateway.writeBatch({ dataset, body, caller: reading.caller });
    },
    receipt: async ({ dataset, idempotencyKey, query, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return told(reading.refused);
      const { caller } = reading;
      return traced('GET', RECEIPT_ROUTE, caller, () =>
        gateway.receipt({ dataset, idempotencyKey, query, caller }),
      );
    },
    row: async ({ dataset, key, query, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return told(reading.refused);
      const { caller } = reading;
      const token = headers['lockstep-token'] ?? null;
      return traced('GET', ROW_ROUTE, caller, () => gateway.row({ dataset, key, query, token, caller }));
    },
    rows: async ({ body, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return told(reading.refused);
      const { caller } = reading;
      const token = headers['lockstep-token'] ?? null;
      return traced('POST', ROWS_ROUTE, caller, () => gateway.rowsTogether({ body, token, caller }));
    },
    changes: async ({ dataset, query, headers }) => {
      const opened = await gateway.changes({ dataset, query, lastEventId: headers['last-event-id'] ?? null });
      return 'next' in opened ? opened : told(opened);
    },
    quarantine: ({ query }) => quarantine.list(query),
    quarantined: (id) => quarantine.show(id),
    reapply: (asked) => ofEntry(REAPPLY_ROUTE, asked, (call) => quarantine.reapply(call)),
    discard: (asked) => ofEntry(DISCARD_ROUTE, asked, (call) => quarantine.discard(call)),
    status: ({ query }) => Promise.resolve(gateway.status(query)),
    shards: () => Promise.resolve(answerJson(200, gateway.shards())),
    shard: (dataset, n) => {
      const shard = gateway.shard(dataset, n);
      return Promise.resolve(
        shard === null ? notFound(`there is no shard ${dataset}/${n}`) : answerJson(200, shard),
      );
    },
    outbox: (dataset, n) => quarantine.outbox(`${dataset}/${n}`),
  };
}

function readCaller(headers: IncomingHeaders, telemetry: Telemetry): CallerReading {
  const told = headers[FORWARDED_HEADER];
  const forwarded = told === undefined ? null : parseForwarded(told);
  if (told !== undefined && forwarded === null) {
    return { refused: answerProblem(problem('malformed', 'the header Lockstep-Forwarded cannot be read')) };
  }
  if (forwarded !== null && forwarded.hops > HOPS_MAX) {
    return { refused: answerProblem(problem('not-owner', 'a write is forwarded once only')) };
  }
  const forward = headers['lockstep-forward'];
  if (forward !== undefined && forward !== 'never') {
    return { refused: answerProblem(problem('malformed', 'Lockstep-Forward can only be "never"')) };
  }
  return {
    idempotencyKey: headers['idempotency-key'] ?? null,
    caller: {
      principal: forwarded?.principal ?? PRINCIPAL,
      trace: telemetry.openSpan(headers['traceparent'] ?? null),
      forwarded: forwarded === null ? null : toForwarded(forwarded),
      neverForward: forward === 'never',
    },
  };
}

const toForwarded = ({ epoch, hops, key, timeoutMs }: Forwarded): NonNullable<Caller['forwarded']> => ({
  hops,
  epoch,
  keyWasMinted: key === 'minted',
  isReapplied: key === 'outbox',
  timeoutMs,
});
