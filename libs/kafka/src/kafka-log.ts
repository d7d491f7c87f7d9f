/**
 * The log port on Kafka. Everything here is composition; what each part promises stands in its file.
 */
import type { Log, LogReader, LogWriter } from '@lockstep/engine';
import { PortError } from '@lockstep/engine';
import { BrokerDirectory, type DirectoryOptions } from './broker-directory.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { ConnectionOptions, KafkaClient, SocketFactory } from './kafka-client.js';
import { KafkaReader } from './kafka-reader.js';
import { KafkaWriter } from './kafka-writer.js';
import { kafkajsClient } from './kafkajs-client.js';
import { logFailure } from './log-failure.js';

export interface KafkaLogOptions {
  /** Brokers to begin with, `host:port`; at least one. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** kafkajs where none is named; the other one is behind the door `@lockstep/kafka/platformatic`. */
  readonly client?: KafkaClient;
  /** Where connections lead through proxies; the default connects straight. With kafkajs only. */
  readonly socketFactory?: SocketFactory;
  /** Told of a batch that no publisher can have appended, whenever a reader steps over it (decision 0094). */
  readonly onForeignBatch?: NonNullable<DirectoryOptions['onForeignBatch']>;
  readonly onClientLog?: NonNullable<ConnectionOptions['onClientLog']>;
}

const OPEN_MS_MAX = 5_000;

/** Connects at the first need; nothing is opened by this call. */
export function kafkaLog(options: KafkaLogOptions): Log {
  const directory = new BrokerDirectory(options.brokers, {
    client: options.client ?? kafkajsClient,
    clientId: options.clientId,
    socketFactory: options.socketFactory ?? null,
    onClientLog: options.onClientLog ?? null,
    onForeignBatch: options.onForeignBatch ?? null,
  });
  const opened = new Set<LogWriter | LogReader>();
  let closed = false;

  return {
    async openWriter() {
      if (closed) throw closedError();
      const writer: KafkaWriter = new KafkaWriter(directory, () => opened.delete(writer));
      opened.add(writer);
      return writer;
    },
    async openReader(topic) {
      const places = await directory.places(topic, OPEN_MS_MAX).catch((error: unknown) => {
        throw logFailure(error, 'unsent', `opening a reader of ${topic}`);
      });
      if (closed) throw closedError();
      const reader: KafkaReader = new KafkaReader(topic, places, directory, () => opened.delete(reader));
      opened.add(reader);
      return reader;
    },
    admin: new KafkaAdmin(directory),
    async close() {
      closed = true;
      await Promise.all([...opened].map((open) => open.close()));
      directory.close();
    },
  };
}

const closedError = (): PortError => new PortError('log-closed', 'retryable', 'the log was closed');
