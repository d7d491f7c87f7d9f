/**
 * How this process itself is doing: late timers, processor time, memory. Read at the scrape, nothing in between but
 * the event loop's own sampling.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Instruments } from './instruments.js';

/** Whatever stands still for so long is seen. Each sample wakes the process: 20 ms were a third of what an idle one used. */
const SAMPLE_MS = 200;

/** Returns what ends the sampling. */
export function observeProcess(instruments: Instruments): () => void {
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  delay.enable();
  instruments.observe('eventLoopDelay', (tell) => {
    if (delay.count === 0) return;
    // A sample is the whole interval between two timers, of which the resolution was meant.
    const lateSeconds = (percentile: number) =>
      Math.max(0, delay.percentile(percentile) / 1e6 - SAMPLE_MS) / 1_000;
    tell({ quantile: '0.5' }, lateSeconds(50));
    tell({ quantile: '0.99' }, lateSeconds(99));
    tell({ quantile: '1' }, lateSeconds(100));
    delay.reset();
  });
  instruments.observe('cpu', (tell) => {
    const { user, system } = process.cpuUsage();
    tell({ mode: 'user' }, user / 1e6);
    tell({ mode: 'system' }, system / 1e6);
  });
  instruments.observe('transferredBytes', (tell) => {
    const { readBytes, writtenBytes } = transferredBytes();
    if (readBytes !== null) tell({ direction: 'read' }, readBytes);
    if (writtenBytes !== null) tell({ direction: 'written' }, writtenBytes);
  });
  instruments.observe('residentBytes', (tell) => tell({}, process.memoryUsage.rss()));
  instruments.observe('heapBytes', (tell) => tell({}, process.memoryUsage().heapUsed));
  instruments.observe('externalBytes', (tell) => tell({}, process.memoryUsage().external));
  return () => delay.disable();
}

/** As the kernel counts them; null where it does not tell. A socket's library may hide it from every other count. */
function transferredBytes(): { readonly readBytes: number | null; readonly writtenBytes: number | null } {
  const counted = processIo();
  const valueOf = (name: string): number | null => {
    const found = new RegExp(`^${name}: (\\d+)$`, 'm').exec(counted);
    return found === null ? null : Number(found[1]);
  };
  return { readBytes: valueOf('rchar'), writtenBytes: valueOf('wchar') };
}

function processIo(): string {
  try {
    return readFileSync('/proc/self/io', 'utf8');
  } catch {
    return '';
  }
}
