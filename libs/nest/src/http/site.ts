/**
 * The console's built files, read once at the start and served from memory: what is not in the folder then does not exist, so
 * no path of a request ever reaches the disk. Pages are asked for anew each time, and answered 304 while they are the same;
 * files whose names carry their hash are kept for good.
 *
 * Bounded: the number and the length of the files.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const FILES_MAX = 64;
const BYTES_MAX = 8 * 1024 * 1024;
/** Where it is served; the root leads there. */
export const SITE_PATH = '/console/';
const HASHED = /^assets\/.*-[\w-]{8}\.\w+$/;

const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, nowhere to send to, no frame around it. */
const SAFETY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

interface SiteFile {
  readonly bytes: Buffer;
  readonly zipped: Buffer;
  readonly headers: { readonly [name: string]: string };
}

export interface Site {
  /** False: the request is none of the site's, and nothing was done. */
  answer(request: IncomingMessage, response: ServerResponse): boolean;
}

/** @throws Error when the folder does not hold a site. */
export async function readSite(folder: string): Promise<Site> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => join(parentPath, name).slice(join(folder, '/').length));
  if (paths.length > FILES_MAX) throw new Error(`${folder} holds ${paths.length} files, not a built console`);
  const files = new Map<string, SiteFile>();
  let bytesHeld = 0;
  for (const path of paths) {
    const bytes = await readFile(join(folder, path));
    bytesHeld += bytes.length;
    if (bytesHeld > BYTES_MAX) throw new Error(`${folder} holds more than ${BYTES_MAX} bytes`);
    files.set(path, siteFile(path, bytes));
  }
  const page = files.get('index.html');
  if (page === undefined) throw new Error(`${folder} holds no index.html`);
  files.set('', page);
  return { answer: (request, response) => answer(files, request, response) };
}

function siteFile(path: string, bytes: Buffer): SiteFile {
  const type = TYPES[extname(path)];
  if (type === undefined) throw new Error(`${path} is of no kind that a console has`);
  return {
    bytes,
    zipped: gzipSync(bytes),
    headers: {
      ...SAFETY,
      'content-type': type,
      etag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`,
      'cache-control': HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      vary: 'accept-encoding',
    },
  };
}

function answer(
  files: ReadonlyMap<string, SiteFile>,
  { headers, method, url = '' }: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const path = url.split('?')[0]!;
  if (path === '/' || `${path}/` === SITE_PATH) {
    response.writeHead(302, { location: SITE_PATH, 'content-length': 0 }).end();
    return true;
  }
  const file = path.startsWith(SITE_PATH) ? files.get(path.slice(SITE_PATH.length)) : undefined;
  if (file === undefined) return false;
  if (headers['if-none-match'] === file.headers['etag']) {
    response.writeHead(304, file.headers).end();
    return true;
  }
  const isZipped = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
  const body = isZipped ? file.zipped : file.bytes;
  response.writeHead(200, {
    ...file.headers,
    ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    'content-length': body.length,
  });
  response.end(method === 'HEAD' ? undefined : body);
  return true;
}
