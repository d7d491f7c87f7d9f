/** Records that are ready to be appended, and appending them through the log port, one batch in flight per partition. */
import type { GatewayDataset, LogWriter } from '@lockstep/engine';
import type { OutgoingRecord } from '@lockstep/protocol';
import { batchesOf, headerOf } from './prepared-batches.ts';
import type { Entry } from './sample-writes.ts';

const TIMEOUT_MS = 60_000;

/** The batches of each partition. */
export type ReadyBatches = readonly (readonly (readonly OutgoingRecord[])[])[];

export function readyBatches(
  dataset: GatewayDataset,
  entries: readonly Entry[],
  entriesMax?: number,
): ReadyBatches {
  const byPartition = Map.groupBy(entries, ({ partition }) => partition);
  return Array.from({ length: dataset.partitions }, (_, partition) =>
    batchesOf(byPartition.get(partition) ?? [], entriesMax).map((batch) =>
      batch.map((entry, index) => ({
        key: entry.key,
        value: entry.text,
        header: headerOf(dataset, entry, index + 1),
        traceparent: null,
      })),
    ),
  );
}

export async function appendAll(writer: LogWriter, topic: string, batches: ReadyBatches): Promise<void> {
  await Promise.all(
    batches.map(async (ofPartition, partition) => {
      for (const records of ofPartition)
        await writer.append({ topic, partition, records, timeoutMs: TIMEOUT_MS });
    }),
  );
}
