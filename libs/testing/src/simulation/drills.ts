/**
 * Dry runs of moves, each just before the same move is asked of the same coordinator (P22): what a drill says is what the move is
 * then told, and nothing comes of the drill itself. Both are judged in one turn of the process, so from the same knowledge.
 */
import type { Coordinator } from '@lockstep/engine';
import {
  CONTROL_TOPIC,
  type Answer,
  type AskedMove,
  type MoveKind,
  type ShardName,
} from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { controlHistoryOf } from '../history/control-history.js';
import type { Tally } from './tally.js';
import { violationsOf, type Violation } from './violation.js';

type OperatorCalls = Coordinator['operator'];
type Asked = Omit<AskedMove, 'dryRun'>;

/** Nothing in the control log may ever be of it. */
const DRILL = 'drill';

interface Told {
  readonly allowed: boolean;
  readonly entriesLost: number | null;
}

/** Of a real move: `checks` where it was refused by them, `real` where it is done. */
interface Came {
  readonly code?: string;
  readonly checks?: readonly unknown[];
  readonly real?: { readonly entriesLost: number | null };
}

export class Drills {
  private readonly untrue: string[] = [];

  constructor(private readonly tally: Tally) {}

  /** In the process of the coordinator. */
  async moveAfterDrill(
    operator: OperatorCalls,
    kind: MoveKind,
    shard: ShardName,
    asked: Asked,
    caller: string,
  ): Promise<void> {
    // Both are begun before anything else can happen.
    const rehearsed = operator.move(kind, shard, { ...asked, dryRun: true, reason: DRILL }, DRILL);
    const moved = operator.move(kind, shard, { ...asked, dryRun: false }, caller);
    const drill = await rehearsed;
    if (drill.status !== 200) return;
    this.tally.add('drill');
    this.compare(`${kind} of ${shard} to ${asked.to}`, JSON.parse(drill.body) as Told, await moved);
  }

  violations({ log }: SimulatedCluster): readonly Violation[] {
    const { commands } = controlHistoryOf(
      log.records(CONTROL_TOPIC, 0),
      () => 0,
      () => null,
    );
    const left = commands.flatMap(({ at, command }) =>
      ('reason' in command && command.reason === DRILL) || ('actor' in command && command.actor === DRILL)
        ? [`${command.kind} at ${at}`]
        : [],
    );
    return [
      ...violationsOf(
        { invariant: null, code: 'drill-acted', sentence: 'A dry run left an entry in the control log.' },
        left,
      ),
      ...violationsOf(
        {
          invariant: null,
          code: 'drill-untrue',
          sentence: 'A move was told something else than the dry run just before it.',
        },
        this.untrue,
      ),
    ];
  }

  private compare(move: string, drill: Told, { body, status }: Answer): void {
    const came = JSON.parse(body) as Came;
    const isRefused = came.checks !== undefined;
    const isDecided = status === 202 || came.code === 'move-ended' || came.real !== undefined;
    // Who does not lead, or does not reach the log, decides nothing.
    if (!isRefused && !isDecided) return;
    this.tally.add(isRefused ? 'drill: refused alike' : 'drill: decided alike');
    if (drill.allowed === isRefused)
      this.untrue.push(`${move}: ${drill.allowed ? 'allowed' : 'refused'} in the drill, and not then`);
    const lost = came.real?.entriesLost ?? null;
    if (lost !== null && drill.entriesLost !== null && lost > drill.entriesLost)
      this.untrue.push(`${move}: lost ${lost} entries, ${drill.entriesLost} were said`);
  }
}
