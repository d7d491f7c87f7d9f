/**
 * Rows of a dataset kept in memory, coherent by version: what was read is brought up to date by the change feed.
 *
 * - It never shows an older version of a key than it has shown, also of keys that it has forgotten: what was shown stands
 *   as a floor for its shard, and a read that is behind it is made again, behind the floor.
 * - It forgets everything when the feed is interrupted or has a gap, and reads through until another feed is open. That one
 *   begins anew: resumed in a region that is behind the position, it would tell nothing of what is read there meanwhile.
 * - Bounded: `keysMax` rows, those first forgotten that were not asked for longest (I17).
 */
import { decodeToken, encodeToken, type Position, type ShardName } from '@lockstep/protocol';
import { map, retry, tap, throwError, timer, type Subscription } from 'rxjs';
import type { Dataset } from '../dataset/dataset.js';
import type { DatasetTypes, KeyOf } from '../dataset/dataset-types.js';
import type { Current } from '../dataset/decision.js';
import { LockstepError } from '../dataset/lockstep-error.js';
import { inSession, RequestSession } from '../session/request-session.js';
import type { ChangeMessage } from './observe-changes.js';

const REOPEN_PAUSE_MS = 1_000;

/** Of the feed; nothing that it tells from then on is of use. */
class Interrupted extends Error {}

interface Entry<Types extends DatasetTypes> {
  readonly current: Current<Types>;
  /** Where its shard was when this was so; null where nothing is known of the shard. */
  readonly shard: ShardName | null;
  readonly at: Position | null;
}

type Change<Types extends DatasetTypes> = ChangeMessage<Types> & { readonly kind: 'change' };
type FeedMessage<Types extends DatasetTypes> = Exclude<
  ChangeMessage<Types>,
  { readonly kind: 'interrupted' }
>;

interface Loading<Types extends DatasetTypes> {
  newest: Change<Types> | null;
  readonly loaded: Promise<Current<Types>>;
}

export class DatasetCache<Types extends DatasetTypes> {
  private readonly entries = new Map<string, Entry<Types>>();
  private readonly loading = new Map<string, Loading<Types>>();
  private readonly floors = new Map<ShardName, Position>();
  private readonly following: Subscription;
  /** Counts what the feed told of itself; what was loaded across an interruption is not kept. */
  private life = 0;
  private isLive = false;

  constructor(
    private readonly dataset: Dataset<Types>,
    private readonly keysMax: number,
  ) {
    const delay = (error: unknown) =>
      error instanceof Interrupted || (error instanceof LockstepError && error.code === 'feed-expired')
        ? timer(REOPEN_PAUSE_MS)
        : throwError(() => error);
    this.following = dataset
      .changes()
      .pipe(map(uninterrupted), tap({ error: () => this.forget() }), retry({ delay }))
      .subscribe({
        next: (message) => this.take(message),
        // Without a feed every row is read anew, and whoever reads is told what is wrong.
        error: () => this.forget(),
        complete: () => this.forget(),
      });
  }

  /** The row and its version, from memory where the feed keeps it up to date, else read. */
  get(key: KeyOf<Types>): Promise<Current<Types>> {
    const known = this.isLive ? this.entries.get(key) : undefined;
    if (known !== undefined) {
      this.keep(key, known);
      return Promise.resolve(known.current);
    }
    return (this.loading.get(key) ?? this.load(key)).loaded;
  }

  /** Ends the feed; rows are read through from then on. */
  close(): void {
    this.following.unsubscribe();
    this.forget();
  }

  private load(key: KeyOf<Types>): Loading<Types> {
    const { isLive, life } = this;
    const load = async (): Promise<Current<Types>> => {
      try {
        const read = await this.read(key);
        const { newest } = loading;
        const entry = newest === null ? read : changed(read, newest);
        this.raiseFloor(entry);
        if (isLive && life === this.life) this.keep(key, entry);
        return entry.current;
      } finally {
        this.loading.delete(key);
      }
    };
    const loading: Loading<Types> = { newest: null, loaded: Promise.resolve().then(load) };
    this.loading.set(key, loading);
    return loading;
  }

  private async read(key: KeyOf<Types>): Promise<Entry<Types>> {
    const read = await this.readBehind(key, null);
    const floor = read.shard === null ? undefined : this.floors.get(read.shard);
    const isBehind =
      floor !== undefined &&
      floor.logIncarnation === read.at!.logIncarnation &&
      floor.sequence > read.at!.sequence;
    return isBehind ? this.readBehind(key, encodeToken(new Map([[read.shard!, floor]]))) : read;
  }

  /** In a session of its own, so that its token is where the row's shard was. */
  private async readBehind(key: KeyOf<Types>, token: string | null): Promise<Entry<Types>> {
    const session = new RequestSession(token);
    const current = await inSession(session, () => this.dataset.read(key));
    const [place] = session.token === null ? [] : (decodeToken(session.token) ?? []);
    return { current, shard: place?.[0] ?? null, at: place?.[1] ?? null };
  }

  private take(message: FeedMessage<Types>): void {
    this.isLive = true;
    if (message.kind === 'position') return;
    const loading = this.loading.get(message.key);
    if (loading !== undefined) loading.newest = message;
    const known = this.entries.get(message.key);
    if (known === undefined) return;
    const entry = changed(known, message);
    // In its place: a change is nobody's asking.
    this.entries.set(message.key, entry);
    this.raiseFloor(entry);
  }

  private keep(key: string, entry: Entry<Types>): void {
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (this.entries.size > this.keysMax) this.entries.delete(this.entries.keys().next().value!);
  }

  private raiseFloor({ at, shard }: Entry<Types>): void {
    if (at === null || shard === null) return;
    const floor = this.floors.get(shard);
    if (floor?.logIncarnation !== at.logIncarnation || floor.sequence < at.sequence)
      this.floors.set(shard, at);
  }

  private forget(): void {
    this.life += 1;
    this.isLive = false;
    this.entries.clear();
  }
}

/** @throws Interrupted in place of the message. */
function uninterrupted<Types extends DatasetTypes>(message: ChangeMessage<Types>): FeedMessage<Types> {
  if (message.kind === 'interrupted') throw new Interrupted();
  return message;
}

/** What was read at a place holds everything up to there; a change beyond it is newer. */
function changed<Types extends DatasetTypes>(
  entry: Entry<Types>,
  { key, row, version }: Change<Types>,
): Entry<Types> {
  const { at } = entry;
  if (at !== null && BigInt(version) <= at.sequence) return entry;
  const current: Current<Types> = { key, row, version: row === null ? 0 : version };
  return {
    ...entry,
    current,
    at: at === null ? null : { ...at, sequence: BigInt(version) as Position['sequence'] },
  };
}

/** @param options.keysMax how many rows are kept. */
export const datasetCache = <Types extends DatasetTypes>(
  dataset: Dataset<Types>,
  { keysMax }: { readonly keysMax: number },
): DatasetCache<Types> => new DatasetCache(dataset, keysMax);
