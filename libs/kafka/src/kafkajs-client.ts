/** kafkajs, with our own reading of batches: the client that is taken where none is named. */
import { readBatch } from './fetch-answer.js';
import type { KafkaClient } from './kafka-client.js';
import { newConnection } from './kafkajs-internals.js';

export const kafkajsClient: KafkaClient = { newConnection, readBatch };
