/**
 * Loading and failing: states that a healthy server does not show. Answers are scripted at the network's edge; the
 * page, its policy and its words are the real ones.
 */
import type { Page, WebSocketRoute } from '@playwright/test';
import { expect, LANGUAGES, prefer, shootSizes, test, type Language } from './page.ts';
import { good, POLICY, problem, script, session } from './scripted.ts';

const TOKEN = 'a'.repeat(52);

const INFO = {
  target_name: 'Lab desktop',
  view_only: false,
  state: 'active',
  time_left_s: 840,
  live_events: false,
  policy: POLICY,
  may_change_policy: false,
  others: [],
};

function info(page: Page, body: object = {}) {
  return page.route('**/api/console/*/info', (route) => route.fulfill(good({ ...INFO, ...body })));
}

async function socket(page: Page, handle: (ws: WebSocketRoute) => void | Promise<void>) {
  await page.routeWebSocket('**/ws/console/vnc/*', handle);
}

/** Enough of a VNC server for one gray screen: 3.8, no security, 640 by 480, every request answered by one color. */
function grayScreen(ws: WebSocketRoute): void {
  let stage = 0;
  const send = (...bytes: number[]) => ws.send(Buffer.from(bytes));
  ws.onMessage((message) => {
    const bytes = Buffer.from(message as Buffer);
    if (stage === 0) {
      stage = 1;
      send(1, 1);
    } else if (stage === 1) {
      stage = 2;
      send(0, 0, 0, 0);
    } else if (stage === 2) {
      stage = 3;
      // 640x480, 32 bits, depth 24, little endian, true color, 255 each, shifts 16 8 0, name "lab"
      send(2, 128, 1, 224, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 3, 108, 97, 98);
    } else if (bytes.includes(3)) {
      if (stage === 4) return;
      stage = 4;
      // One rectangle, RRE without subrectangles: a single color for the whole screen.
      send(0, 0, 0, 1, 0, 0, 0, 0, 2, 128, 1, 224, 0, 0, 0, 2, 0, 0, 0, 0, 0x8a, 0x6f, 0x4b, 0);
    }
  });
  ws.send(Buffer.from('RFB 003.008\n'));
}

