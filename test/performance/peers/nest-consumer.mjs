/**
 * What a team would write first: a NestJS microservice on its Kafka transport that hands each message to TypeORM's `save`.
 * Run beside its own packages; says `begun` at the first message and `done` behind the last one on standard output.
 */
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload, Transport } from '@nestjs/microservices';
import { DataSource, EntitySchema } from 'typeorm';

const { broker, topic, group, url, count } = JSON.parse(process.argv[2]);

const Reading = new EntitySchema({
  name: 'readings',
  columns: {
    id: { type: 'text', primary: true },
    sensor: { type: 'text', nullable: true },
    value: { type: 'double precision', nullable: true },
    at: { type: 'timestamptz', nullable: true },
    lockstep_version: { type: 'bigint' },
  },
});
const database = await new DataSource({ type: 'postgres', url, entities: [Reading] }).initialize();
const readings = database.getRepository(Reading);
let handled = 0;

class ReadingsController {
  async recorded({ key, version, ...columns }) {
    if (handled === 0) process.stdout.write('begun\n');
    await readings.save({ id: key, ...columns, lockstep_version: version });
    handled += 1;
    if (handled === count) process.stdout.write('done\n');
  }
}
const handler = Object.getOwnPropertyDescriptor(ReadingsController.prototype, 'recorded');
Payload()(ReadingsController.prototype, 'recorded', 0);
EventPattern(topic)(ReadingsController.prototype, 'recorded', handler);
Controller()(ReadingsController);

class AppModule {}
Module({ controllers: [ReadingsController] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  transport: Transport.KAFKA,
  options: {
    client: { brokers: [broker], clientId: 'peer' },
    consumer: { groupId: group },
    subscribe: { fromBeginning: true },
  },
  logger: ['error'],
});
await app.listen();
