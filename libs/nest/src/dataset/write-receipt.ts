/** The receipt of an accepted write: how far it got when it was answered, and how far it is when asked again. */
import { STAGES, type Receipt, type Stage } from '@lockstep/protocol';

export class WriteReceipt {
  constructor(
    /** As the gateway told it. */
    readonly told: Receipt,
    /** The key had this outcome before: the answer of the first time. */
    readonly replayed: boolean,
    private readonly ask: (stage: Stage, timeoutMs: number | undefined) => Promise<WriteReceipt>,
  ) {}

  /** The idempotency key, given or minted. */
  get id(): string {
    return this.told.id;
  }

  /** The highest that was reached when this was told. */
  get stage(): Stage | null {
    return this.told.stage;
  }

  /** By key; what an `expectedVersion` compares with. Empty until the log's verdict is known. */
  get versions(): { readonly [key: string]: number } {
    return this.told.versions ?? {};
  }

  /** For reads of one's own write in any region; null until the log's verdict is known. */
  get token(): string | null {
    return this.told.token ?? null;
  }

  /** True when the stage, or a higher one, was reached when this was told. */
  has(stage: Stage): boolean {
    return reaches(this.told, stage);
  }

  /**
   * The receipt once the write has got so far. @throws StageNotReached after the time-out: the write stands and goes
   * on by itself.
   */
  async reached(stage: Stage, options: { readonly timeoutMs?: number } = {}): Promise<WriteReceipt> {
    return this.has(stage) ? this : this.ask(stage, options.timeoutMs);
  }
}

export const reaches = ({ degraded, stages }: Receipt, stage: Stage): boolean =>
  (degraded === true && stage === 'quorum') ||
  STAGES.slice(STAGES.indexOf(stage)).some((one) => one !== 'stored' && stages[one] !== undefined);