for (const language of LANGUAGES) {
  test.describe(language, () => {
    test.beforeEach(({ page }) => prefer(page, language, 'light'));

    test('console: connecting', async ({ page }) => {
      await info(page, { state: 'waiting' });
      await socket(page, () => undefined);
      await page.goto(`/console/${TOKEN}`);
      await expect(page.getByText(language === 'en' ? 'Connecting to' : 'جارٍ الاتصال بـ')).toBeVisible();
      await shootSizes(page, 'console-connecting', language);
    });

    test('console: slow, frozen, view-only, and the panels', async ({ page }) => {
      let body: object = { view_only: true, state: 'frozen', time_left_s: 95 };
      await page.route('**/api/console/*/info', (route) => route.fulfill(good({ ...INFO, ...body })));
      await socket(page, grayScreen);
      await page.goto(`/console/${TOKEN}`);
      const root = page.locator('[data-state]');
      await expect(root).toHaveAttribute('data-state', 'frozen');
      await shootSizes(page, 'console-frozen', language);
      body = {};
      await expect(root).toHaveAttribute('data-state', 'connected');
      await panels(page, language);
    });

    test('console: slow, and a time that runs out', async ({ page }) => {
      await page.route('**/api/console/*/info', async (route) => {
        // The answer is what is slow here, not the test: half a second is what makes the state.
        await new Promise((resolve) => setTimeout(resolve, 500));
        await route.fulfill(good({ ...INFO, view_only: true, time_left_s: 45 }));
      });
      await socket(page, grayScreen);
      await page.goto(`/console/${TOKEN}`);
      await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'slow');
      await shootSizes(page, 'console-slow', language);
    });

    test('console: who else is here, which rules hold, more time, and the way back', async ({ page }) => {
      const asked: unknown[] = [];
      await script(page);
      const here = { person: 'سارة', since: new Date(Date.now() - 180_000).toISOString(), view_only: true };
      let body: object = { others: [here] };
      const mine = { live_events: true, session_id: 's1', target_id: 't1', extended_s: 900, may_change_policy: true };
      await page.route('**/api/console/*/info', (route) =>
        route.fulfill(good({ ...INFO, ...mine, time_left_s: 90, ...body })),
      );
      await page.route('**/api/vm/t1/console/extend', (route) => {
        asked.push('extend');
        body = { ...body, time_left_s: 900 };
        return route.fulfill(good({ session_id: 's1', expires_at: '', extensions: 1, time_left_s: 900 }));
      });
      await page.route('**/api/sessions/s1', (route) => route.fulfill(good(session(1))));
      await page.route('**/api/sessions/s1/policy', (route) => {
        asked.push(route.request().postDataJSON());
        body = {
          ...body,
          view_only: true,
          policy: { ...POLICY, view_only: true },
          others: [here, { ...here, person: null }],
        };
        return route.fulfill({ status: 204 });
      });
      await socket(page, grayScreen);
      await page.goto(`/console/${TOKEN}`);
      const root = page.locator('[data-state]');
      await expect(root).toHaveAttribute('data-state', 'connected');
      const extend = page.getByRole('button', { name: language === 'en' ? 'Extend' : 'تمديد', exact: true });
      await expect(page.locator('.banner.warn')).toBeVisible();
      await shootSizes(page, 'console-ending', language);
      await extend.first().click();
      await expect(page.locator('.banner.warn')).toBeHidden();
      await expect(page.locator('.banner')).toBeVisible();
      expect(asked).toEqual(['extend']);

      const more = page.getByRole('button', { name: language === 'en' ? 'More' : 'المزيد', exact: true });
      await more.click();
      const panel = page.getByRole('group', { name: language === 'en' ? 'More' : 'المزيد', exact: true });
      await expect(panel.getByText('سارة')).toBeVisible();
      await shootSizes(page, 'console-company', language);
      await panel.getByRole('button', { name: language === 'en' ? 'Change the rules' : 'تغيير القواعد' }).click();
      const dialog = page.getByRole('dialog');
      await expect(dialog).toBeVisible();
      await shootSizes(page, 'console-rules', language);
      await dialog.getByLabel(language === 'en' ? 'View-only' : 'للمشاهدة فقط').check();
      await dialog.locator('button[type=submit]').click();
      await expect(dialog).toBeHidden();
      // What was decided is what is shown, and it is said that it changed.
      await expect(page.locator('.banner')).toContainText(language === 'en' ? 'rules' : 'قواعد');
      await expect(
        page.getByRole('toolbar').getByText(language === 'en' ? 'View-only' : 'للمشاهدة فقط'),
      ).toBeAttached();
      await shootSizes(page, 'console-ruled', language);
      await page.getByRole('link', { name: language === 'en' ? 'Back to the list' : 'العودة إلى القائمة' }).click();
      await expect(page).not.toHaveURL(/console/);
      await expect(page.getByRole('main').getByRole('listitem').first()).toBeVisible();
    });

    test('console: rules that keep the clipboard here', async ({ page }) => {
      await info(page, { policy: { ...POLICY, clipboard_to_target: 'deny', clipboard_to_viewer: 'deny' } });
      await socket(page, grayScreen);
      await page.goto(`/console/${TOKEN}`);
      await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'connected');
      await page.getByRole('button', { name: language === 'en' ? 'Clipboard' : 'الحافظة', exact: true }).click();
      await page.getByLabel(language === 'en' ? 'Text' : 'النص', { exact: true }).fill('secret');
      await expect(
        page.getByRole('button', { name: language === 'en' ? 'Send to machine' : 'إرسال إلى الجهاز' }),
      ).toBeDisabled();
      await shootSizes(page, 'console-clipboard-shut', language);
    });

    test('console: reconnecting keeps the last picture, then tells why it gave up', async ({ page }) => {
      await info(page);
      const sockets: WebSocketRoute[] = [];
      await socket(page, (ws) => {
        sockets.push(ws);
        if (sockets.length === 1) grayScreen(ws);
      });
      await page.goto(`/console/${TOKEN}`);
      const root = page.locator('[data-state]');
      await expect(root).toHaveAttribute('data-state', 'connected');
      const lost = { code: 4002, reason: '{"code":"session.target_lost"}' };
      await sockets[0]!.close(lost);
      await expect.poll(() => sockets.length).toBe(2);
      await expect(root).toHaveAttribute('data-state', 'reconnecting');
      await expect(page.locator('.past canvas')).toBeVisible();
      await shootSizes(page, 'console-reconnecting', language);
      for (const next of [2, 3]) {
        await sockets[next - 1]!.close(lost);
        await expect.poll(() => sockets.length).toBe(next + 1);
      }
      await sockets[3]!.close(lost);
      await expect(root).toHaveAttribute('data-state', 'ended');
      await expect(page.getByRole('alert')).toContainText('session.target_lost');
      await expect(page.locator('.past canvas')).toBeVisible();
      await shootSizes(page, 'console-lost', language);
      // The same tab offers the same resume key at every try.
      await page.getByRole('alert').getByRole('button').click();
      await expect.poll(() => sockets.length).toBe(5);
      grayScreen(sockets[4]!);
      await expect(root).toHaveAttribute('data-state', 'connected');
      await expect(page.locator('.past canvas')).toHaveCount(0);
      expect(new Set(sockets.map((s) => s.url())).size).toBe(1);
    });

    for (const [state, close, code] of [
      ['killed', { code: 4003, reason: '{"code":"session.killed"}' }, 'session.killed'],
      ['expired', { code: 4004, reason: 'session.expired' }, 'session.expired'],
      ['refused', { code: 4008, reason: '{"code":"target.wrong_password"}' }, 'target.wrong_password'],
      ['failed', { code: 1011, reason: '' }, 'server.internal'],
      ['misbehaved', { code: 4007, reason: 'rfb.unknown_message' }, 'rfb.unknown_message'],
      ['used', { code: 4100, reason: '{"code":"ticket.used"}' }, 'ticket.used'],
    ] as const) {
      test(`console: ended, ${state}`, async ({ page }) => {
        await info(page);
        await socket(page, (ws) => ws.close(close));
        await page.goto(`/console/${TOKEN}`);
        await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'ended');
        await expect(page.getByRole('alert')).toContainText(code);
        await shootSizes(page, `console-${state}`, language);
      });
    }

    test('console: a certificate that changed shows both fingerprints', async ({ page }) => {
      const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');
      const expected = '9b1c'.repeat(16);
      const presented = `9b1c77d0${'9b1c'.repeat(14)}`;
      const reason = `target.tls_mismatch ${base64(expected)} ${base64(presented)}`;
      await info(page);
      await socket(page, (ws) => ws.close({ code: 4008, reason }));
      await page.goto(`/console/${TOKEN}`);
      const alert = page.getByRole('alert');
      await expect(alert).toContainText('target.tls_mismatch');
      // What differs stands out; what is the same does not.
      await expect(alert.locator('mark')).toHaveText(['77d0']);
      await expect(alert.locator('dd').first()).toHaveText(/^(\s*9b1c){16}\s*$/);
      await shootSizes(page, 'console-certificate', language);
    });

    test('console: ended by somebody says who, whichever connection tells it first', async ({ page }) => {
      await info(page, { live_events: true, session_id: 's7' });
      let tell: ((event: object) => void) | undefined;
      await page.routeWebSocket('**/ws/events*', (ws) => {
        tell = (event) =>
          ws.send(JSON.stringify({ timestamp: new Date(Date.now() - 240_000).toISOString(), ...event }));
      });
      let console: WebSocketRoute | undefined;
      await socket(page, (ws) => {
        console = ws;
        grayScreen(ws);
      });
      await page.goto(`/console/${TOKEN}`);
      await expect(page.locator('[data-state]')).toHaveAttribute('data-state', 'connected');
      await expect.poll(() => tell !== undefined).toBe(true);
      const other = { session_id: 's8', by: 'mallory', changed: { ending: 'session.killed' } };
      tell!({ type: 'vnc_session_changed', id: 'b-1', payload: other });
      await console!.close({ code: 4003, reason: '{"code":"session.killed"}' });
      await expect(page.getByRole('alert')).toContainText('session.killed');
      await expect(page.getByRole('alert')).not.toContainText('mallory');
      tell!({ type: 'vnc_session_changed', id: 'b-2', payload: { ...other, session_id: 's7', by: 'admin' } });
      await expect(page.getByRole('alert').getByRole('heading')).toContainText('admin');
      await shootSizes(page, 'console-killed-by', language);
    });

    test('console: a link that is not known', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      await page.route('**/api/console/*/info', (route) => route.fulfill(problem(404, 'ticket.unknown')));
      await page.goto(`/console/${TOKEN}`);
      await expect(page.getByRole('alert')).toContainText('ticket.unknown');
      await shootSizes(page, 'console-unknown', language);
    });
  });
}

async function panels(page: Page, language: Language): Promise<void> {
  await shootSizes(page, 'console-connected', language);
  const names =
    language === 'en' ? ['Keys', 'Clipboard', 'View', 'More'] : ['مفاتيح خاصة', 'الحافظة', 'العرض', 'المزيد'];
  for (const [index, state] of ['keys', 'clipboard', 'view', 'more'].entries()) {
    const button = page.getByRole('button', { name: names[index]!, exact: true });
    await button.click();
    await shootSizes(page, `console-${state}`, language);
    await page.keyboard.press('Escape');
    await expect(button).toBeFocused();
  }
}
