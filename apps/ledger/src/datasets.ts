/**
 * What may be written to each dataset of the catalogue, and what its rows hold.
 *
 * Generated: what is changed here is lost. Made anew, in the folder of this file, by the command below; with `--check`
 * behind it nothing is written, and it fails where this file is not what the catalogue says.
 *
 *   npx lockstep catalogue types --catalogue ../../../infra/catalogue/sample --out datasets.ts
 */

export interface Datasets {
  readonly accounts: {
    readonly key: `${'eu' | 'us' | 'ap'}:${string}`;
    readonly event:
      | {
          readonly key: KeyOf<'accounts'>;
          readonly type: 'credited';
          readonly v?: 1;
          /** Money came in */
          readonly data: {
            /** Minor units (whole, 1 to 9007199254740991) */
            readonly amount: number;
          };
          readonly expectedVersion?: number;
        }
      | {
          readonly key: KeyOf<'accounts'>;
          readonly type: 'debited';
          readonly v?: 1;
          /** Money went out */
          readonly data: {
            /** Minor units (whole, 1 to 9007199254740991) */
            readonly amount: number;
          };
          readonly expectedVersion?: number;
        }
      | {
          readonly key: KeyOf<'accounts'>;
          readonly type: 'opened';
          readonly v?: 1;
          /** An account was opened */
          readonly data: {
            /** 1 to 200 characters */
            readonly owner: string;
            /** ISO 4217 code, for example EUR (3 characters) */
            readonly currency: string;
          };
          readonly expectedVersion?: number;
        };
    readonly row: {
      readonly owner: string | null;
      readonly currency: string | null;
      readonly balance: number | null;
    };
  };
  readonly orders: {
    readonly key: `${'eu' | 'us' | 'ap'}:${string}`;
    readonly event:
      | {
          readonly key: KeyOf<'orders'>;
          readonly type: 'cancelled';
          readonly v?: 1;
          /** The order was cancelled */
          readonly data: {
            /** 1 to 500 characters */
            readonly reason: string;
          };
          readonly expectedVersion?: number;
        }
      | {
          readonly key: KeyOf<'orders'>;
          readonly type: 'paid';
          readonly v?: 1;
          /** The order was paid */
          readonly data: Readonly<Record<string, never>>;
          readonly expectedVersion?: number;
        }
      | {
          readonly key: KeyOf<'orders'>;
          readonly type: 'placed';
          readonly v?: 1;
          /** A customer placed an order */
          readonly data: {
            /** 1 to 200 characters */
            readonly customer: string;
            /** Minor units (whole, 0 to 9007199254740991) */
            readonly total: number;
          };
          readonly expectedVersion?: number;
        }
      | {
          readonly key: KeyOf<'orders'>;
          readonly type: 'shipped';
          readonly v?: 1;
          /** The order left the warehouse */
          readonly data: {
            /** 1 to 100 characters */
            readonly carrier: string;
          };
          readonly expectedVersion?: number;
        };
    readonly row: {
      readonly customer: string | null;
      readonly total: number | null;
      readonly status: string | null;
      readonly carrier: string | null;
      readonly reason: string | null;
    };
  };
  readonly readings: {
    readonly key: `${'eu' | 'us' | 'ap'}:${string}`;
    readonly event:
      | {
          readonly key: KeyOf<'readings'>;
          readonly type: 'recorded';
          readonly v?: 1;
          /** A sensor was read */
          readonly data: {
            /** 1 to 100 characters */
            readonly sensor: string;
            readonly value: number;
            /** RFC 3339 in UTC, at most microseconds (such as 2026-01-31T12:00:00Z) */
            readonly at: string;
          };
          readonly expectedVersion?: number;
        };
    readonly row: {
      readonly sensor: string | null;
      readonly value: number | null;
      readonly at: string | null;
    };
  };
}

export type DatasetName = keyof Datasets;

/** `group:id`. */
export type KeyOf<Name extends DatasetName> = Datasets[Name]['key'];

/** One change as it stands in `events` of a write: of any type, or of the one that is named. */
export type EventOf<
  Name extends DatasetName,
  Type extends Datasets[Name]['event']['type'] = Datasets[Name]['event']['type'],
> = Extract<Datasets[Name]['event'], { readonly type: Type }>;

/** The columns of a row as a gateway answers them: null where nothing was set. */
export type RowOf<Name extends DatasetName> = Datasets[Name]['row'];
