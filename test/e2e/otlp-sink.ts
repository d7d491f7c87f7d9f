/**
 * A collector for one spec: takes OTLP/HTTP JSON and remembers every span. Types here are only erased, never compiled to
 * code: benchmarks run this file as it stands.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** Of the span and of its resource. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export class OtlpSink {
  readonly spans: SeenSpan[] = [];

  readonly url: string;
  private readonly server: Server;

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
  }

  static async open(): Promise<OtlpSink> {
    let sink: OtlpSink | null = null;
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        sink?.take(Buffer.concat(chunks).toString());
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    sink = new OtlpSink(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return sink;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }

  private take(text: string): void {
    const body = JSON.parse(text) as {
      resourceSpans: {
        resource: { attributes: Attribute[] };
        scopeSpans: { spans: (SeenSpan & { attributes: Attribute[] })[] }[];
      }[];
    };
    for (const { resource, scopeSpans } of body.resourceSpans) {
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
        const attributes = [...resource.attributes, ...(span.attributes as unknown as Attribute[])];
        const values = attributes.map(({ key, value }) => [key, Object.values(value)[0]]);
        this.spans.push({
          ...span,
          links: span.links ?? [],
          attributes: Object.fromEntries(values) as Record<string, unknown>,
        });
      }
    }
  }
}
