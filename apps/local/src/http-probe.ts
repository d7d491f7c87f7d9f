/** One look at a process that answers HTTP. */
import { get } from 'node:http';

const PROBE_MS_MAX = 2_000;

export function answersWell(port: number, path: string): Promise<boolean> {
  return new Promise((settle) => {
    const request = get(
      { host: '127.0.0.1', port, path, agent: false, timeout: PROBE_MS_MAX },
      (response) => {
        response.resume();
        settle(response.statusCode === 200);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => settle(false));
  });
}
