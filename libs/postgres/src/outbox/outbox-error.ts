/**
 * What a transaction over replicated entities can be refused for. It rolls back as a whole: nothing was changed and nothing
 * will be sent. Every refusal has a stable code and says what to do next.
 */
const REFUSALS = {
  'not-owner': 'Save it in a service of the home region; after a failover the new home takes it.',
  moving: 'Save it again in a moment; when its shard has moved, the new home takes it.',
  'backlog-full': 'Wait until the log takes entries again (see the lag of the shard), then save again.',
  'several-shards': 'Save rows of one shard per transaction, or give their keys a common part before "/".',
  'bulk-change': 'Load the entities and save them; statements that bypass entities are not replicated.',
  'no-events': 'Let `events` describe every change of the row, or leave the row alone.',
  schema: 'Let `events` answer what the dataset of the catalogue knows.',
  'bad-key': 'Give the entity a key of the form group:id, with a group of the dataset.',
  'too-large': 'Save fewer entities in one transaction.',
  'not-ready': 'Wait until the replicator of this region has folded the shard once.',
  misconfigured: 'Correct what the message names.',
} as const;

export type OutboxRefusal = keyof typeof REFUSALS;

export class OutboxError extends Error {
  /** What to do next, in a sentence. */
  readonly next: string;

  /** Of `not-owner`: the region that owns the shard now, as far as this one knows. Null otherwise. */
  readonly home: string | null;

  constructor(
    readonly code: OutboxRefusal,
    detail: string,
    { cause, home = null }: { readonly cause?: unknown; readonly home?: string | null } = {},
  ) {
    super(`${detail}. ${REFUSALS[code]}`, cause === undefined ? {} : { cause });
    this.name = 'OutboxError';
    this.next = REFUSALS[code];
    this.home = home;
  }
}

/** Raised by the functions of the schema `lockstep`. */
const BY_STATE: { readonly [sqlState: string]: OutboxRefusal } = {
  LS002: 'bulk-change',
  LS003: 'not-owner',
  LS004: 'backlog-full',
  LS005: 'moving',
};

/** The refusal that a database error stands for; null for any other. */
export function refusalOf(error: unknown): OutboxError | null {
  const driver = (error as { readonly driverError?: unknown } | null)?.driverError ?? error;
  const { code, detail, message } = driver as {
    readonly code?: unknown;
    readonly detail?: unknown;
    readonly message?: unknown;
  };
  const refusal = typeof code === 'string' ? BY_STATE[code] : undefined;
  if (refusal === undefined) return null;
  const home = refusal === 'not-owner' && typeof detail === 'string' && detail !== '' ? detail : null;
  return new OutboxError(refusal, String(message), { cause: error, home });
}
