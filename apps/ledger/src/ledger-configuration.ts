/** What the process is told by its environment, read once; all that cannot be used is named at once. */
import { z } from 'zod';

const LISTEN_PATTERN = /^(?<host>127\.0\.0\.1|localhost):(?<port>\d{1,5})$/;

const schema = z.object({
  /** The gateway of this service's region. */
  LEDGER_GATEWAY: z.url({ protocol: /^https?$/, error: 'must be the URL of a gateway' }),
  /** The database of this service's region, where its entities are. */
  LEDGER_DATABASE: z.url({ protocol: /^postgres(ql)?$/, error: 'must be the URL of a Postgres database' }),
  /** Loopback only: this service asks nobody who he is. */
  LEDGER_LISTEN: z
    .string()
    .regex(LISTEN_PATTERN, 'must be 127.0.0.1:PORT; port 0 takes a free one')
    .default('127.0.0.1:7801'),
});

export interface LedgerConfiguration {
  readonly gateway: string;
  readonly database: string;
  readonly host: string;
  readonly port: number;
}

/** @throws LedgerMisconfigured */
export function readLedgerConfiguration(environment: NodeJS.ProcessEnv): LedgerConfiguration {
  const read = schema.safeParse(environment);
  if (!read.success) {
    const findings = read.error.issues.map(({ message, path }) => `${path.join('.')} ${message}.`);
    throw new LedgerMisconfigured(findings.join('\n'));
  }
  const { host, port } = LISTEN_PATTERN.exec(read.data.LEDGER_LISTEN)!.groups!;
  const { LEDGER_DATABASE, LEDGER_GATEWAY } = read.data;
  return { gateway: LEDGER_GATEWAY, database: LEDGER_DATABASE, host: host!, port: Number(port) };
}

export class LedgerMisconfigured extends Error {}
