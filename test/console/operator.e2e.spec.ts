/**
 * What README.md promises an operator: each question is answered in at most three steps, by command line and by console. The
 * commands are read from the page and run as they stand there.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { eventually, LocalCluster, write } from '../e2e/local-cluster.js';
import { ConsolePage, DESKTOP, openBrowser } from './browser.js';

const STEPS_MAX = 3;
const REJECTED = 'operator-rejected';
const FOLLOWED = 'operator-followed';

let cluster: LocalCluster;
let browser: Browser;
let shown: ConsolePage;
/** The whole answer to the write that is followed. */
let answered: string;

beforeAll(async () => {
  // Where people alone decide, a test can say what was decided.
  cluster = await LocalCluster.startAttended();
  browser = await openBrowser();
  const opened = { key: 'eu:operator', type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
  const whole = await write(cluster, 'us', 'accounts', { events: [opened], ack: 'everywhere' }, FOLLOWED);
  expect(whole).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
  answered = JSON.stringify(whole.body);
  const debited = { key: 'eu:operator', type: 'debited', data: { amount: 5 } };
  expect(await write(cluster, 'eu', 'accounts', { events: [debited] }, REJECTED)).toMatchObject({
    status: 409,
  });
  shown = await ConsolePage.open(browser, cluster.file.console, DESKTOP);
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
}, 60_000);

/** The commands of a row of the operator's table, by the question's first words. */
function commandsFor(question: string): readonly string[] {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const line = readme.split('\n').find((one) => one.startsWith(`| ${question}`));
  const commands = [...(line ?? '').matchAll(/`npx lockstep ([^`]+)`/g)].map(([, command]) => command!);
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.length).toBeLessThanOrEqual(STEPS_MAX);
  return commands;
}

/** Runs them one after the other, and answers what each printed. */
async function run(question: string, key = ''): Promise<readonly string[]> {
  const printed: string[] = [];
  for (const command of commandsFor(question)) {
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
    const options = words.map((word) => (word === 'KEY' ? key : word));
    // A person is asked; no terminal is here to ask at.
    const unasked = options.includes('switchover') && !options.includes('--dry-run') ? ['--yes'] : [];
    printed.push(await cluster.lockstep([...options, ...unasked]));
  }
  return printed;
}

describe('an operator finds by command line', () => {
  test('the home of accounts/0', async () => {
    expect((await run('Where is the home')).at(-1)).toMatch(/accounts\/0\s.*\beu\b/);
  });

  test('why an entry was rejected', async () => {
    expect((await run('Why was an entry rejected', REJECTED)).at(-1)).toMatch(
      /rejected.*guard|guard.*rejected/s,
    );
  });

  test('what became of one write', async () => {
    expect((await run('How far did one write get', FOLLOWED)).at(-1)).toContain('everywhere');
  });

  test('what was decided', async () => {
    expect((await run('What did the automation decide')).at(-1)).toContain('Nothing has been decided');
  });
});

describe('an operator finds in the console', () => {
  test('that everything is well', async () => {
    await shown.shows('All 3 regions are heard and go on; every quorum can be met.');
    expect(await shown.row(/Regions as eu hears them/, 'us')).toMatch(/^us .*well 0 8$/);
    await shown.expectSound();
  });

  test('the home of accounts/0', async () => {
    await shown.follow('Shards');
    await shown.page.getByLabel(/^Filter/).fill('accounts/0');
    await shown.shows('1 shard shown.');
    expect(await shown.row(/^Shards: home/, 'accounts/0')).toMatch(/^accounts\/0 eu 1 .*open/);
    await shown.expectSound();
  });

  test('why an entry was rejected', async () => {
    await shown.follow('One write');
    await shown.page.getByLabel(/^Idempotency key/).fill(REJECTED);
    await shown.page.getByRole('button', { name: 'Follow' }).click();
    await shown.shows(/^Rejected as guard in accounts\/\d, sequence \d+, epoch 1\.$/);
    await shown.shows(/reducer refused it/);
    await shown.expectSound();
  });

  test('what became of one write, from the answer that its writer got', async () => {
    await shown.go('write');
    await shown.page.getByLabel(/^Idempotency key/).fill(answered);
    await shown.page.getByRole('button', { name: 'Follow' }).click();
    await shown.shows(/reached everywhere\.$/);
    await shown.shows('3 regions hold it now: ap, eu, us.');
    expect(await shown.row(/^Key operator-followed/, 'everywhere')).toMatch(
      /^everywhere( \d\d:\d\d:\d\d){3}$/,
    );
    await shown.expectSound();
  });

  test('what the automation decided in the last minute', async () => {
    await shown.follow('Decisions');
    await shown.page.getByLabel('Decided in').selectOption('the last minute');
    await shown.page.getByLabel('Decided by').selectOption('the automation');
    await shown.shows('Nothing was decided by the automation in the last minute.');
    await shown.expectSound();
  });
});

describe('an operator moves accounts/0 to us, looking first', () => {
  test('in the console, where nothing is moved before it was looked at', async () => {
    await shown.follow('Shards');
    await shown.page.getByRole('link', { name: 'Move accounts/0', exact: true }).click();
    const { page } = shown;
    const move = page.getByRole('button', { name: /^Move/ });
    await page.getByLabel(/^To region/).selectOption('us');
    await page
      .getByLabel(/^Reason/)
      .first()
      .fill('a drill');
    expect(await move.isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Dry run', exact: true }).click();
    await shown.shows('The dry run passed: nothing was decided yet.');
    await shown.expectSound();
    // What was looked at is no longer what would be done.
    await page.getByLabel(/^To region/).selectOption('ap');
    expect(await move.isDisabled()).toBe(true);
    await page.getByLabel(/^To region/).selectOption('us');
    await move.click();
    await shown.shows(/^accounts\/0 was moved by decision \d+; no write was taken for \d+ m?s\.$/);
    expect(await cluster.lockstep(['shards'])).toMatch(/accounts\/0\s.*\bus\b/);
  });

  test('by command line, from where it was brought back to', async () => {
    await cluster.lockstep(['switchover', 'accounts/0', 'eu', '--reason', 'back again', '--yes']);
    const [looked, moved] = await run('Move `accounts/0` to `us`');
    expect(looked).toMatch(/us/);
    expect(moved).toMatch(/done/);
    expect(await cluster.lockstep(['shards'])).toMatch(/accounts\/0\s.*\bus\b/);
  });

  test('and both moves stand in the decisions', async () => {
    await shown.follow('Decisions');
    await shown.shows('3 decisions shown, newest first.');
    await shown.page.getByText('Inputs and result').first().click();
    await shown.shows(/^decided, .*done \+/);
    await shown.expectSound();
  });
});

test('an operator pauses everything, and goes on', async () => {
  await shown.follow('Move or pause');
  await shown.page
    .getByLabel(/^Reason/)
    .last()
    .fill('a drill');
  await shown.page.getByRole('button', { name: 'Pause', exact: true }).click();
  await shown.shows('Homes are kept where they are in all.');
  // In force once a majority was heard to keep to it, which the page learns by itself.
  await eventually(
    () => shown.row(/^Pauses/, 'all'),
    (row) => /in force .* a drill$/.test(row),
  );
  await shown.page.getByRole('button', { name: 'Resume', exact: true }).click();
  await shown.shows('Nothing is paused.');
  await shown.expectSound();
});

test.each(['quarantine', 'status', 'shards', 'move'])('the page %s is sound on a phone', async (page) => {
  const phone = await ConsolePage.open(browser, cluster.file.console, {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
  });
  await phone.go(page);
  await phone.expectSound();
  await phone.close();
});

test('the console can be used by keyboard alone', async () => {
  const { page } = shown;
  await shown.go('overview');
  await page.reload();
  await shown.shows('Overview');
  await page.keyboard.press('Tab');
  expect(await page.evaluate<string>('document.activeElement.textContent')).toBe('Skip to the page');
  await page.keyboard.press('Enter');
  expect(await page.evaluate<string>('document.activeElement.id')).toBe('main');
});
