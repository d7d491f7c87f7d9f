/** What a service imports: `forRoot` once, `forFeature` where handles are injected. It composes; it decides nothing. */
import { ConfigurableModuleBuilder, Inject, Injectable, Module } from '@nestjs/common';
import type {
  BeforeApplicationShutdown,
  DynamicModule,
  OnApplicationShutdown,
  Provider,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { DatasetPort } from '../dataset/dataset-port.js';
import { Dataset } from '../dataset/dataset.js';
import { LockstepClient } from '../dataset/lockstep-client.js';
import { LockstepInterceptor } from '../session/session.interceptor.js';
import { nodeClock, nodeIdentities } from '../world/node-world.js';
import { readLockstepConfiguration, type LockstepOptions } from './lockstep-configuration.js';
import { LockstepHealthIndicator } from './lockstep-health.js';
import { openDatasetPort } from './open-dataset-port.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<LockstepOptions>({
  moduleName: 'Lockstep',
})
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();

/** Waits for the calls under way before the application ends, and then ends what is left. */
@Injectable()
class LockstepShutdown implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(private readonly client: LockstepClient) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.client.calls.drain(this.client.configuration.drainMs);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.client.port.close();
  }
}

/** Everything but the client itself. */
const aroundClient: readonly Provider[] = [
  LockstepHealthIndicator,
  LockstepShutdown,
  { provide: APP_INTERCEPTOR, useClass: LockstepInterceptor },
];

@Module({
  providers: [
    {
      provide: LockstepClient,
      useFactory: async (options: LockstepOptions) => {
        const configuration = readLockstepConfiguration(options);
        return new LockstepClient(await openDatasetPort(configuration), configuration, nodeWorld());
      },
      inject: [MODULE_OPTIONS_TOKEN],
    },
    ...aroundClient,
  ],
  exports: [LockstepClient, LockstepHealthIndicator],
})
export class LockstepModule extends ConfigurableModuleClass {
  /** Handles that this module's providers inject with `@InjectDataset(name)`. */
  static forFeature(datasets: readonly string[]): DynamicModule {
    const providers = datasets.map((name): Provider => ({
      provide: datasetToken(name),
      useFactory: (client: LockstepClient) => new Dataset(name, client),
      inject: [LockstepClient],
    }));
    return { module: LockstepFeature, providers, exports: datasets.map(datasetToken) };
  }

  /** In place of `forRoot`, with calls that go elsewhere than to a gateway: tests of services do without one. */
  static forPort(port: DatasetPort, options: Omit<LockstepOptions, 'gateway'> = {}): DynamicModule {
    const configuration = readLockstepConfiguration({ ...options, gateway: 'http://in.memory' });
    const client = new LockstepClient(port, configuration, nodeWorld());
    return {
      module: LockstepPortModule,
      global: true,
      providers: [{ provide: LockstepClient, useValue: client }, ...aroundClient],
      exports: [LockstepClient, LockstepHealthIndicator],
    };
  }
}

@Module({})
class LockstepFeature {}

@Module({})
class LockstepPortModule {}

/** Under which a handle is provided; for `app.get(...)` and for tests. */
export const datasetToken = (name: string): string => `lockstep:dataset:${name}`;

/** A parameter or property that is given the handle of a dataset: `Dataset<Accounts>`. */
export const InjectDataset = (name: string): PropertyDecorator & ParameterDecorator =>
  Inject(datasetToken(name));

const nodeWorld = () => ({ clock: nodeClock(), identities: nodeIdentities() });
