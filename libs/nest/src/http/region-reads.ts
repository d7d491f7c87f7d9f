/**
 * What a coordinator asks other roles for a person's browser, which knows one address only: the gateway and the coordinator of
 * a region, each by that role's own call, whose answer is handed on as it stands. Only reads that change nothing are here. A
 * region that does not answer is told as such: its facts are unknown, not old and not well.
 *
 * Bounded: reads under way, the time and the length of an answer.
 */
import { Agent } from 'node:http';
import { isPortError } from '@lockstep/engine';
import type { RegionName } from '@lockstep/protocol';
import { exchange } from '@lockstep/transport';
import type { IncomingHeaders, IncomingQuery } from './gateway-api.js';
import { problemAnswer, type HttpAnswer } from './http-answer.js';

export const READS_IN_FLIGHT_MAX = 128;
const ANSWER_MS_MAX = 3_000;
/** `GET /v1/shards` of a region with thousands of shards. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface RegionRead {
  readonly role: 'gateway' | 'coordinator';
  /** Escaped. */
  readonly path: string;
  readonly query: IncomingQuery;
  readonly headers: IncomingHeaders;
}

export interface RegionReads {
  ask(region: string, read: RegionRead): Promise<HttpAnswer>;
  close(): void;
}

export interface RegionAddresses {
  readonly gateway: string;
  readonly coordinator: string;
}

export function httpRegionReads(addresses: ReadonlyMap<RegionName, RegionAddresses>): RegionReads {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
  let inFlight = 0;
  return {
    ask: async (region, { headers, path, query, role }) => {
      const known = addresses.get(region as RegionName);
      if (known === undefined) return problemAnswer('not-found', `there is no region ${region.slice(0, 64)}`);
      if (inFlight >= READS_IN_FLIGHT_MAX)
        return problemAnswer('overloaded', `${inFlight} reads of regions are under way.`);
      inFlight += 1;
      try {
        const url = new URL(path, known[role]);
        url.search = new URLSearchParams({ ...query }).toString();
        const answer = await exchange({
          method: 'GET',
          url,
          agent,
          // Who asks is judged where the facts are, as if asked there.
          headers: headers['authorization'] === undefined ? {} : { authorization: headers['authorization'] },
          body: null,
          timeoutMs: ANSWER_MS_MAX,
          answerGraceMs: 0,
          answerBytesMax: ANSWER_BYTES_MAX,
          decode: (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes),
          name: 'region-read',
          what: `The ${role} of ${region}`,
        });
        return { status: answer.status, headers: headersToTell(answer.headers), body: answer.body };
      } catch (error) {
        if (!isPortError(error)) throw error;
        return problemAnswer('region-silent', `${error.message}.`);
      } finally {
        inFlight -= 1;
      }
    },
    close: () => agent.destroy(),
  };
}

const headersToTell = (headers: IncomingHeaders): IncomingHeaders =>
  Object.fromEntries(
    ['content-type', 'retry-after', 'www-authenticate'].flatMap((name) =>
      headers[name] === undefined ? [] : [[name, headers[name]]],
    ),
  );
