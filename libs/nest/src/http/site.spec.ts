/** A site serves its own files and nothing else, as a browser may trust them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSite } from './site.js';

const parent = mkdtempSync(join(tmpdir(), 'lockstep-site-'));
const folder = join(parent, 'site');
let server: Server;
let base: string;

beforeAll(async () => {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(parent, 'secret.html'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Console</title>');
  writeFileSync(join(folder, 'assets/index-Ab_3-x9Z.js'), 'export {};');
  const site = await readSite(folder);
  server = createServer((incoming, response) => {
    if (!site.answer(incoming, response)) response.writeHead(404).end('not the site');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(parent, { recursive: true, force: true });
});

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${base}${path}`, { redirect: 'manual', ...init });

test('the page is asked for anew each time, and not sent again while it is the same', async () => {
  const page = await ask('/console/');
  expect(await page.text()).toContain('<title>Console</title>');
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const again = await ask('/console/', { headers: { 'if-none-match': page.headers.get('etag')! } });
  expect({ status: again.status, body: await again.text() }).toEqual({ status: 304, body: '' });
});

test('a file that is named by its hash is kept for good', async () => {
  const script = await ask('/console/assets/index-Ab_3-x9Z.js');
  expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(script.headers.get('content-encoding')).toBe('gzip');
  expect(await script.text()).toBe('export {};');
});

test('nothing comes from elsewhere or runs inline, and no other page may frame it', async () => {
  const policy = (await ask('/console/')).headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
});

test.each(['/', '/console'])('%s leads to the page', async (path) => {
  const answer = await ask(path);
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/console/']);
});

test('HEAD has the length and no body', async () => {
  const head = await ask('/console/', { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
  expect([head.headers.get('content-length'), await head.text()]).toEqual(['37', '']);
});

/** Paths as they stand: fetch would tidy them up. */
const statusOf = (path: string, method: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request(base, { path, method }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on('error', reject).end();
  });

test.each([
  ['GET', '/console/../secret.html'],
  ['GET', '/console/..%2fsecret.html'],
  ['GET', '/console/assets/'],
  ['GET', '/console//index.html'],
  ['GET', '/v1/cluster'],
  ['POST', '/console/'],
])('%s %s is none of it', async (method, path) => {
  expect(await statusOf(path, method)).toBe(404);
});

test('a folder without a page, or with files of another kind, is refused', async () => {
  await expect(readSite(join(folder, 'assets'))).rejects.toThrow('no index.html');
  writeFileSync(join(parent, 'notes.txt'), '');
  await expect(readSite(parent)).rejects.toThrow('notes.txt');
});
