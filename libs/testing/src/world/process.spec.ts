import { describe, expect, test } from '@jest/globals';
import { Network } from './network.js';
import { Process } from './process.js';
import { World } from './world.js';

function scene(): {
  world: World;
  network: Network;
  process: Process;
  call: (log: string[], text: string) => void;
} {
  const world = new World(7);
  const network = new Network();
  const process = new Process('eu/gateway', world, network);
  const call = (log: string[], text: string): void => {
    const unanswered = { afterMs: 1_000, error: () => new Error('unanswered') };
    void process
      .reaching('log')
      .complete(`append ${text}`, () => log.push(`done ${text}`), unanswered)
      .then(
        () => log.push(`told ${text}`),
        (error: Error) => log.push(`${error.message} ${text}`),
      );
  };
  return { world, network, process, call };
}

describe('a simulated process', () => {
  test('that is paused hears what was done for it only when it goes on', async () => {
    const { call, process, world } = scene();
    const log: string[] = [];
    call(log, 'a');
    process.pause();
    await world.elapse(100);
    expect(log).toEqual(['done a']);
    process.goOn();
    await world.elapse(10);
    expect(log).toEqual(['done a', 'told a']);
  });

  test('that has ended is told nothing, and what it had sent takes effect all the same', async () => {
    const { call, process, world } = scene();
    const log: string[] = [];
    call(log, 'a');
    process.end();
    await world.elapse(2_000);
    expect(log).toEqual(['done a']);
  });

  test.each([
    ['eu', 'log', ['unanswered a']],
    ['log', 'eu', ['done a', 'unanswered a']],
    ['us', 'log', ['done a', 'told a']],
  ])('cut from %s to %s sees %j', async (from, to, expected) => {
    const { call, network, world } = scene();
    const log: string[] = [];
    const cut = { from, to, fault: 'cut' };
    network.cut(cut);
    call(log, 'a');
    await world.elapse(1_500);
    expect(log).toEqual(expected);
    network.heal(cut);
    call(log, 'b');
    await world.elapse(100);
    expect(log.slice(expected.length).filter((line) => line.endsWith(' b'))).toEqual(['done b', 'told b']);
  });

  test.each([
    ['eu', 'log/2', ['2'], ['unanswered a']],
    ['log/2', 'eu', ['1', '2'], ['done a', 'unanswered a']],
    ['eu', 'log/2', ['1', '3'], ['done a', 'told a']],
    ['eu', 'log/2', [], ['done a', 'told a']],
    ['eu', 'log', ['1'], ['unanswered a']],
  ])('cut from %s to %s, needing the parts %j of the log, sees %j', async (from, to, parts, expected) => {
    const { network, process, world } = scene();
    const log: string[] = [];
    network.cut({ from, to, fault: 'cut' });
    const unanswered = { afterMs: 10_000, error: () => new Error('unanswered a'), parts: () => parts };
    const call = process.reaching('log').complete('append', () => log.push('done a'), unanswered);
    void call.then(
      () => log.push('told a'),
      (error: Error) => log.push(error.message),
    );
    await world.elapse(10_500);
    expect(log).toEqual(expected);
  });

  test('has a wall clock that a long rest moves on, and nothing that waits notices it', async () => {
    const { process, world } = scene();
    const { clock } = process;
    const [wallMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    let isAwake = false;
    void clock.sleep(100).done.then(() => (isAwake = true));
    world.leap(86_400_000);
    expect(clock.nowMs() - wallMs).toBe(86_400_000);
    expect(world.nowMs() - wallMs).toBe(86_400_000);
    expect(clock.monotonicMs()).toBe(monotonicMs);
    await world.elapse(99);
    expect(isAwake).toBe(false);
    await world.elapse(2);
    expect(isAwake).toBe(true);
  });

  test('has a wall clock that jumps and a monotonic one that only drifts', async () => {
    const world = new World(7);
    const process = new Process('eu/gateway', world, new Network(), { offsetMs: 500, drift: 0.01 });
    const startedAtMs = world.nowMs();
    process.jump(-60_000);
    await world.elapse(10_000);
    expect(process.clock.nowMs()).toBe(startedAtMs + 500 - 60_000 + 10_100);
    expect(process.clock.monotonicMs()).toBeCloseTo(10_100);
    let isAwake = false;
    void process.clock.sleep(101).done.then(() => (isAwake = true));
    await world.elapse(99);
    expect(isAwake).toBe(false);
    await world.elapse(2);
    expect(isAwake).toBe(true);
  });
});
