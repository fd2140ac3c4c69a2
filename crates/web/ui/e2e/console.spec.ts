/** The console against a running `gatehouse serve` and a real machine (Xvnc with a terminal), read back in the machine. */
import type { CDPSession } from '@playwright/test';
import { CSP } from './csp.ts';
import { Guest } from './guest.ts';
import { colors, enter, NAMES, open, unlock } from './house.ts';
import { expect, expectAccessible, LANGUAGES, prefer, shootSizes, test, watch } from './page.ts';

let guest: Guest;
let door = '';

test.beforeAll(async ({ browser }, info) => {
  door = await unlock(browser, info.project.outputDir);
  guest = await Guest.start();
});

test.afterAll(async () => {
  await guest?.stop();
});

type Modifiers = { alt?: boolean; ctrl?: boolean; shift?: boolean };

/** A key of a layout that the test machine does not have: what the browser tells a page under that layout. */
async function key(cdp: CDPSession, code: string, text: string, held: Modifiers = {}): Promise<void> {
  const modifiers = (held.alt ? 1 : 0) | (held.ctrl ? 2 : 0) | (held.shift ? 8 : 0);
  await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', code, key: text, modifiers });
  await cdp.send('Input.dispatchKeyEvent', { type: 'keyUp', code, key: text, modifiers });
}

/** The Arabic (101) layout's key for each letter used here. */
const ARABIC: Record<string, string> = { م: 'KeyL', ر: 'KeyV', ح: 'KeyP', ب: 'KeyF', ا: 'KeyH', ﻻ: 'KeyB' };

