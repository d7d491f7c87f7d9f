/**
 * The dataset port over the ports of several gateways, the nearest first. It carries out what `nextGateway` decides.
 *
 * Upheld here: a call goes to another gateway only where it certainly had no effect, or where it is a read (I9); what may
 * stand is told as unknown, and whoever says it again under its key is led to a gateway that answers (I8). All that a call
 * asks of several gateways ends within its time (I17). A feed stands at the gateway that calls go to: when they move, it
 * breaks off, to be resumed where they have gone, so that nobody reads in one region what is older than another told.
 */
import { isPortError, PortError, type Clock } from '@lockstep/engine';
import type { DatasetPort, PortAnswer, PortFeed } from './dataset-port.js';
import { hearWrite } from './hear-answer.js';
import {
  ANSWERING,
  isMisplaced,
  nextGateway,
  shareMs,
  standingAfter,
  standingWhileAsked,
  type Attempt,
  type CallKind,
  type Choice,
  type Met,
  type Standing,
} from './next-gateway.js';

/** A region that says this serves nobody, whatever is asked of it. */
const FAILED_CODES: readonly string[] = ['not-ready', 'store-unavailable'];

interface Asking<Told> {
  readonly kind: CallKind;
  readonly timeoutMs: number;
  readonly ask: (port: DatasetPort, timeoutMs: number) => Promise<Told>;
}

interface OpenFeed {
  readonly gateway: number;
  readonly move: () => void;
}

/** @param ports at least one; this one ends them. */
export function routedDatasetPort(
  ports: readonly DatasetPort[],
  clock: Pick<Clock, 'monotonicMs'>,
): DatasetPort {
  const standings: Standing[] = ports.map(() => ANSWERING);
  const feeds = new Set<OpenFeed>();
  let isClosed = false;

  const settle = (choice: Choice, asked: Standing, met: Met): void => {
    const { gateway } = choice;
    const nowMs = clock.monotonicMs();
    standings[gateway] = standingAfter({ asked, choice, met, nowMs, present: standings[gateway]! });
    for (const feed of feeds) if (isMisplaced(feed.gateway, standings)) feed.move();
  };

  const routed = async <Told extends PortAnswer | PortFeed>({
    ask,
    kind,
    timeoutMs,
  }: Asking<Told>): Promise<{ readonly told: Told; readonly gateway: number }> => {
    const untilMs = clock.monotonicMs() + timeoutMs;
    const attempts: Attempt[] = [];
    // What is told where nobody serves the call: what the nearest said of it, else why it was not reached.
    let refusal: { readonly told: Told; readonly gateway: number } | null = null;
    let failure: PortError | null = null;
    for (;;) {
      const nowMs = clock.monotonicMs();
      const isOver = attempts.length > 0 && (isClosed || nowMs >= untilMs);
      const choice = isOver ? null : nextGateway({ standings, attempts, nowMs });
      if (choice === null) {
        if (refusal !== null) return refusal;
        throw failure!;
      }
      const { gateway } = choice;
      const asked = standings[gateway]!;
      standings[gateway] = standingWhileAsked(asked, choice);
      let met: Met = 'failed';
      try {
        const ms = shareMs({ kind, isLast: choice.isLast, leftMs: untilMs - nowMs });
        const told = await ask(ports[gateway]!, Math.max(1, Math.floor(ms)));
        met = metBy(told);
        if (met === 'answered') return { told, gateway };
        refusal ??= { told, gateway };
      } catch (error) {
        if (!isPortError(error) || (kind === 'write' && error.disposition !== 'retryable')) throw error;
        // Of a receipt that is settled, whether it was is as unknown as the least certain of the calls.
        if (failure?.disposition !== 'unknown') failure = error;
      } finally {
        settle(choice, asked, met);
      }
      if (met !== 'answered') attempts.push({ gateway, met });
    }
  };

  const answered = async (asking: Asking<PortAnswer>): Promise<PortAnswer> => (await routed(asking)).told;

  const placed = (feed: PortFeed, gateway: number): PortFeed => {
    let hasMoved = false;
    const open: OpenFeed = {
      gateway,
      move: () => {
        hasMoved = true;
        feeds.delete(open);
        feed.close();
      },
    };
    feeds.add(open);
    if (isMisplaced(gateway, standings)) open.move();
    const unlessMoved = (): void => {
      if (hasMoved)
        throw new PortError(
          'feed-moved',
          'retryable',
          'calls go to another gateway now, and the feed with them',
        );
    };
    return {
      next: async () => {
        unlessMoved();
        const events = await feed.next();
        // What nobody has taken yet is told again where it is resumed.
        unlessMoved();
        return events;
      },
      close: () => {
        feeds.delete(open);
        feed.close();
      },
    };
  };

  return {
    write: ({ timeoutMs, ...call }) =>
      answered({ kind: 'write', timeoutMs, ask: (port, ms) => port.write({ ...call, timeoutMs: ms }) }),
    writeBatch: ({ timeoutMs, ...call }) =>
      answered({ kind: 'write', timeoutMs, ask: (port, ms) => port.writeBatch({ ...call, timeoutMs: ms }) }),
    receipt: ({ timeoutMs, ...call }) =>
      answered({ kind: 'receipt', timeoutMs, ask: (port, ms) => port.receipt({ ...call, timeoutMs: ms }) }),
    row: ({ timeoutMs, ...call }) =>
      answered({
        kind: call.consistency === 'session' ? 'read-behind-token' : 'read',
        timeoutMs,
        ask: (port, ms) => port.row({ ...call, timeoutMs: ms }),
      }),
    changes: async ({ timeoutMs, ...call }) => {
      const { gateway, told } = await routed<PortFeed | PortAnswer>({
        kind: 'read',
        timeoutMs,
        ask: (port, ms) => port.changes({ ...call, timeoutMs: ms }),
      });
      return 'status' in told ? told : placed(told, gateway);
    },
    readiness: (timeoutMs) => answered({ kind: 'read', timeoutMs, ask: (port, ms) => port.readiness(ms) }),
    close: async () => {
      isClosed = true;
      await Promise.all(ports.map(async (port) => port.close()));
    },
  };
}

function metBy(told: PortAnswer | PortFeed): Met {
  if (!('status' in told) || (told.status !== 503 && told.status !== 412)) return 'answered';
  const heard = hearWrite(told);
  if (heard.kind === 'busy') return FAILED_CODES.includes(heard.problem.code) ? 'failed' : 'answered';
  return heard.kind === 'refused' && heard.problem.code === 'token-unreachable' ? 'behind' : 'answered';
}
