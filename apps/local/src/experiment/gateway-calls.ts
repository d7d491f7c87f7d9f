/**
 * Calls of one gateway over kept connections. An answer, or the code of what went wrong and whether it is certain that
 * nothing was sent; it never throws. `node:http`, because fetch costs a client more, and it shares its cores with the
 * cluster that it loads.
 */
import { Agent, request } from 'node:http';
import type { HeardAnswer } from '@lockstep/testing/workload';

export type CallEnd =
  | { readonly kind: 'answered'; readonly answer: HeardAnswer }
  | { readonly kind: 'unanswered'; readonly code: string; readonly nothingSent: boolean };

/** As long as a gateway keeps a silent connection, less a margin: it is not used at the moment in which it is closed. */
const IDLE_MS_MAX = 30_000;
const PROBE_MS_MAX = 5_000;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export class GatewayCalls {
  private readonly agent: Agent;

  constructor(
    readonly region: string,
    private readonly address: string,
    socketsMax: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: socketsMax, timeout: IDLE_MS_MAX });
  }

  /** Any answer at all. */
  async answers(): Promise<boolean> {
    const end = await this.get({ path: '/healthz', token: null, withinMs: PROBE_MS_MAX, signal: null });
    return end.kind === 'answered';
  }

  /** @param call.token what the caller has seen already. */
  get(call: {
    readonly path: string;
    readonly token: string | null;
    readonly withinMs: number;
    readonly signal: AbortSignal | null;
  }): Promise<CallEnd> {
    const { token, ...asked } = call;
    const headers = token === null ? {} : { 'lockstep-token': token };
    return this.call({ ...asked, method: 'GET', body: '', headers });
  }

  post(call: {
    readonly path: string;
    readonly body: string;
    readonly idempotencyKey: string | null;
    readonly withinMs: number;
    readonly signal: AbortSignal;
  }): Promise<CallEnd> {
    const { idempotencyKey, ...asked } = call;
    const headers = idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey };
    return this.call({ ...asked, method: 'POST', headers });
  }

  close(): void {
    this.agent.destroy();
  }

  private call(call: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body: string;
    readonly headers: { readonly [name: string]: string };
    readonly withinMs: number;
    readonly signal: AbortSignal | null;
  }): Promise<CallEnd> {
    return new Promise((settle) => {
      const body = Buffer.from(call.body);
      const outgoing = request(new URL(call.path, this.address), {
        agent: this.agent,
        method: call.method,
        headers: {
          'content-type': 'application/json',
          'content-length': body.length,
          ...call.headers,
        },
        ...(call.signal === null ? {} : { signal: call.signal }),
      });
      const patience = setTimeout(() => outgoing.destroy(withCode('no-answer-in-time')), call.withinMs);
      const end = (ended: CallEnd): void => {
        clearTimeout(patience);
        settle(ended);
      };
      const broken = (error: NodeJS.ErrnoException): void => {
        const code = error.code ?? error.name;
        // A connection that was refused never carried a byte; of every other failure that is not known.
        end({ kind: 'unanswered', code, nothingSent: code === 'ECONNREFUSED' });
      };
      outgoing.on('error', broken);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes > ANSWER_BYTES_MAX) outgoing.destroy(withCode('answer-too-large'));
        });
        response.on('error', broken);
        response.on('end', () =>
          end({
            kind: 'answered',
            answer: {
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString('utf8'),
            },
          }),
        );
      });
      outgoing.end(body);
    });
  }
}

const withCode = (code: string): Error => Object.assign(new Error(code), { code });
