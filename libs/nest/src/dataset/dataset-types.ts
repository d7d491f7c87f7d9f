/**
 * The generic shape of a dataset's types: what `lockstep catalogue types` writes (`Datasets['accounts']`), or a person by
 * hand. A handle `Dataset<Accounts>` takes no event that is not of this union, and reads rows of this type.
 */

/** One event as a service writes it: the key that it belongs to, its type, and data that fits the type's schema. */
export interface DatasetEvent {
  /** `group:id`. */
  readonly key: string;
  readonly type: string;
  /** Version of the type's schema; 1 where it is absent. */
  readonly v?: number;
  readonly data: object;
}

export interface DatasetTypes {
  readonly key: string;
  /** Union of all events: told apart by `type`. */
  readonly event: DatasetEvent;
  /** The columns of the projected table, without `id` and `lockstep_version`. */
  readonly row: object;
}

/** An event of a dataset, with what it expects of its key's row: 0 = there is none. */
export type EventOf<Types extends DatasetTypes> = Types['event'] & { readonly expectedVersion?: number };

export type KeyOf<Types extends DatasetTypes> = Types['key'];
