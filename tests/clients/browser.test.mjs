// The demo page in a real browser: what Ada types appears in Ben's pane and not in the stranger's.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

import { pool, sql } from './support/stack.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const DEMO_URL = process.env.DEMO_URL;
const artifacts = fileURLToPath(new URL('../../artifacts/', import.meta.url));
const ITEM = 4;
const skip = (!DEMO_URL && 'DEMO_URL is not set') || (!existsSync(CHROMIUM) && `${CHROMIUM} is not installed`);

describe('the demo page', { timeout: 180_000, skip }, () => {
  let context;
  let page;
  let folder;
  const complaints = [];
  const pane = (who) => page.getByTestId(`pane-${who}`);
  const title = (who, id) => pane(who).getByTestId(`item-${id}`).getByTestId('title-input');
  const hasValue = (who, id, value) => page.waitForFunction(([test, item, text]) =>
    document.querySelector(`[data-testid="${test}"] [data-testid="${item}"] input`)?.value === text,
  [`pane-${who}`, `item-${id}`, value]);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rowcast-browser.'));
    context = await chromium.launchPersistentContext(folder, {
      executablePath: CHROMIUM,
      headless: true,
      viewport: { width: 1440, height: 1180 },
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    page = context.pages()[0] ?? await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
    await page.goto(DEMO_URL);
    for (const who of ['ada', 'ben', 'stranger']) {
      await page.waitForFunction((test) => document.querySelector(`[data-testid="${test}"] [data-testid="status"]`)
        ?.dataset.state === 'live', `pane-${who}`);
    }
    await pane('ada').getByTestId(`item-${ITEM}`).waitFor();
  });
  after(async () => {
    await context?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  test('starts with the same list for both planners and none for the stranger', async () => {
    const [{ count }] = await sql('SELECT count(*) FROM itinerary_items WHERE trip_id = 1');
    for (const who of ['ada', 'ben']) assert.equal(await pane(who).locator('.item').count(), count);
    assert.equal(await pane('stranger').locator('.item').count(), 0);
    assert.ok(await pane('stranger').getByTestId('empty').isVisible());
  });

  test('an edit in one pane appears in the other with its editor, and not at the stranger', async () => {
    await title('ada', ITEM).fill('Sunset, from the other hill');
    await title('ada', ITEM).press('Enter');
    await hasValue('ben', ITEM, 'Sunset, from the other hill');
    assert.equal(await pane('ben').getByTestId(`item-${ITEM}`).getByTestId('last-editor').textContent(), 'edited by Ada');
    assert.match(await pane('ben').getByTestId('latency').textContent(), /^[\d.]+ ms$/);

    await title('ben', ITEM).fill('Sunset, agreed');
    await title('ben', ITEM).press('Enter');
    await hasValue('ada', ITEM, 'Sunset, agreed');
    assert.equal(await pane('stranger').getByTestId('counter').textContent(), '0 changes received');
  });

  test('an item that is added appears in both panes, and one that is deleted leaves both', async () => {
    await pane('ben').getByTestId('add-input').fill('Oceanário');
    await pane('ben').getByTestId('add-button').click();
    await page.waitForFunction(() => [...document.querySelectorAll('[data-testid="pane-ada"] .title')]
      .some((input) => input.value === 'Oceanário'));
    const [{ id }] = await sql("SELECT id FROM itinerary_items WHERE title = 'Oceanário'");
    await pane('ada').getByTestId(`item-${id}`).hover();
    await pane('ada').getByTestId(`item-${id}`).getByTestId('delete-button').click();
    for (const who of ['ada', 'ben']) await pane(who).getByTestId(`item-${id}`).waitFor({ state: 'detached' });
    assert.equal(await pane('stranger').getByTestId('counter').textContent(), '0 changes received');
  });

  test('the stranger follows the trip while invited, and no longer', async () => {
    await page.getByTestId('share-toggle').click();
    await pane('stranger').getByTestId(`item-${ITEM}`).waitFor();
    await title('ada', ITEM).fill('Welcome, Chloe');
    await title('ada', ITEM).press('Enter');
    await hasValue('stranger', ITEM, 'Welcome, Chloe');
    await page.getByTestId('share-toggle').click();
    await pane('stranger').getByTestId(`item-${ITEM}`).waitFor({ state: 'detached' });
    await title('ada', ITEM).fill('Between the two of us');
    await title('ada', ITEM).press('Enter');
    await hasValue('ben', ITEM, 'Between the two of us');
    assert.equal(await pane('stranger').locator('.item').count(), 0);
  });

  test('looks like something to show, and the page had nothing to complain about', async () => {
    mkdirSync(artifacts, { recursive: true });
    await page.screenshot({ path: join(artifacts, 'demo.png') });
    assert.deepEqual(complaints, []);
  });
});

after(() => pool.end());
