/** A gateway that answers what a test says, and remembers what it was asked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayAddress } from './quiet-cluster.js';

export interface StandInGateway extends GatewayAddress {
  readonly asked: string[];
  close(): Promise<void>;
}

export async function standInGateway(
  region: string,
  answer: (path: string, turn: number) => { readonly status: number; readonly body: object },
): Promise<StandInGateway> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const { status, body } = answer(path, asked.length);
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    region,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
