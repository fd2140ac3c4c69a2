/** A whole day by keyboard alone: no pointer is touched from the first link to the last log-out. */
import type { Browser, BrowserContext, Locator, Page } from '@playwright/test';
import { Guest } from './guest.ts';
import { expect, LANGUAGES, prefer, test, watch, type Language } from './page.ts';
import { Program } from './program.ts';

const PASSWORD = 'correct horse battery staple';
const SECOND = 'a quiet afternoon in spring';
/** More stops than any page has on the way to what is wanted. */
const STOPS = 150;

/** Goes on with Tab until this has the focus, and shows that it has. */
async function reach(wanted: Locator): Promise<void> {
  const page = wanted.page();
  await expect(wanted).toBeVisible();
  await expect(wanted).toBeEnabled();
  for (let stop = 0; stop < STOPS; stop += 1) {
    const [there, seen] = await wanted.evaluate((node) => [
      node === document.activeElement,
      node.matches(':focus-visible') && getComputedStyle(node).outlineStyle !== 'none',
    ]);
    if (there) {
      expect(seen, 'the focus can be seen').toBe(true);
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${String(wanted)}`);
}

async function press(wanted: Locator, key = 'Enter'): Promise<void> {
  await reach(wanted);
  await wanted.page().keyboard.press(key);
}

async function fill(wanted: Locator, text: string): Promise<void> {
  await reach(wanted);
  await wanted.page().keyboard.press('Control+A');
  await wanted.page().keyboard.type(text);
}

/** By the search that Ctrl+K opens everywhere. */
async function go(page: Page, words: string): Promise<void> {
  await page.keyboard.press('Control+k');
  const field = page.getByRole('dialog').getByRole('combobox');
  await expect(field).toBeFocused();
  await page.keyboard.type(words);
  await expect(page.getByRole('dialog').getByRole('option').first()).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

async function arrive(
  browser: Browser,
  language: Language,
  baseURL: string,
): Promise<[BrowserContext, Page, string[]]> {
  const context = await browser.newContext({ baseURL });
  const page = await context.newPage();
  const errors = await watch(page);
  // What the page says of a refusal is short; what the server said tells more when this walk fails.
  page.on('response', (response) => {
    if (response.status() >= 400) {
      const told = (body: string) => console.log(`${response.url()} ${response.status()} ${body}`);
      void response.text().then(told, () => undefined);
    }
  });
  await prefer(page, language, 'light');
  return [context, page, errors];
}

for (const language of LANGUAGES) {
  const ar = language === 'ar';
  const words = ar
    ? { people: 'الأشخاص', sessions: 'الجلسات', audit: 'سجل التدقيق', test: 'اختبار الاتصال', verify: 'تحقق' }
    : { people: 'People', sessions: 'Sessions', audit: 'Audit log', test: 'Test connection', verify: 'Verify' };

  test(`everything by keyboard: ${language}`, async ({ browser }) => {
    const binary = process.env.GATEHOUSE_TEST_BINARY;
    if (!binary) throw new Error('set GATEHOUSE_TEST_BINARY to the program');
    const program = await Program.start(binary);
    const guest = await Guest.start();
    const [context, page, errors] = await arrive(browser, language, program.url);
    const [others, other, theirErrors] = await arrive(browser, language, program.url);
    const panel = page.getByRole('complementary');
    const state = (of: Page) => of.locator('[data-state]');
    try {
      await test.step('first run', async () => {
        await page.goto(program.link);
        await expect(page).toHaveURL(/\/welcome$/);
        await fill(page.locator('form').getByRole('textbox').nth(0), 'ada');
        await fill(page.locator('input[type=password]').nth(0), PASSWORD);
        await fill(page.locator('input[type=password]').nth(1), PASSWORD);
        await page.keyboard.press('Enter');
      });
      await test.step('a target is added and tested', async () => {
        await press(page.locator('a[href="/targets/new"]'));
        await fill(panel.getByRole('textbox').nth(0), 'Lab desktop');
        await fill(panel.getByRole('textbox').nth(1), guest.url);
        await page.keyboard.press('Enter');
        await expect(page).toHaveURL(/\/targets\/[0-9a-f-]{36}$/);
        await press(panel.getByRole('button', { name: words.test }));
        await expect(panel.getByRole('status').filter({ hasText: 'None' })).toBeVisible();
        await page.keyboard.press('Escape');
        await expect(panel).toHaveCount(0);
      });
      await test.step('it is found, its console is opened, used and left', async () => {
        await go(page, 'Lab');
        await press(panel.locator('button.primary'));
        await expect(state(page)).toHaveAttribute('data-state', 'connected');
        await expect(page.locator('.live canvas')).toBeFocused();
        const before = await guest.typed();
        await page.keyboard.type('by hand');
        await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('by hand');
        await page.keyboard.press('Control+Alt+Shift+KeyB');
        await press(page.getByRole('toolbar').locator('[aria-expanded]').last());
        await press(page.getByRole('toolbar').locator('.panel .danger'));
        await expect(state(page)).toHaveAttribute('data-state', 'ended');
        await press(page.getByRole('alert').getByRole('link'));
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      });
      await test.step('a person is added and given the target', async () => {
        await go(page, words.people);
        await press(page.getByRole('main').locator('a[href="/users/new"]').first());
        await fill(panel.getByRole('textbox').nth(0), 'grace');
        await fill(panel.locator('input[type=password]'), SECOND);
        await page.keyboard.press('Enter');
        await expect(page).toHaveURL(/\/users\/[0-9a-f-]{36}$/);
        await reach(panel.getByRole('combobox'));
        await page.keyboard.press('ArrowDown');
        await press(panel.locator('form', { has: page.getByRole('combobox') }).getByRole('button'));
        await expect(panel.getByRole('link', { name: 'Lab desktop' })).toBeVisible();
        await page.keyboard.press('Escape');
      });
      await test.step('they log in and open it', async () => {
        await other.goto('/login');
        await fill(other.getByRole('textbox').first(), 'grace');
        await fill(other.locator('input[type=password]'), SECOND);
        await other.keyboard.press('Enter');
        await press(other.getByRole('listitem').locator('button.primary'));
        await expect(state(other)).toHaveAttribute('data-state', 'connected');
      });
      await test.step('their session is frozen, given other rules, and ended', async () => {
        await go(page, words.sessions);
        const row = page.getByRole('row').filter({ hasText: 'grace' });
        await press(row.locator('button[aria-pressed]'), 'Space');
        await expect(state(other)).toHaveAttribute('data-state', 'frozen');
        await press(row.getByRole('link').first());
        await press(panel.locator('button[aria-pressed]'), 'Space');
        await expect(state(other)).toHaveAttribute('data-state', 'connected');
        await press(panel.locator('section button'));
        await press(panel.getByRole('checkbox').first(), 'Space');
        await press(panel.locator('button[type=submit]'));
        await expect(panel.locator('form')).toHaveCount(0);
        await press(panel.locator('.danger'));
        await press(page.getByRole('dialog').locator('button[type=submit]'));
        await expect(state(other)).toHaveAttribute('data-state', 'ended');
      });
      await test.step('the log is filtered and verified', async () => {
        await go(page, words.audit);
        await reach(page.getByRole('main').getByRole('combobox'));
        for (let n = 0; n < 4; n += 1) await page.keyboard.press('ArrowDown');
        await expect(page).toHaveURL(/action=session/);
        await expect(page.getByRole('row').filter({ hasText: 'session.killed' })).not.toHaveCount(0);
        await press(page.getByRole('button', { name: words.verify, exact: true }));
        await expect(page.locator('.verdict')).toBeVisible();
      });
      await test.step('out, and in again', async () => {
        const menu = page.getByRole('banner').locator('[aria-expanded]').last();
        await press(menu);
        await press(page.getByRole('banner').locator('.panel button').last());
        await expect(page).toHaveURL(/\/login/);
        await fill(page.getByRole('textbox').first(), 'ada');
        await fill(page.locator('input[type=password]'), PASSWORD);
        await page.keyboard.press('Enter');
        await expect(page.getByRole('heading', { name: 'Lab desktop' })).toBeVisible();
      });
      expect([...errors, ...theirErrors], 'console errors and policy violations').toEqual([]);
    } finally {
      await context.close();
      await others.close();
      await guest.stop();
      await program.end();
    }
  });
}
