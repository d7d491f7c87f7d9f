/** The door of @lockstep/kafka: the log port on Kafka. */
export { kafkaLog } from './kafka-log.js';
export type { KafkaLogOptions } from './kafka-log.js';
export type { BrokerAddress, KafkaClient, SocketFactory } from './kafka-client.js';
