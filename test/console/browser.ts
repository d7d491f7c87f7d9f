/**
 * A real browser before a console, as a person has it: pages are found by what they say. Whatever the page complains about, and
 * whatever it asks of any other address, fails the test that looks.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const PROJECT = join(import.meta.dirname, '../..');
/** Test output, kept to be looked at; not a part of the repository. */
export const SCREENSHOTS = join(PROJECT, '.lockstep/console-screenshots');
export const DESKTOP = { viewport: { width: 1280, height: 900 }, colorScheme: 'light' } as const;
export const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const;

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOWN_MS_MAX = 20_000;

export async function openBrowser(): Promise<Browser> {
  const setUpScript = new URL('../../apps/local/set-up.mjs', import.meta.url).href;
  const setUp = (await import(setUpScript)) as { findChromium: () => Promise<string> };
  return chromium.launch({
    executablePath: await setUp.findChromium(),
    // Root, as whom tests run in containers, has no sandbox to give; the pages are our own.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}

export class ConsolePage {
  private constructor(
    readonly page: Page,
    private readonly url: string,
    private readonly complaints: string[],
  ) {}

  static async open(browser: Browser, url: string, options: BrowserContextOptions): Promise<ConsolePage> {
    const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.setDefaultTimeout(SHOWN_MS_MAX);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`asked ${request.url()}`);
    });
    // Answers that are refusals are told on the page itself; a breach of the security policy is told nowhere else.
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text());
    });
    const opened = new ConsolePage(page, url, complaints);
    await opened.go('overview');
    return opened;
  }

  async go(place: string): Promise<void> {
    await this.page.goto(`${this.url}#/${place}`);
    await this.page.locator('main h2').first().waitFor();
  }

  /** A page by its link, as a person gets there. */
  async follow(link: string): Promise<void> {
    await this.page.getByRole('navigation').getByRole('link', { name: link, exact: true }).click();
  }

  async shows(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  /** What a table's row says, told by its first cell. */
  async row(caption: RegExp, name: string): Promise<string> {
    const row = this.page
      .getByRole('table', { name: caption })
      .getByRole('row')
      .filter({ has: this.page.getByRole('rowheader', { name }) });
    return (await row.first().innerText()).replaceAll(/\s+/g, ' ');
  }

  /** Rules of accessibility that a program can judge; and nothing was complained about so far. */
  async expectSound(): Promise<void> {
    // Evaluated by the browser itself, so that the page's security policy stays as it is.
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate<readonly string[]>(
      `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`,
    );
    expect(found).toEqual([]);
    const overflow = await this.page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    expect(overflow).toBeLessThanOrEqual(0);
    expect(this.complaints).toEqual([]);
  }

  async keep(name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
