/** The service behind HTTP: input judged by schemas, its description at /openapi.json, its pages at /openapi. */
import {
  ConsoleLogger,
  StandardSchemaValidationPipe,
  type DynamicModule,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { LedgerModule } from './ledger-module.js';

export async function ledgerApplication(
  lockstep: DynamicModule,
  database: DynamicModule,
  options: { readonly quiet: boolean } = { quiet: false },
): Promise<INestApplication> {
  const logger = options.quiet ? false : new ConsoleLogger({ json: true });
  const application = await NestFactory.create(LedgerModule.with(lockstep, database), { logger });
  application.useGlobalPipes(new StandardSchemaValidationPipe());
  const description = new DocumentBuilder()
    .setTitle('Ledger')
    .setDescription('Accounts, transfers and customers, replicated over regions.')
    .setVersion('1')
    .build();
  SwaggerModule.setup('openapi', application, () => SwaggerModule.createDocument(application, description), {
    jsonDocumentUrl: 'openapi.json',
  });
  return application;
}