for (const language of LANGUAGES) {
  const names = NAMES[language];

  test.describe(language, () => {
    test.beforeEach(({ context, page }) => enter(context, page, language, door));

    test('the page is served under the policy that these tests hold it to', async ({ page }) => {
      const response = await page.goto('/');
      expect(response?.headers()['content-security-policy']).toBe(CSP);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    });

    test('a click opens the screen', async ({ page }) => {
      await open(page, language, guest);
      await expect.poll(() => colors(page)).toBeGreaterThan(1);
      await shootSizes(page, 'console-live', language);
    });

    test('shortcuts go by the physical key under an Arabic layout, letters by what they are', async ({ page }) => {
      await open(page, language, guest);
      const cdp = await page.context().newCDPSession(page);
      const before = await guest.typed();
      await page.keyboard.type('Ab1');
      await cdp.send('Input.dispatchKeyEvent', {
        type: 'rawKeyDown',
        code: 'ControlLeft',
        key: 'Control',
        modifiers: 2,
      });
      await key(cdp, 'KeyC', 'ؤ', { ctrl: true });
      await key(cdp, 'KeyV', 'ر', { ctrl: true });
      await cdp.send('Input.dispatchKeyEvent', { type: 'keyUp', code: 'ControlLeft', key: 'Control' });
      // The last is what the lam-alef key is under X11: one character, which is to arrive as its two letters.
      for (const letter of ['م', 'ر', 'ح', 'ب', 'ا', 'ﻻ']) await key(cdp, ARABIC[letter]!, letter);
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('Ab1\u0003\u0016مرحبالا');
    });

    test('the key menu and the on-screen keyboard type in both scripts', async ({ page }) => {
      await open(page, language, guest);
      const before = await guest.typed();
      await page.getByRole('button', { name: names.keys, exact: true }).click();
      await page.getByRole('button', { name: 'Tab', exact: true }).click();
      await page.getByRole('button', { name: 'Ctrl', exact: true }).click();
      await page.getByRole('button', { name: 'Ctrl', exact: true }).click();
      await page.getByRole('button', { name: names.keyboard, exact: true }).click();
      const board = page.getByRole('group', { name: names.keyboard });
      await shootSizes(page, 'console-keyboard', language);
      await page.setViewportSize({ width: 1280, height: 800 });
      const toArabic = board.getByRole('button', { name: /Arabic letters|حروف عربية/ });
      const toEnglish = board.getByRole('button', { name: /English letters|حروف إنجليزية/ });
      if (await toArabic.isVisible()) await toArabic.click();
      for (const letter of ['س', 'لا', 'م']) await board.getByRole('button', { name: letter, exact: true }).click();
      await board.getByRole('button', { name: 'Ctrl', exact: true }).click();
      await board.getByRole('button', { name: 'ؤ', exact: true }).click();
      await toEnglish.click();
      await board.getByRole('button', { name: 'Shift', exact: true }).click();
      await board.getByRole('button', { name: 'H', exact: true }).click();
      await board.getByRole('button', { name: 'i', exact: true }).click();
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('\tسلام\u0003Hi');
    });

    test('a phone types with its own keyboard and the row of keys above it', async ({ browser, baseURL }) => {
      const context = await browser.newContext({
        ...(baseURL ? { baseURL } : {}),
        viewport: { width: 390, height: 844 },
        hasTouch: true,
        isMobile: true,
      });
      const page = await context.newPage();
      const errors = await watch(page);
      await enter(context, page, language, door);
      await open(page, language, guest);
      const before = await guest.typed();
      await page.getByRole('button', { name: names.touch, exact: true }).tap();
      const field = page.getByRole('textbox', { name: names.touch });
      await expect(field).toBeFocused();
      // As a phone does it: whole words, and one replaced by a better one.
      const cdp = await context.newCDPSession(page);
      await cdp.send('Input.insertText', { text: 'مرحا' });
      await page.keyboard.press('Backspace');
      await cdp.send('Input.insertText', { text: 'با' });
      await page.getByRole('button', { name: 'Esc', exact: true }).tap();
      await page.getByRole('button', { name: 'Ctrl', exact: true }).tap();
      await cdp.send('Input.insertText', { text: 'c' });
      await expect(field).toBeFocused();
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('مرحا\u007fبا\u001b\u0003');
      await shootSizes(page, 'console-touch', language);
      expect(errors).toEqual([]);
      await context.close();
    });

    test('the clipboard goes both ways', async ({ page }) => {
      await open(page, language, guest);
      await page.getByRole('button', { name: names.clipboard, exact: true }).click();
      const text = page.getByLabel(names.text, { exact: true });
      await text.fill('from the browser: نص عربي');
      await page.getByRole('button', { name: names.send, exact: true }).click();
      await expect.poll(() => guest.clipboard()).toBe('from the browser: نص عربي');
      guest.copy('from the machine: تجربة');
      await expect(text).toHaveValue('from the machine: تجربة');
      const before = await guest.typed();
      await text.fill('typed سطر');
      await page.getByRole('button', { name: names.type, exact: true }).click();
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('typed سطر');
    });

    test('view-only lets nothing through', async ({ page }) => {
      await open(page, language, guest);
      const before = await guest.typed();
      await page.getByRole('button', { name: names.view, exact: true }).click();
      const box = page.getByRole('checkbox', { name: names.viewOnly });
      await box.check();
      await page.keyboard.press('Escape');
      await page.locator('.live canvas').click();
      await page.keyboard.type('lost');
      await page.getByRole('button', { name: names.view, exact: true }).click();
      await box.uncheck();
      await page.keyboard.press('Escape');
      await page.locator('.live canvas').click();
      await page.keyboard.type('kept');
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('kept');
    });

    test('the bar is reached and left by keyboard alone', async ({ page }) => {
      await open(page, language, guest);
      const before = await guest.typed();
      await page.keyboard.press('Control+Alt+Shift+KeyB');
      await expect(page.getByRole('button', { name: names.keys, exact: true })).toBeFocused();
      await page.keyboard.press('Enter');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+Alt+Shift+KeyB');
      await expect(page.locator('.live canvas')).toBeFocused();
      await page.keyboard.type('x');
      // Nothing of the shortcut is left pressed in the machine.
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('x');
    });

    test('full screen hides the bar, and the shortcut brings it back', async ({ page }) => {
      await open(page, language, guest);
      await page.getByRole('button', { name: names.view, exact: true }).click();
      await page.getByRole('button', { name: names.full, exact: true }).click();
      const bar = page.getByRole('toolbar');
      await expect(bar).toBeHidden();
      await expectAccessible(page);
      await page.keyboard.press('Control+Alt+Shift+KeyB');
      await expect(bar).toBeVisible();
      await page.getByRole('button', { name: names.view, exact: true }).click();
      await page.getByRole('button', { name: names.leave, exact: true }).click();
      await expect(bar).toBeVisible();
    });

    test('original size shows the machine pixel by pixel, and the pointer lands where it points', async ({ page }) => {
      await page.setViewportSize({ width: 1280, height: 900 });
      await open(page, language, guest);
      await page.getByRole('button', { name: names.view, exact: true }).click();
      await page.getByRole('radio', { name: /1:1/ }).check();
      await page.keyboard.press('Escape');
      const canvas = page.locator('.live canvas');
      await expect(canvas).toHaveCSS('width', '1024px');
      await expect(canvas).toHaveCSS('height', '768px');
      const box = (await canvas.boundingBox())!;
      await page.mouse.move(box.x + 300, box.y + 200);
      await expect.poll(() => guest.pointer()).toBe('300 200');
    });

    test('a reload comes back to the same session', async ({ page }) => {
      await open(page, language, guest);
      await page.reload();
      await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'connected');
      const before = await guest.typed();
      await page.keyboard.type('again');
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('again');
    });

    test('a session that is ended from the list says so over its last picture', async ({ page, context }) => {
      await open(page, language, guest);
      await expect.poll(() => colors(page)).toBeGreaterThan(1);
      const list = await context.newPage();
      await prefer(list, language, 'light');
      await list.goto('/sessions');
      const mine = list.getByRole('row').filter({ hasText: guest.name }).first();
      await mine.locator('[aria-expanded]').click();
      await mine.locator('.danger').click();
      await list.getByRole('dialog').getByRole('button').first().click();
      await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'ended');
      await expect(page.getByRole('alert')).toContainText('session.killed');
      await expect(page.locator('.past canvas')).toBeVisible();
      expect(await colors(page)).toBeGreaterThan(1);
      await shootSizes(page, 'console-ended', language);
      // The next step is one press away.
      await page.getByRole('alert').getByRole('button').first().click();
      await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'connected');
      await list.close();
    });
  });
}
