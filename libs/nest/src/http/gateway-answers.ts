/**
 * The gateway of the engine behind the routes: headers become a caller, answers go out as they are.
 */
import type { Caller, Gateway } from '@lockstep/engine';
import { answerJson, answerProblem, problem, type Answer } from '@lockstep/protocol';
import type { Telemetry } from '@lockstep/telemetry';
import { FORWARDED_HEADER, parseForwarded, type Forwarded } from '@lockstep/transport';
import type { GatewayApi, IncomingHeaders } from './gateway-api.js';
import { PRINCIPAL } from './principal.js';

const HOPS_MAX = 1;

type CallerReading =
  { readonly caller: Caller; readonly idempotencyKey: string | null } | { readonly refused: Answer };

export function gatewayApi(gateway: Gateway, telemetry: Telemetry): GatewayApi {
  const notFound = (what: string): Answer => answerProblem(problem('not-found', what));
  return {
    refusal: (write) => gateway.admission.refusal(write),
    admit: (write) => gateway.admission.enter(write),
    write: async ({ dataset, body, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return reading.refused;
      return gateway.write({ dataset, body, ...reading });
    },
    writeBatch: async ({ dataset, body, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return reading.refused;
      return gateway.writeBatch({ dataset, body, caller: reading.caller });
    },
    receipt: async ({ dataset, idempotencyKey, query, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return reading.refused;
      return gateway.receipt({ dataset, idempotencyKey, query, caller: reading.caller });
    },
    row: async ({ dataset, key, query, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return reading.refused;
      const token = headers['lockstep-token'] ?? null;
      return gateway.row({ dataset, key, query, token, caller: reading.caller });
    },
    rows: async ({ body, headers }) => {
      const reading = readCaller(headers, telemetry);
      if ('refused' in reading) return reading.refused;
      const token = headers['lockstep-token'] ?? null;
      return gateway.rowsTogether({ body, token, caller: reading.caller });
    },
    quarantine: ({ query }) => gateway.quarantine(query),
    status: ({ query }) => Promise.resolve(gateway.status(query)),
    shards: () => Promise.resolve(answerJson(200, gateway.shards())),
    shard: (dataset, n) => {
      const shard = gateway.shard(dataset, n);
      return Promise.resolve(
        shard === null ? notFound(`there is no shard ${dataset}/${n}`) : answerJson(200, shard),
      );
    },
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
  timeoutMs,
});
