/** What a console does when things change around it: rules, networks, windows, permissions, fingers. */
import type { BrowserContext, CDPSession, Page } from '@playwright/test';
import { Guest } from './guest.ts';
import { colors, enter, expectState, fateOf, NAMES, open, order, sessionOn, sessionsOn, unlock } from './house.ts';
import { expect, LANGUAGES, NETWORK_NOISE, prefer, shootSizes, test, watch } from './page.ts';
import { Program } from './program.ts';

let guest: Guest;
let door = '';

test.beforeAll(async ({ browser }, info) => {
  door = await unlock(browser, info.project.outputDir);
  guest = await Guest.start();
});

test.afterAll(async () => {
  await guest?.stop();
});

type Permission = 'granted' | 'denied' | 'prompt';

/** What the person answered when the browser asked about its clipboard. */
async function setClipboardPermission(context: BrowserContext, page: Page, setting: Permission): Promise<void> {
  const cdp = await context.newCDPSession(page);
  const { browserContextId } = (await cdp.send('Target.getTargetInfo')).targetInfo;
  for (const name of ['clipboard-read', 'clipboard-write']) {
    const origin = process.env.GATEHOUSE_E2E_URL!;
    await cdp.send('Browser.setPermission', {
      permission: { name },
      setting,
      origin,
      ...(browserContextId ? { browserContextId } : {}),
    });
  }
}

/** Quality levels that the page announced, the last one last [RFB, 7.7.1: -32 is the lowest level]. */
function announcedLevels(page: Page): number[] {
  const levels: number[] = [];
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => {
      const bytes = Buffer.from(payload as Buffer);
      if (bytes[0] !== 2 || bytes.length < 4 || bytes.length !== 4 + 4 * bytes.readUInt16BE(2)) return;
      for (let at = 4; at < bytes.length; at += 4) {
        const encoding = bytes.readInt32BE(at);
        if (encoding >= -32 && encoding <= -23) levels.push(encoding + 32);
      }
    });
  });
  return levels;
}

type Point = [x: number, y: number];

class Fingers {
  private constructor(
    private readonly cdp: CDPSession,
    private readonly box: { x: number; y: number; width: number; height: number },
  ) {}

  static async on(page: Page): Promise<Fingers> {
    const box = await page.locator('.live canvas').boundingBox();
    return new Fingers(await page.context().newCDPSession(page), box!);
  }

  /** Points are parts of the canvas's width and height. */
  private send(type: 'touchStart' | 'touchMove' | 'touchEnd', points: Point[]): Promise<unknown> {
    const { x, y, width, height } = this.box;
    const touchPoints = points.map(([px, py], id) => ({ x: x + px * width, y: y + py * height, id }));
    return this.cdp.send('Input.dispatchTouchEvent', { type, touchPoints });
  }

  async tap(...points: Point[]): Promise<void> {
    await this.down(...points);
    await this.up();
  }

  async down(...points: Point[]): Promise<void> {
    for (let n = 1; n <= points.length; n += 1) await this.send('touchStart', points.slice(0, n));
  }

  async move(from: Point[], to: Point[], steps = 12): Promise<void> {
    for (let step = 1; step <= steps; step += 1) {
      const part = step / steps;
      const between = from.map(([x, y], n): Point => [x + (to[n]![0] - x) * part, y + (to[n]![1] - y) * part]);
      await this.send('touchMove', between);
    }
  }

  async up(): Promise<void> {
    await this.send('touchEnd', []);
  }
}

