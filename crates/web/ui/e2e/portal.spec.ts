/** The portal together with the program: people come in, get their rights, and everything is accounted for. */
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { Guest } from './guest.ts';
import { COLORS } from './house.ts';
import { expect, LANGUAGES, prefer, shootPairs, test, watch, type Language } from './page.ts';
import { Program } from './program.ts';

const PASSWORD = 'correct horse battery staple';
const SECOND = 'a quiet afternoon in spring';

// Each language has a program of its own: the first run happens once.
for (const language of LANGUAGES) {
  const ar = language === 'ar';
  const words = ar
    ? {
        freeze: 'تجميد',
        thaw: 'إلغاء التجميد',
        more: /المزيد عن /,
        popup: /نافذة مستقلة$/,
        verify: 'تحقق',
        running: 'لديك جلسة مفتوحة هناك',
        view: 'للمشاهدة فقط',
      }
    : {
        freeze: 'Freeze',
        thaw: 'Thaw',
        more: /^More for /,
        popup: /own window$/,
        verify: 'Verify',
        running: 'You have a session open there',
        view: 'View-only',
      };

  test.describe.serial(language, () => {
    let program: Program;
    let guest: Guest;
    let context: BrowserContext;
    let page: Page;
    let errors: string[];

    test.beforeAll(async ({ browser }) => {
      const binary = process.env.GATEHOUSE_TEST_BINARY;
      if (!binary) throw new Error('set GATEHOUSE_TEST_BINARY to the program');
      program = await Program.start(binary);
      guest = await Guest.start();
      ({ context, page, errors } = await visitor(browser, language, program.url));
    });

    test.afterAll(async () => {
      await context?.close();
      await guest?.stop();
      await program?.end();
    });

    test.afterEach(() => {
      expect(errors.splice(0), 'console errors and policy violations').toEqual([]);
    });

    test('first run: from the link to a name, a password and the next step', async () => {
      await page.goto(program.link);
      await expect(page).toHaveURL(/\/welcome$/);
      const form = page.locator('form');
      await form.getByRole('textbox').nth(0).fill('ada');
      await form.getByRole('textbox').nth(1).fill('Ada Lovelace');
      await form.locator('input[type=password]').nth(0).fill(PASSWORD);
      await form.locator('input[type=password]').nth(1).fill(PASSWORD);
      await page.keyboard.press('Enter');
      await page.locator('a[href="/targets/new"]').click();
      await expect(page.getByRole('complementary').getByRole('textbox').first()).toBeVisible();
    });

    test('a target is added, tested, found, changed', async () => {
      const panel = page.getByRole('complementary');
      const fields = panel.getByRole('textbox');
      await fields.nth(0).fill('Lab desktop');
      await fields.nth(1).fill(guest.url);
      await panel.getByLabel(ar ? 'الوسوم' : 'Tags').fill(ar ? 'مختبر، صباح' : 'lab, morning');
      await panel.locator('button[type=submit]').click();
      await expect(page).toHaveURL(/\/targets\/[0-9a-f-]{36}$/);
      await panel.getByRole('button', { name: ar ? 'اختبار الاتصال' : 'Test connection' }).click();
      await expect(panel.getByRole('status').filter({ hasText: 'None' })).toBeVisible();
      await shootPairs(page, 'real-target-tested', language);
      await page.goto('/');
      await page.getByRole('searchbox').fill('LAB');
      await expect(page.getByRole('listitem').filter({ has: page.getByRole('heading') })).toHaveCount(1);
      await page
        .getByRole('button', { name: ar ? /مختبر/ : /lab/ })
        .first()
        .click();
      await expect(page).toHaveURL(/tag=/);
      await shootPairs(page, 'real-targets', language);
    });

    test('its screen is in the list once its entry allows it', async () => {
      const screen = page.getByRole('img', { name: ar ? /شاشة .*Lab desktop/ : /Screen of .*Lab desktop/ });
      await page.goto('/');
      await page.getByRole('heading', { name: 'Lab desktop' }).getByRole('link').click();
      await expect(page).toHaveURL(/\/targets\/[0-9a-f-]{36}$/);
      await page.goto(`${new URL(page.url()).pathname}/edit`);
      const panel = page.getByRole('complementary');
      await panel.getByLabel(ar ? 'عرض شاشتها في القوائم' : 'Show its screen in lists').check();
      await shootPairs(page, 'real-target-edit', language);
      await panel.locator('button[type=submit]').click();
      await expect(page).not.toHaveURL(/edit$/);
      await page.goto('/');
      await expect(screen).toBeVisible();
      const size = await screen.evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight]);
      expect(size[0]).toBeLessThanOrEqual(480);
      expect(size[1]).toBeLessThanOrEqual(300);
      await shootPairs(page, 'real-targets-pictured', language);
      await page.goto('/?view=table');
      await expect(screen).toBeVisible();
    });

    test('two administrators change the same target: the later one sees what changed', async ({ browser }) => {
      const other = await visitor(browser, language, program.url);
      await logIn(other.page, 'ada', PASSWORD);
      await page.goto('/');
      await page.getByRole('heading', { name: 'Lab desktop' }).getByRole('link').click();
      const address = `${new URL(page.url()).pathname}/edit`;
      await page.goto(address);
      await other.page.goto(address);
      const panel = page.getByRole('complementary');
      const theirs = other.page.getByRole('complementary');
      await theirs.getByRole('textbox').first().fill('Laboratory');
      await theirs.locator('button[type=submit]').click();
      await expect(other.page).not.toHaveURL(/edit$/);
      await panel.getByRole('textbox').last().fill('For the practical course');
      errors.length = 0;
      await panel.locator('button[type=submit]').click();
      await expect(panel.getByRole('alert')).toContainText('Laboratory');
      await shootPairs(page, 'real-target-conflict', language);
      await panel.getByRole('alert').getByRole('button').first().click();
      await expect(page).not.toHaveURL(/edit$/);
      await expect(panel).toContainText('For the practical course');
      await expect(page.getByRole('heading', { name: 'Laboratory' }).first()).toBeVisible();
      // The refused change is the browser's own line in its console.
      errors.splice(0, errors.length, ...errors.filter((line) => !line.includes('409')));
      await other.context.close();
    });

    test('a second person, a group, and their targets', async () => {
      await page.goto('/users/new');
      const panel = page.getByRole('complementary');
      await panel.getByRole('textbox').nth(0).fill('grace');
      await panel.getByRole('textbox').nth(1).fill('Grace Hopper');
      await panel.locator('input[type=password]').fill(SECOND);
      await panel.locator('button[type=submit]').click();
      await expect(page).toHaveURL(/\/users\/[0-9a-f-]{36}$/);
      await page.goto('/groups/new');
      await panel
        .getByRole('textbox')
        .nth(0)
        .fill(ar ? 'الصف الأول' : 'First class');
      await panel.locator('button[type=submit]').click();
      await expect(page).toHaveURL(/\/groups\/[0-9a-f-]{36}$/);
      await panel.getByRole('combobox').first().selectOption('Grace Hopper');
      await panel.locator('.adding').first().getByRole('button').click();
      await expect(panel.getByRole('link', { name: 'Grace Hopper' })).toBeVisible();
      await panel.getByRole('combobox').last().selectOption('Laboratory');
      await panel.locator('.adding').last().getByRole('button').click();
      await expect(panel.getByRole('link', { name: 'Laboratory' })).toBeVisible();
      await shootPairs(page, 'real-group', language);
    });

    test('a wrong password is told beside the form, without telling whether the name exists', async ({ browser }) => {
      const stranger = await visitor(browser, language, program.url);
      const told: string[] = [];
      for (const name of ['grace', 'nobody']) {
        await stranger.page.goto('/login');
        await stranger.page.getByRole('textbox').first().fill(name);
        await stranger.page.locator('input[type=password]').fill('not the password');
        await stranger.page.keyboard.press('Enter');
        await expect(stranger.page.getByRole('alert')).toContainText('login.wrong');
        told.push((await stranger.page.getByRole('alert').textContent()) ?? '');
      }
      expect(told[0]).toBe(told[1]);
      await stranger.context.close();
    });

    test('the second person sees what is theirs, opens it, and is seen', async ({ browser }) => {
      const second = await visitor(browser, language, program.url);
      await logIn(second.page, 'grace', SECOND);
      await expect(second.page.getByRole('navigation').getByRole('link')).toHaveCount(3);
      await expect(second.page.getByRole('heading', { name: 'Laboratory' })).toBeVisible();
      await shootPairs(second.page, 'real-second-person', language);
      await second.page.setViewportSize({ width: 1280, height: 800 });

      const popup = second.context.waitForEvent('page');
      await second.page.getByRole('button', { name: words.popup }).click();
      const window = await popup;
      await expect(window.locator('[data-state]')).toHaveAttribute('data-state', 'connected');
      await second.page.getByRole('button', { name: words.popup }).click();
      expect(second.context.pages(), 'a second click brings the same window back').toHaveLength(2);
      await expect(window.locator('[data-state]')).toHaveAttribute('data-state', 'connected');

      await page.goto('/sessions');
      const row = page.getByRole('row').filter({ hasText: 'grace' });
      await expect(row).toBeVisible();
      await row.locator('button[aria-pressed]').click();
      await expect(window.locator('[data-state]')).toHaveAttribute('data-state', 'frozen');
      await row.getByRole('link').click();
      const panel = page.getByRole('complementary');
      await panel.getByRole('button', { name: words.thaw }).click();
      await expect(window.locator('[data-state]')).toHaveAttribute('data-state', 'connected');
      await panel.getByRole('button', { name: ar ? 'تغيير القواعد' : 'Change the rules' }).click();
      await panel.getByLabel(words.view).check();
      await panel.locator('button[type=submit]').click();
      await expect(panel.locator('.badge').filter({ hasText: words.view })).toBeVisible();
      await shootPairs(page, 'real-session', language);

      await panel.locator('.danger').click();
      await page.getByRole('dialog').locator('button[type=submit]').click();
      await expect(window.locator('[data-state]')).toHaveAttribute('data-state', 'ended');
      await expect(page.getByRole('row').filter({ hasText: 'grace' })).toHaveCount(0);
      await page.goto('/sessions?show=ended');
      await expect(page.getByRole('row').filter({ hasText: 'grace' })).toBeVisible();
      await second.context.close();
    });

    test('addresses of other products open the console, and end none unasked', async ({ browser }) => {
      const second = await visitor(browser, language, program.url);
      await second.page.goto('/auth/login');
      await second.page.getByRole('textbox').first().fill('grace');
      await second.page.locator('input[type=password]').fill(SECOND);
      await second.page.keyboard.press('Enter');
      await expect(second.page.getByRole('heading', { name: 'Laboratory' })).toBeVisible();
      const paths = ['/student/console/1', '/teacher/console/1', '/admin/console/1', '/api/console/1/view2'];
      for (const [index, path] of paths.entries()) {
        await second.page.goto(path);
        // What the page before left behind still waits for its viewer.
        if (index > 0) {
          await expect(second.page.getByRole('heading', { level: 1 })).toHaveText(words.running);
          await second.page.locator('.card .button.primary').click();
        }
        await expect(second.page.locator('[data-state]'), path).toHaveAttribute('data-state', 'connected');
        await expect.poll(() => second.page.evaluate<number>(COLORS), { message: path }).toBeGreaterThan(1);
      }
      for (const path of ['/vnc-proxy/ws/1', '/api/console/ws/console/1']) {
        const told = await second.page.evaluate((to) => {
          const socket = new WebSocket(`${to}?replace=true`, 'binary');
          socket.binaryType = 'arraybuffer';
          return new Promise<string>((resolve) => {
            socket.onmessage = ({ data }) => {
              resolve(new TextDecoder().decode(data as ArrayBuffer));
              socket.close();
            };
            socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
          });
        }, path);
        expect(told, path).toContain('RFB 003.008');
      }
      await second.context.close();
    });

    test('a token is shown once and works until it is revoked', async ({ playwright }) => {
      await page.goto('/settings/tokens');
      await page.getByRole('button', { name: ar ? 'إنشاء رمز' : 'Make a token' }).click();
      await page.locator('form').getByRole('textbox').fill('Panel');
      await page.keyboard.press('Enter');
      const token = await page.locator('.made code').textContent();
      const client = await playwright.request.newContext({
        baseURL: program.url,
        extraHTTPHeaders: { authorization: `Bearer ${token}` },
      });
      expect((await client.get('/api/targets')).status()).toBe(200);
      await page.reload();
      await expect(page.getByRole('table')).toBeVisible();
      await expect(page.getByText(token!)).toHaveCount(0);
      await page.getByRole('row').last().getByRole('button').click();
      await page.getByRole('dialog').locator('button[type=submit]').click();
      await expect(page.getByRole('table')).toHaveCount(0);
      expect((await client.get('/api/targets')).status()).toBe(401);
      await client.dispose();
    });

    test('the audit log tells all of it, and is whole', async () => {
      await page.goto('/audit');
      await expect(page.getByRole('row').nth(1)).toBeVisible();
      await page.getByRole('button', { name: words.verify, exact: true }).click();
      await expect(page.locator('.verdict')).toBeVisible();
      await expect(page.locator('.verdict')).not.toHaveClass(/broken/);
      await page.getByRole('combobox').selectOption('session');
      await expect(page).toHaveURL(/action=session/);
      await expect(page.getByRole('row').filter({ hasText: 'session.killed' })).not.toHaveCount(0);
      await shootPairs(page, 'real-audit', language);
      const download = page.waitForEvent('download');
      await page.locator('a[download]').click();
      expect((await download).suggestedFilename()).toBe('gatehouse-audit.jsonl');
    });

    test('a person who is disabled is out at once', async ({ browser }) => {
      const second = await visitor(browser, language, program.url);
      await logIn(second.page, 'grace', SECOND);
      await expect(second.page.getByRole('heading', { name: 'Laboratory' })).toBeVisible();
      await page.goto('/users');
      await page.getByRole('link', { name: 'Grace Hopper' }).click();
      await page.getByRole('button', { name: ar ? 'تعطيل' : 'Disable', exact: true }).click();
      await page.getByRole('dialog').locator('button[type=submit]').click();
      await expect(page.getByRole('complementary').locator('.badge.bad')).toBeVisible();
      await second.page.evaluate(() => dispatchEvent(new Event('online')));
      await expect(second.page).toHaveURL(/\/login/);
      await second.context.close();
    });

    test('the password is changed by hand of its owner', async ({ browser }) => {
      await page.goto('/settings?change=password');
      const fields = page.locator('input[type=password]');
      await expect(fields.first()).toBeFocused();
      await fields.nth(0).fill(PASSWORD);
      await fields.nth(1).fill(`${PASSWORD} 2`);
      await fields.nth(2).fill(`${PASSWORD} 2`);
      await page.keyboard.press('Enter');
      await expect(fields.nth(0)).toHaveValue('');
      const again = await visitor(browser, language, program.url);
      await logIn(again.page, 'ada', `${PASSWORD} 2`);
      await expect(again.page.getByRole('heading', { name: 'Laboratory' })).toBeVisible();
      await again.context.close();
    });

    test('the shell opens without the server, and nothing of the API is kept', async ({ browser }) => {
      const app = await visitor(browser, language, program.url, 'allow');
      await logIn(app.page, 'ada', `${PASSWORD} 2`);
      await expect(app.page.getByRole('heading', { name: 'Laboratory' })).toBeVisible();
      await app.page.evaluate(() => navigator.serviceWorker.ready);
      const kept = await app.page.evaluate(async () => {
        const names = await caches.keys();
        const lists = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
        return lists.flat().map((request) => new URL(request.url).pathname);
      });
      expect(kept).toContain('/');
      expect(kept.filter((path) => path.startsWith('/api') || path.startsWith('/ws'))).toEqual([]);
      await program.halt();
      await app.page.reload();
      await expect(app.page.getByRole('alert')).toContainText('interface.no_answer');
      await program.resume();
      await app.page.getByRole('alert').getByRole('button').click();
      await expect(app.page.getByRole('heading', { name: 'Laboratory' })).toBeVisible();
      await app.context.close();
      errors.length = 0;
    });
  });
}

interface Visitor {
  context: BrowserContext;
  page: Page;
  errors: string[];
}

async function visitor(
  browser: Browser,
  language: Language,
  baseURL: string,
  serviceWorkers: 'allow' | 'block' = 'block',
): Promise<Visitor> {
  const context = await browser.newContext({ baseURL, serviceWorkers });
  const page = await context.newPage();
  const errors = await watch(page);
  await prefer(page, language, 'light');
  return { context, page, errors };
}

async function logIn(page: Page, name: string, password: string): Promise<void> {
  await page.goto('/login');
  await page.getByRole('textbox').first().fill(name);
  await page.locator('input[type=password]').fill(password);
  await page.keyboard.press('Enter');
  await expect(page).not.toHaveURL(/\/login/);
}
