import { describe, expect, test } from '@jest/globals';
import type { StreamFrame, Subscription } from '@lockstep/engine';
import type { ShardName } from '@lockstep/protocol';
import { Network } from '../world/network.js';
import { Process } from '../world/process.js';
import { World } from '../world/world.js';
import { streamConnection } from './simulated-streams.js';

const FRAME: StreamFrame = { kind: 'verdicts', shard: 'orders/0' as ShardName, verdicts: [] };

function scene() {
  const world = new World(7);
  const network = new Network();
  const server = new Process('us/replicator-0', world, network);
  const listener = new Process('sa/gateway', world, network);
  let tell!: (frames: readonly StreamFrame[]) => void;
  const subscription: Subscription = {
    next: () => new Promise((resolve) => (tell = resolve)),
    close: () => undefined,
  };
  const fate = () => 'told' as const;
  const connection = streamConnection(world, network, { listener, server, subscription, fate });
  const heard: string[] = [];
  connection.next().then(
    (frames) => heard.push(`${frames.length} frames`),
    (error: Error) => heard.push(error.message),
  );
  return { world, server, heard, tell: () => tell([FRAME]) };
}

describe('a simulated stream', () => {
  test('of a process that has nothing to tell stays', async () => {
    const { heard, tell, world } = scene();
    await world.elapse(60_000);
    expect(heard).toEqual([]);
    tell();
    await world.elapse(100);
    expect(heard).toEqual(['1 frames']);
  });

  test('of a paused process tells when it goes on', async () => {
    const { heard, server, tell, world } = scene();
    server.pause();
    tell();
    await world.elapse(1_000);
    expect(heard).toEqual([]);
    server.goOn();
    await world.elapse(100);
    expect(heard).toEqual(['1 frames']);
  });

  // Once, such a stream never ended, and its listener never heard the region again.
  test('of a process that is killed while it was paused ends', async () => {
    const { heard, server, tell, world } = scene();
    server.pause();
    tell();
    await world.elapse(1_000);
    server.end();
    await world.elapse(3_000);
    expect(heard).toEqual(['us/replicator-0 is out of reach']);
  });
});