for (const language of LANGUAGES) {
  const names = NAMES[language];
  const panel = async (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

  test.describe(language, () => {
    test.beforeEach(({ context, page }) => enter(context, page, language, door));

    test('with the permission, the two clipboards follow each other', async ({ page, context }) => {
      await setClipboardPermission(context, page, 'granted');
      await open(page, language, guest);
      await page.evaluate(() => navigator.clipboard.writeText('copied here: نسخ'));
      // The person comes back to the screen from where they copied.
      await panel(page, names.clipboard);
      await page.keyboard.press('Escape');
      await page.locator('.live canvas').click();
      await expect.poll(() => guest.clipboard()).toBe('copied here: نسخ');
      guest.copy('copied there: هناك');
      await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('copied there: هناك');
      await panel(page, names.clipboard);
      await expect(page.getByRole('button', { name: names.allow })).toHaveCount(0);
    });

    test('without the permission, the panel carries the text', async ({ page, context }) => {
      await setClipboardPermission(context, page, 'denied');
      await open(page, language, guest);
      const button = page.getByRole('button', { name: names.clipboard });
      guest.copy(`only in the panel, ${language}`);
      // A dot says that something waits there.
      await expect(button).toHaveAttribute('aria-describedby', /./);
      await button.click();
      const text = page.getByLabel(names.text, { exact: true });
      await expect(text).toHaveValue(`only in the panel, ${language}`);
      await page.getByRole('button', { name: names.copy, exact: true }).click();
      await expect(button).not.toHaveAttribute('aria-describedby');
      await text.fill('');
      await text.focus();
      // What the button copied is what the person pastes.
      await page.keyboard.press('Control+V');
      await expect(text).toHaveValue(`only in the panel, ${language}`);
    });

    test('a permission that is asked for changes the panel when it is given', async ({ page, context }) => {
      await setClipboardPermission(context, page, 'prompt');
      await open(page, language, guest);
      await panel(page, names.clipboard);
      const allow = page.getByRole('button', { name: names.allow });
      await expect(allow).toBeVisible();
      await setClipboardPermission(context, page, 'granted');
      await expect(allow).toHaveCount(0);
    });

    test('the quality slider changes what the target is asked for', async ({ page }) => {
      const levels = announcedLevels(page);
      await open(page, language, guest);
      await expect.poll(() => levels.at(-1)).toBe(6);
      await panel(page, names.view);
      const slider = page.getByRole('slider');
      await slider.fill('1');
      await expect.poll(() => levels.at(-1)).toBe(1);
      await slider.press('End');
      await expect.poll(() => levels.at(-1)).toBe(9);
      // It is kept for the next console.
      await page.reload();
      await expectState(page, 'connected');
      await expect.poll(() => levels.at(-1)).toBe(9);
    });

    test('the desktop takes the size of the window, and follows it', async ({ page, watched }) => {
      // The viewer keeps the picture over a change of size, which this browser calls slow.
      watched.allow(/^Canvas2D: Multiple readback operations/);
      await page.setViewportSize({ width: 1100, height: 700 });
      await open(page, language, guest);
      await panel(page, names.view);
      await page.getByRole('radio').last().check();
      await page.keyboard.press('Escape');
      // The window without the bar below; the last size is what the other tests expect.
      for (const [width, height] of [
        [1100, 700],
        [900, 640],
        [1024, 768 + 52],
      ] as const) {
        await page.setViewportSize({ width, height });
        await expect.poll(() => guest.size()).toBe(`${width} ${height - 52}`);
        await expect(page.locator('.live canvas')).toHaveJSProperty('width', width);
      }
    });

    test('fingers tap, press long, scroll and pinch', async ({ browser, baseURL }) => {
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
      const buttons = await guest.watchButtons();
      const next = async (gesture: () => Promise<void>) => {
        const before = (await buttons.presses()).length;
        await gesture();
        await expect.poll(async () => (await buttons.presses()).length).toBeGreaterThan(before);
        return (await buttons.presses()).slice(before);
      };
      const fingers = await Fingers.on(page);
      expect(await next(() => fingers.tap([0.5, 0.5]))).toEqual(['1']);
      expect(await guest.pointer()).toMatch(/^51\d 38\d$/);
      expect(await next(() => fingers.tap([0.4, 0.5], [0.6, 0.5]))).toEqual(['3']);
      expect(await next(() => fingers.tap([0.3, 0.5], [0.5, 0.5], [0.7, 0.5]))).toEqual(['2']);
      // Held until the machine has its right button: the finger, not a clock, says when it is enough.
      expect(await next(() => fingers.down([0.25, 0.25]))).toEqual(['3']);
      await fingers.up();
      const low: Point[] = [
        [0.4, 0.9],
        [0.6, 0.9],
      ];
      const high: Point[] = [
        [0.4, 0.1],
        [0.6, 0.1],
      ];
      const scrolled = await next(async () => {
        await fingers.down(...low);
        await fingers.move(low, high);
        await fingers.up();
      });
      expect(new Set(scrolled)).toEqual(new Set(['5']));
      const pinch = async (from: Point[], to: Point[]) => {
        await fingers.down(...from);
        await fingers.move(from, to);
        await fingers.up();
      };
      const near: Point[] = [
        [0.45, 0.5],
        [0.55, 0.5],
      ];
      const far: Point[] = [
        [0.05, 0.5],
        [0.95, 0.5],
      ];
      expect(new Set(await next(() => pinch(near, far)))).toEqual(new Set(['Control+4']));
      expect(new Set(await next(() => pinch(far, near)))).toEqual(new Set(['Control+5']));
      await buttons.stop();
      expect(errors).toEqual([]);
      await context.close();
    });

    test('a broken line to the machine dims the picture and mends itself', async ({ page }) => {
      await open(page, language, guest);
      await expect.poll(() => colors(page)).toBeGreaterThan(1);
      const id = await sessionOn(page.request, guest);
      guest.cut();
      await expectState(page, 'reconnecting');
      await expect(page.locator('.past.shade canvas')).toBeVisible();
      await expectState(page, 'connected');
      await expect(page.locator('.past canvas')).toHaveCount(0);
      expect(await sessionOn(page.request, guest)).toBe(id);
      await expectTyping(page, 'mended');
    });

    test('a restart of the program is survived, and three tries without one are told', async ({ browser }) => {
      const program = await Program.start(process.env.GATEHOUSE_TEST_BINARY!);
      const context = await browser.newContext({ baseURL: program.url });
      const page = await context.newPage();
      const errors = await watch(page, (text) => NETWORK_NOISE.test(text));
      try {
        await prefer(page, language, 'light');
        await page.goto(program.link);
        // Whoever has no password yet is asked for one.
        await expect(page).toHaveURL(`${program.url}/welcome`);
        await open(page, language, guest);
        await expect.poll(() => colors(page)).toBeGreaterThan(1);
        for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
          await program.halt(signal);
          await expectState(page, 'reconnecting');
          await expect(page.locator('.past.shade canvas')).toBeVisible();
          await program.resume();
          await expectState(page, 'connected');
          await expectTyping(page, `after ${signal}`);
        }
        let tries = 0;
        page.on('websocket', (socket) => (tries += Number(socket.url().includes('/ws/console/'))));
        await program.halt('SIGKILL');
        await expectState(page, 'ended');
        expect(tries).toBe(3);
        await expect(page.getByRole('alert')).toContainText('interface.lost');
        await expect(page.locator('.past canvas')).toBeVisible();
        await shootSizes(page, 'console-gone', language);
        await program.resume();
        await page.getByRole('alert').getByRole('button').first().click();
        await expectState(page, 'connected');
        expect(errors).toEqual([]);
      } finally {
        await context.close();
        await program.end();
      }
    });

    test('freeze, thaw, new rules and an end are shown where they happen', async ({ page, browser }) => {
      await open(page, language, guest);
      const id = await sessionOn(page.request, guest);
      const before = await guest.typed();
      await order(page, id, 'freeze');
      await expectState(page, 'frozen');
      await page.keyboard.type('lost');
      await order(page, id, 'thaw');
      await expectState(page, 'connected');
      await page.keyboard.type('kept');
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('kept');
      await order(page, id, 'policy', { view_only: true, max_duration: 3600 });
      const bar = page.getByRole('toolbar');
      await expect(bar.getByText(names.viewOnly)).toBeVisible();
      await expect(bar.getByTitle(language === 'en' ? 'Time left in this session' : 'الوقت المتبقي')).toBeVisible();
      await page.locator('.live canvas').click();
      await page.keyboard.type('dropped');
      await order(page, id, 'policy', {});
      await expect(bar.getByText(names.viewOnly)).toHaveCount(0);
      await page.locator('.live canvas').click();
      await page.keyboard.type('!');
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe('kept!');
      await order(page, id, 'kill');
      await expectState(page, 'ended');
      await expect(page.getByRole('alert').getByRole('heading')).toContainText('admin');
      expect(await fateOf(page.request, id)).toBe('terminated session.killed');

      // Who has nothing but the link learns it too, by asking, and is told no names.
      const link = await newLink(page);
      const stranger = await browser.newContext({ baseURL: new URL(page.url()).origin });
      const other = await stranger.newPage();
      const errors = await watch(other);
      await prefer(other, language, 'light');
      await other.goto(link);
      await expectState(other, 'connected');
      const second = await sessionOn(page.request, guest);
      await order(page, second, 'freeze');
      await expectState(other, 'frozen');
      await order(page, second, 'kill');
      await expectState(other, 'ended');
      const unnamed = language === 'en' ? 'An administrator' : 'مدير النظام';
      await expect(other.getByRole('alert').getByRole('heading')).toContainText(unnamed);
      expect(errors).toEqual([]);
      await stranger.close();
    });

    test('leaving ends the session at once', async ({ page }) => {
      await page.addInitScript(() => {
        const close = WebSocket.prototype.close;
        WebSocket.prototype.close = function (code?: number, reason?: string) {
          if (this.url.includes('/ws/console/')) document.documentElement.dataset.closed = String(code);
          close.call(this, code, reason);
        };
      });
      await open(page, language, guest);
      let id = await sessionOn(page.request, guest);
      await panel(page, names.more);
      await page.getByRole('button', { name: names.leaveSession }).click();
      await expectState(page, 'ended');
      await expect(page.locator('html')).toHaveAttribute('data-closed', '1000');
      await expect.poll(() => fateOf(page.request, id)).toBe('terminated session.viewer_left');
      await open(page, language, guest);
      id = await sessionOn(page.request, guest);
      await page.getByRole('link', { name: names.back }).first().click();
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect.poll(() => fateOf(page.request, id)).toBe('terminated session.viewer_left');
    });

    test('the list shows a session when it starts and when it ends, without being asked again', async ({
      page,
      context,
    }) => {
      // Without its patient timers the page reads again only when an event tells it to.
      await page.addInitScript(() => {
        const set = window.setTimeout.bind(window);
        window.setTimeout = ((work: () => void, wait?: number) =>
          set(work, (wait ?? 0) >= 1000 ? 2 ** 31 - 1 : wait)) as typeof setTimeout;
      });
      await page.goto('/sessions');
      // Consoles of earlier tests may still be waiting for their pages.
      for (const id of await sessionsOn(page.request, guest)) await order(page, id, 'kill');
      const console = await context.newPage();
      await prefer(console, language, 'light');
      await open(console, language, guest);
      const mine = page.getByRole('row').filter({ has: page.getByRole('link', { name: guest.name }) });
      await expect(mine).toHaveCount(1);
      const id = await sessionOn(page.request, guest);
      await order(page, id, 'freeze');
      await expect(mine.getByText(language === 'en' ? 'Frozen' : 'مجمّدة')).toBeVisible();
      await order(page, id, 'kill');
      await expect(mine).toHaveCount(0);
      await console.close();
    });

    async function expectTyping(page: Page, text: string): Promise<void> {
      const before = await guest.typed();
      await page.locator('.live canvas').click();
      await page.keyboard.type(text);
      await expect.poll(async () => (await guest.typed()).slice(before.length)).toBe(text);
    }

    async function newLink(page: Page): Promise<string> {
      const { targets } = (await (await page.request.get('/api/targets')).json()) as {
        targets: { id: string; name: string }[];
      };
      const target = targets.find(({ name }) => name === guest.name)!;
      const headers = { origin: new URL(page.url()).origin };
      const answer = await page.request.post(`/api/vm/${target.id}/console/request`, { headers, data: {} });
      return ((await answer.json()) as { console_path: string }).console_path;
    }
  });
}
