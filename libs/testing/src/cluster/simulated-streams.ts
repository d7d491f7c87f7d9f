/**
 * Requests and streams between processes of a simulated world: what is sent travels, may be cut off, and is lost with the
 * process that was to answer it.
 */
import { PortError, type StreamConnection, type StreamFrame, type Subscription } from '@lockstep/engine';
import type { Network } from '../world/network.js';
import type { Process } from '../world/process.js';
import { stepOf, type Step } from '../world/step.js';
import type { World } from '../world/world.js';

/**
 * What becomes of the frames of one message. `duplicated`: those of the message before come once more. What a stream may
 * do is `delayed`, `verdicts-dropped` and `broken`; the ledger stands the others as well.
 */
export type FrameFate = 'told' | 'delayed' | 'duplicated' | 'reordered' | 'verdicts-dropped' | 'broken';

const RETRANSMIT_MS = 200;
/** A connection whose way is cut for so long is given up. */
const STREAM_LOST_MS = 5_000;
/** A connection whose other side does not even say that it is there is given up. */
const SILENCE_MS_MAX = 3_000;
const DELAY_MS_MAX = 1_500;

export interface Request<Server extends { readonly process: Process }, T> {
  readonly from: Process;
  readonly place: string;
  readonly label: string;
  readonly timeoutMs: number;
  /** The process that is at the place when the request arrives; null while none is. */
  readonly server: () => Server | null;
  readonly serve: (server: Server) => Promise<T>;
  readonly refused: () => Error;
  readonly unanswered: () => Error;
}

/** One request from process to process: there, served, and back. */
export async function request<Server extends { readonly process: Process }, T>(
  world: World,
  network: Network,
  asked: Request<Server, T>,
): Promise<T> {
  const { from, label, place, refused, server, serve, timeoutMs, unanswered } = asked;
  const step = stepOf(label);
  const answer = await from.reaching(place).complete(
    label,
    () => {
      const serving = server();
      if (serving === null) throw refused();
      const served = servedBy(serving, serve, unanswered, step === 'connect' ? step : 'settle');
      // Where the way back is cut, nobody waits for it.
      served.catch(() => undefined);
      return { served };
    },
    { afterMs: timeoutMs, error: unanswered },
  );
  from.unanswered.add(step, 1);
  return new Promise((resolve, reject) => {
    const enter = (run: () => void): void =>
      from.enter(() => {
        from.unanswered.add(step, -1);
        run();
      });
    const giveUp = world.after(timeoutMs, null, () => enter(() => reject(unanswered())));
    const back = (run: () => void): void => {
      world.after(world.latencyMs(), `${from.place}: answer ${label}`, () => {
        const cut = network.cutBetween(place, from.place);
        if (cut !== null) return world.hit(cut.fault, step === 'connect' ? step : 'settle');
        giveUp();
        enter(run);
      });
    };
    answer.served.then(
      (value) => back(() => resolve(value)),
      (error: unknown) => back(() => reject(error as Error)),
    );
  });
}

function servedBy<Server extends { readonly process: Process }, T>(
  server: Server,
  serve: (server: Server) => Promise<T>,
  broken: () => Error,
  step: Step,
): Promise<T> {
  const { process } = server;
  return new Promise((resolve, reject) => {
    const takeBack = process.onEnd(() => reject(broken()));
    process.enter(() => {
      process.underWay.add(step, 1);
      serve(server)
        .then(resolve, reject)
        .finally(() => {
          process.underWay.add(step, -1);
          takeBack();
        })
        .catch(() => undefined);
    });
  });
}

/** The listener's end of a stream that `server` feeds. */
export function streamConnection(
  world: World,
  network: Network,
  options: {
    readonly listener: Process;
    readonly server: Process;
    readonly subscription: Subscription;
    readonly fate: () => FrameFate;
  },
): StreamConnection {
  const { fate, listener, server, subscription } = options;
  const chance = world.branch(`stream ${server.place} ${listener.place}`);
  const lost = (): PortError => new PortError('stream-lost', 'retryable', `${server.place} is out of reach`);
  let before: readonly StreamFrame[] = [];
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const sentAtMs = world.nowMs();
        const settle = (run: () => void): void => {
          stopListening();
          listener.enter(run);
        };
        const end = (): void => {
          subscription.close();
          settle(() => reject(lost()));
        };
        let stopListening = (): void => undefined;
        // A paused process says nothing; what it had to say is lost when it is killed before it goes on.
        const listenOn = (): void => {
          stopListening = world.after(SILENCE_MS_MAX, null, () => (server.isRunning ? listenOn() : end()));
        };
        listenOn();
        const travel = (frames: readonly StreamFrame[]): void => {
          const drawn = fate();
          if (drawn !== 'told') world.hit(`frames-${drawn}`, 'frames');
          if (drawn === 'broken') return end();
          const delayMs = drawn === 'delayed' ? chance.below(DELAY_MS_MAX) : 0;
          const arriving = struckBy(drawn, frames, before, () => chance.next());
          before = frames;
          server.underWay.add('frames', 1);
          const arrive = (): void => {
            server.underWay.add('frames', -1);
            const cut = network.cutBetween(server.place, listener.place);
            if (cut === null) return settle(() => resolve(arriving));
            world.hit(cut.fault, 'frames');
            if (world.nowMs() - sentAtMs > STREAM_LOST_MS) return end();
            server.underWay.add('frames', 1);
            world.after(RETRANSMIT_MS, null, arrive);
          };
          world.after(world.latencyMs() + delayMs, `${listener.place}: frames ${server.place}`, arrive);
        };
        subscription.next().then(
          (frames) => server.enter(() => travel(frames)),
          () => world.after(world.latencyMs(), null, end),
        );
      }),
    close: () => subscription.close(),
  };
}

function struckBy(
  fate: FrameFate,
  frames: readonly StreamFrame[],
  before: readonly StreamFrame[],
  random: () => number,
): readonly StreamFrame[] {
  switch (fate) {
    case 'duplicated':
      return [...before, ...frames, ...frames];
    case 'reordered':
      return frames
        .map((frame) => ({ frame, at: random() }))
        .sort((x, y) => x.at - y.at)
        .map(({ frame }) => frame);
    case 'verdicts-dropped': {
      const left = frames.filter(({ kind }) => kind !== 'verdicts');
      return left.length > 0 ? left : before;
    }
    case 'told':
    case 'delayed':
    case 'broken':
      return frames;
  }
}
