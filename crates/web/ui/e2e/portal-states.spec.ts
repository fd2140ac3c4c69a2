/** Every page of the portal in the states that INTERFACE knows; what works together with the program is `portal.spec`. */
import type { Route } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { expect, LANGUAGES, prefer, shootPairs, shootSizes, test } from './page.ts';
import { cut, good, ME, problem, RIGHTS, script, SESSIONS, session, TARGETS, TOKENS, USERS } from './scripted.ts';

for (const language of LANGUAGES) {
  const ar = language === 'ar';
  test.describe(language, () => {
    test.beforeEach(({ page }) => prefer(page, language, 'light'));

    test('log in: the form', async ({ page }) => {
      await script(page);
      await page.goto('/login');
      await expect(page.getByRole('textbox').first()).toBeFocused();
      await shootSizes(page, 'login', language);
      await page.getByText(ar ? 'لا كلمة مرور لديك' : 'No password yet').click();
      await expect(page.getByText('gatehouse admin link')).toBeVisible();
      await shootSizes(page, 'login-help', language);
    });

    test('log in: checking a link', async ({ page }) => {
      await script(page, { '/api/auth/link': () => undefined });
      await page.goto('/login#token=abc');
      await expect(page.getByRole('status')).toBeVisible();
      expect(page.url(), 'the token leaves the address bar').not.toContain('abc');
      await shootSizes(page, 'login-working', language);
    });

    for (const [state, code, status] of [
      ['used', 'admin.link_used', 410],
      ['expired', 'admin.link_expired', 410],
      ['unknown', 'admin.link_unknown', 404],
    ] as const) {
      test(`log in: a link that is ${state}`, async ({ page, watched }) => {
        watched.allowNetworkErrors();
        await script(page, { '/api/auth/link': (route) => route.fulfill(problem(status, code)) });
        await page.goto('/login#token=abc');
        await expect(page.getByRole('alert')).toContainText(code);
        await expect(page.getByRole('alert')).toContainText('gatehouse admin link');
        await shootSizes(page, `login-${state}`, language);
      });
    }

    test('log in: wrong, then throttled with the time left', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      let answer = problem(401, 'login.wrong');
      await script(page, { '/api/auth/login': (route) => route.fulfill(answer) });
      await page.goto('/login');
      const name = page.getByRole('textbox').first();
      const password = page.locator('input[type=password]');
      const go = page.locator('button[type=submit]');
      await name.fill('ada');
      await password.fill('nonsense');
      await go.click();
      await expect(page.getByRole('alert')).toContainText('login.wrong');
      await expect(password).toHaveValue('');
      await shootSizes(page, 'login-wrong', language);
      answer = problem(429, 'door.throttled', {}, { 'retry-after': '90' });
      await password.fill('nonsense');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('alert')).toContainText('door.throttled');
      await expect(go).toBeDisabled();
      await shootSizes(page, 'login-throttled', language);
    });

    test('log in: the database is locked', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      await script(page, { '/api/auth/login': (route) => route.fulfill(problem(503, 'store.unavailable')) });
      await page.goto('/login');
      await page.getByRole('textbox').first().fill('ada');
      await page.locator('input[type=password]').fill('nonsense');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('alert')).toContainText('store.unavailable');
      await shootSizes(page, 'login-locked', language);
      await page.getByRole('alert').getByRole('button').click();
      await expect(page.getByRole('textbox').first()).toHaveValue('ada');
    });

    test('a log-in that ends leads to the form and back', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      let inside = true;
      const answer = (body: unknown) => (inside ? good(body) : problem(401, 'auth.required'));
      await script(page, {
        '/api/auth/me': (route) => route.fulfill(answer(ME)),
        '/api/users': (route) => route.fulfill(answer({ users: USERS, total: USERS.length })),
        '/api/auth/login': (route) => {
          inside = true;
          return route.fulfill(good(ME));
        },
      });
      await page.goto('/users?role=user');
      await expect(page.getByRole('table')).toBeVisible();
      inside = false;
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await expect(page.getByRole('status')).toBeVisible();
      expect(new URL(page.url()).pathname).toBe('/login');
      await shootSizes(page, 'login-ended', language);
      await page.getByRole('textbox').first().fill('ada');
      await page.locator('input[type=password]').fill('right');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('table')).toBeVisible();
      expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/users?role=user');
    });

    test('first run: a name, a password, and the next step', async ({ page }) => {
      let set = false;
      await script(page, {
        '/api/auth/me': (route) =>
          route.fulfill(good({ ...ME, username: 'admin', display_name: '', has_password: set })),
        '/api/auth/link': (route) => route.fulfill({ status: 204 }),
        '/api/auth/password': (route) => {
          set = true;
          return route.fulfill({ status: 204 });
        },
        'PATCH /api/users/u1': (route) => route.fulfill(good(ME)),
      });
      await page.goto('/login#token=abc');
      await expect(page).toHaveURL(/\/welcome$/);
      await expect(page.locator('form')).toBeVisible();
      await shootPairs(page, 'welcome', language);
      const passwords = page.locator('input[type=password]');
      await passwords.nth(0).fill('correct horse battery');
      await passwords.nth(1).fill('correct horse');
      await expect(page.getByRole('alert')).toBeVisible();
      await expect(page.locator('form button[type=submit]')).toBeDisabled();
      await passwords.nth(1).fill('correct horse battery');
      await page.keyboard.press('Enter');
      await expect(page.locator('a[href="/targets/new"]')).toBeVisible();
      await shootPairs(page, 'welcome-done', language);
    });

    test('targets: loading shows its shape only after a moment', async ({ page }) => {
      await script(page, { '/api/targets': () => undefined });
      await page.goto('/');
      await expect(page.locator('main').getByRole('status')).toBeVisible();
      await shootSizes(page, 'targets-loading', language);
    });

    test('targets: first use, for those who may add and those who may not', async ({ page }) => {
      let me: object = ME;
      await script(page, {
        '/api/auth/me': (route) => route.fulfill(good(me)),
        '/api/targets': (route) => route.fulfill(good({ targets: [], total: 0 })),
        '/api/sessions': (route) => route.fulfill(good({ sessions: [], total: 0, page: 1 })),
      });
      await page.goto('/');
      await expect(page.getByRole('heading', { level: 2 })).toBeVisible();
      await shootSizes(page, 'targets-empty', language);
      await page.locator('main a.primary').click();
      await expect(page.getByRole('complementary')).toBeVisible();
      await shootSizes(page, 'targets-add', language);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('complementary')).toBeHidden();
      me = { ...ME, role: 'user', rights: RIGHTS.user };
      await page.reload();
      await expect(page.getByRole('heading', { level: 2 })).toBeVisible();
      await expect(page.locator('main a.primary')).toHaveCount(0);
      await shootSizes(page, 'targets-none', language);
    });

    test('targets: cards, table, filters in the address', async ({ page }) => {
      await script(page);
      await page.goto('/');
      await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toHaveCount(4);
      await shootSizes(page, 'targets-cards', language);
      await page.getByRole('button', { name: ar ? 'جدول' : 'Table', exact: true }).click();
      await expect(page.getByRole('table')).toBeVisible();
      await expect(page).toHaveURL(/view=table/);
      await shootSizes(page, 'targets-table', language);
      await page.getByRole('searchbox').fill('LAB');
      await expect(page).toHaveURL(/q=LAB/);
      await expect(page.getByRole('row')).toHaveCount(2);
      await page.getByRole('searchbox').fill('nothing of this name');
      await expect(page.getByRole('table')).toHaveCount(0);
      await shootSizes(page, 'targets-filtered', language);
      await page.goto('/?q=lab');
      await expect(page.getByRole('table'), 'the layout is remembered').toBeVisible();
      await expect(page.getByRole('searchbox')).toHaveValue('lab');
    });

    test('targets: their screens, fresh, old, not there yet and not allowed', async ({ page }) => {
      let picture = Buffer.alloc(0);
      const asked: string[] = [];
      const shown = (age: number) => (route: Route) => {
        asked.push(new URL(route.request().url()).pathname);
        const headers = { etag: '"a"', age: String(age), 'retry-after': '30', 'cache-control': 'no-store, private' };
        return route.fulfill({ status: 200, contentType: 'image/png', headers, body: picture });
      };
      const targets = TARGETS.map((target, n) => ({ ...target, thumbnails: n < 3 }));
      await script(page, {
        '/api/targets': (route) => route.fulfill(good({ targets, total: 4 })),
        '/api/targets/t1/thumbnail': shown(4),
        '/api/targets/t2/thumbnail': shown(7200),
        '/api/targets/t3/thumbnail': (route) => route.fulfill({ status: 204, headers: { 'retry-after': '30' } }),
      });
      await page.setViewportSize({ width: 480, height: 300 });
      await page.goto('/no-such-page');
      await expect(page.getByRole('heading').first()).toBeVisible();
      picture = Buffer.from(await page.screenshot());
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto('/');
      const images = page.getByRole('main').getByRole('img', { name: ar ? /شاشة / : /Screen of / });
      await expect(images).toHaveCount(2);
      await expect(page.getByRole('main').getByRole('time')).toHaveText(ar ? 'قبل ساعتين' : '2 hours ago');
      await shootSizes(page, 'targets-pictured', language);
      await page.goto('/?view=table');
      await expect(images).toHaveCount(2);
      await shootSizes(page, 'targets-pictured-table', language);

      // Nobody is asked for what is not in sight, or while the page is not looked at.
      await page.setViewportSize({ width: 390, height: 300 });
      asked.length = 0;
      await page.goto('/?view=cards');
      await expect(images.first()).toBeVisible();
      expect(asked).toEqual(['/api/targets/t1/thumbnail']);
      await page.getByRole('heading', { name: 'جهاز المكتبة' }).scrollIntoViewIfNeeded();
      await expect(images).toHaveCount(2);
      expect(asked).toEqual(['/api/targets/t1/thumbnail', '/api/targets/t2/thumbnail']);
    });

    test('targets: the menu of a card, by keyboard', async ({ page }) => {
      await script(page);
      await page.goto('/');
      const more = page.getByRole('button', { name: ar ? /المزيد عن .*Lab desktop/ : /More for .*Lab desktop/ });
      await more.press('Enter');
      await expect(more).toHaveAttribute('aria-expanded', 'true');
      await shootSizes(page, 'targets-menu', language);
      await page.keyboard.press('Escape');
      await expect(more).toBeFocused();
      await expect(more).toHaveAttribute('aria-expanded', 'false');
    });

    test('targets: details, a test that works and one that does not', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      let answer = good({
        version_line: 'RFB 003.008',
        offered: ['VeNCrypt'],
        desktop_name: 'lab:1 (ada)',
        width: 1280,
        height: 800,
        security_type: 'VeNCrypt X509None',
        strength: 'encrypted_verified',
        peer_identity: '3f8a11c05e'.repeat(6) + '3f8a',
        pinned: true,
      });
      await script(page, { '/api/targets/t1/test': (route) => route.fulfill(answer) });
      await page.goto('/targets/t1');
      const panel = page.getByRole('complementary');
      await expect(panel).toBeVisible();
      await shootPairs(page, 'target-details', language);
      const test = panel.getByRole('button', { name: ar ? 'اختبار الاتصال' : 'Test connection' });
      await test.click();
      await expect(panel.getByText('VeNCrypt X509None')).toBeVisible();
      await shootPairs(page, 'target-tested', language);
      answer = problem(502, 'target.wrong_password');
      await test.click();
      await expect(panel.getByRole('alert')).toContainText('target.wrong_password');
      await shootPairs(page, 'target-test-failed', language);
    });

    test('targets: two people change the same one', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      const current = { ...TARGETS[0], name: 'Laboratory desktop', tags: ['lab'], version: 2 };
      const sent: Record<string, unknown>[] = [];
      await script(page, {
        'PATCH /api/targets/t1': (route) => {
          const body = route.request().postDataJSON() as Record<string, unknown>;
          sent.push(body);
          return route.fulfill(body.version === 2 ? good(current) : problem(409, 'api.changed_meanwhile', { current }));
        },
      });
      await page.goto('/targets/t1/edit');
      const panel = page.getByRole('complementary');
      await panel.getByRole('textbox').first().fill('Practical course');
      await panel.locator('button[type=submit]').click();
      await expect(panel.getByRole('alert')).toContainText('Laboratory desktop');
      await shootPairs(page, 'target-conflict', language);
      await panel.getByRole('alert').getByRole('button').first().click();
      await expect(page).toHaveURL(/\/targets\/t1$/);
      expect(sent[1], 'only what was changed here, on top of what is stored').toEqual({
        name: 'Practical course',
        version: 2,
      });
    });

    test('targets: removing asks for the name and tells what follows', async ({ page }) => {
      let removed = false;
      await script(page, {
        'DELETE /api/targets/t1': (route) => {
          removed = true;
          return route.fulfill({ status: 204 });
        },
      });
      await page.goto('/targets/t1');
      await page.getByRole('complementary').locator('.danger').click();
      const dialog = page.getByRole('dialog');
      await expect(dialog).toBeVisible();
      await expect(dialog.locator('button[type=submit]')).toBeDisabled();
      await shootPairs(page, 'target-remove', language);
      await dialog.getByRole('textbox').fill('Lab desktop');
      await page.keyboard.press('Enter');
      await expect(dialog).toBeHidden();
      expect(removed).toBe(true);
    });

    test('targets: a console that is refused says why at its card, and one’s own session is not ended unasked', async ({
      page,
      watched,
    }) => {
      watched.allowNetworkErrors();
      await script(page, {
        '/api/vm/t2/console/request': (route) => route.fulfill(problem(502, 'target.wrong_password')),
      });
      await page.goto('/');
      await page.getByRole('listitem').filter({ hasText: 'جهاز المكتبة' }).locator('.primary').click();
      await expect(page.getByRole('alert')).toContainText('target.wrong_password');
      await shootSizes(page, 'targets-refused', language);
      await page.getByRole('listitem').filter({ hasText: 'Lab desktop' }).getByRole('button').last().click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await shootSizes(page, 'targets-own-session', language);
    });

    test('targets: a link for a viewer program', async ({ page }) => {
      await script(page, {
        '/api/vm/t1/console/request': (route) =>
          route.fulfill(
            good({
              token: 'a'.repeat(52),
              console_path: `/console/${'a'.repeat(52)}`,
              websocket_path: '',
              protocol: 'vnc',
              expires_at: new Date(Date.now() + 900_000).toISOString(),
              native: { address: 'gate.example:5900', url: 'vnc://gate.example:5900', username: 'ada:101' },
              vnc_password: null,
            }),
          ),
      });
      await page.goto('/');
      await page.getByRole('button', { name: ar ? /المزيد عن .*Lab desktop/ : /More for .*Lab desktop/ }).click();
      await page.getByRole('button', { name: ar ? 'لبرنامج العرض' : 'For a viewer program' }).click();
      await expect(page.getByRole('dialog')).toContainText('vnc://');
      await shootSizes(page, 'targets-native', language);
    });

    test('targets: the server failed', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      await script(page, { '/api/targets': (route) => route.fulfill(problem(503, 'store.unavailable')) });
      await page.goto('/');
      await expect(page.getByRole('alert')).toContainText('store.unavailable');
      await shootSizes(page, 'targets-error', language);
    });

    test('targets: offline keeps what was read and says since when', async ({ page, watched, context }) => {
      watched.allowNetworkErrors();
      await script(page);
      await page.goto('/');
      await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toHaveCount(4);
      await cut(page, context);
      await expect(page.locator('.stale')).toBeVisible();
      await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toHaveCount(4);
      await shootSizes(page, 'targets-offline', language);
      await context.setOffline(false);
    });

    test('what a role may not see is not shown, and an address typed by hand says so', async ({ page }) => {
      await script(page, {
        '/api/auth/me': (route) => route.fulfill(good({ ...ME, role: 'user', rights: RIGHTS.user })),
      });
      await page.goto('/audit');
      await expect(page.getByRole('alert')).toContainText('interface.no_right');
      await expect(page.getByRole('navigation').getByRole('link')).toHaveCount(3);
      await shootPairs(page, 'no-right', language);
    });

    test('no such page', async ({ page }) => {
      await script(page);
      await page.goto('/nowhere/at/all');
      await expect(page.getByRole('alert')).toContainText('interface.not_found');
      await shootPairs(page, 'missing-page', language);
    });

    test('search: everything by keyboard', async ({ page }) => {
      await script(page);
      await page.goto('/');
      await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toHaveCount(4);
      await page.keyboard.press('Control+k');
      const field = page.getByRole('dialog').getByRole('combobox');
      await expect(field).toBeFocused();
      await field.fill('grace');
      await expect(page.getByRole('dialog').getByRole('option')).not.toHaveCount(0);
      await shootPairs(page, 'search', language);
      await field.fill('lab');
      await expect(page.getByRole('dialog').getByRole('option').first()).toContainText('Lab desktop');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Enter');
      await expect(page).toHaveURL(/\/targets\/t1$/);
      await expect(page.getByRole('dialog')).toHaveCount(0);
    });

    test('the person’s menu, and a folded navigation', async ({ page }) => {
      await script(page);
      await page.goto('/');
      await page.getByRole('button', { name: ar ? 'حسابك' : 'You', exact: true }).click();
      await shootPairs(page, 'person-menu', language);
      await page.keyboard.press('Escape');
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.getByRole('button', { name: ar ? 'طي شريط التنقل' : 'Fold the navigation' }).click();
      await shootPairs(page, 'nav-folded', language);
    });

    test('sessions: live, ended, none', async ({ page }) => {
      let some = true;
      await script(page, {
        '/api/sessions': (route) =>
          route.fulfill(good(some ? { sessions: SESSIONS, total: 4, page: 1 } : { sessions: [], total: 0, page: 1 })),
      });
      await page.goto('/sessions');
      await expect(page.getByRole('row')).toHaveCount(5);
      await shootSizes(page, 'sessions', language);
      some = false;
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await expect(page.getByRole('row')).toHaveCount(0);
      await shootPairs(page, 'sessions-empty', language);
    });

    test('sessions: those that ended say why', async ({ page }) => {
      await script(page);
      await page.goto('/sessions?show=ended');
      await expect(page.getByRole('row')).toHaveCount(4);
      await shootPairs(page, 'sessions-ended', language);
      await page.getByRole('row').nth(1).getByRole('link').click();
      await expect(page.getByRole('complementary')).toContainText('session.killed');
      await shootPairs(page, 'session-ended', language);
    });

    test('sessions: details, rules, and an end that asks first', async ({ page }) => {
      let policy: unknown;
      let ended = false;
      await script(page, {
        '/api/sessions/s1/policy': (route) => {
          policy = route.request().postDataJSON();
          return route.fulfill({ status: 204 });
        },
        '/api/sessions/s1/kill': (route) => {
          ended = true;
          return route.fulfill({ status: 204 });
        },
      });
      await page.goto('/sessions/s1');
      const panel = page.getByRole('complementary');
      await expect(panel.getByText('14', { exact: false }).first()).toBeVisible();
      await shootPairs(page, 'session-details', language);
      await panel.getByRole('button', { name: ar ? 'تغيير القواعد' : 'Change the rules' }).click();
      await panel.getByLabel(ar ? 'للمشاهدة فقط' : 'View-only').check();
      await shootPairs(page, 'session-policy', language);
      await panel.locator('button[type=submit]').click();
      await expect(panel.locator('form')).toHaveCount(0);
      expect(policy).toMatchObject({ view_only: true, max_duration: 3600, resize: true });
      await panel.locator('.danger').click();
      await expect(page.getByRole('dialog')).toContainText('Lab desktop');
      expect(ended).toBe(false);
      await shootPairs(page, 'session-end', language);
      await page.getByRole('dialog').locator('button[type=submit]').click();
      await expect(page.getByRole('dialog')).toBeHidden();
      expect(ended).toBe(true);
    });

    test('sessions: a thousand of them, of which only those in sight exist', async ({ page }) => {
      const many = Array.from({ length: 1000 }, (_, n) =>
        session(n, { target_name: `Machine ${n}`, subject: `person ${n % 40}` }),
      );
      await script(page, {
        '/api/sessions': (route) => route.fulfill(good({ sessions: many, total: 1000, page: 1 })),
      });
      await page.goto('/sessions');
      await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '1001');
      expect(await page.getByRole('row').count()).toBeLessThan(60);
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await expect(page.getByRole('link', { name: 'Machine 999' })).toBeVisible();
      expect(await page.getByRole('row').count()).toBeLessThan(60);
      await page.evaluate(() => scrollTo(0, 0));
      await expect(page.getByRole('link', { name: 'Machine 0', exact: true })).toBeVisible();
      await shootPairs(page, 'sessions-thousand', language);
    });

    test('people: list, filter, one person, a new one', async ({ page }) => {
      await script(page);
      await page.goto('/users');
      await expect(page.getByRole('row')).toHaveCount(6);
      await shootPairs(page, 'users', language);
      await page.goto('/users/u2');
      await expect(page.getByRole('complementary').getByRole('radio')).toHaveCount(5);
      await shootPairs(page, 'user-details', language);
      await page
        .getByRole('complementary')
        .getByRole('button', { name: ar ? 'تعيين كلمة مرور' : 'Set a password' })
        .click();
      await page
        .getByRole('dialog')
        .getByRole('button', { name: ar ? 'توليد كلمة' : 'Make one' })
        .click();
      await expect(page.getByRole('dialog').getByRole('textbox')).toHaveValue(/^\w{20}$/);
      await shootPairs(page, 'user-password', language);
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: ar ? 'محو البيانات الشخصية' : 'Erase personal data' }).click();
      await shootPairs(page, 'user-erase', language);
      await page.goto('/users/new');
      await expect(page.getByRole('complementary')).toBeVisible();
      await shootPairs(page, 'user-new', language);
    });

    test('people: alone so far', async ({ page }) => {
      await script(page, { '/api/users': (route) => route.fulfill(good({ users: [USERS[0]], total: 1 })) });
      await page.goto('/users');
      await expect(page.getByRole('heading', { level: 2 })).toBeVisible();
      await shootPairs(page, 'users-first', language);
    });

    test('groups: list, one group, none', async ({ page }) => {
      await script(page);
      await page.goto('/groups');
      await expect(page.getByRole('row')).toHaveCount(3);
      await shootPairs(page, 'groups', language);
      await page.goto('/groups/g1');
      await expect(page.getByRole('complementary').getByRole('checkbox')).toHaveCount(2);
      await shootPairs(page, 'group-details', language);
      await page.route(/\/api\/groups\?/, (route) => route.fulfill(good({ groups: [], total: 0 })));
      await page.goto('/groups');
      await expect(page.getByRole('heading', { level: 2 })).toBeVisible();
      await shootPairs(page, 'groups-empty', language);
    });

    test('audit: list, entry, a chain that is whole and one that is broken', async ({ page }) => {
      let verdict: object = { whole: true, entries: 284, heads: 3 };
      await script(page, { '/api/audit/verify': (route) => route.fulfill(good(verdict)) });
      await page.goto('/audit');
      await expect(page.getByRole('row')).toHaveCount(7);
      await shootPairs(page, 'audit', language);
      const verify = page.getByRole('button', { name: ar ? 'تحقق' : 'Verify', exact: true });
      await verify.click();
      await expect(page.locator('.verdict')).toBeVisible();
      await shootPairs(page, 'audit-good', language);
      verdict = { whole: false, broken_at: 117, code: 'audit.altered' };
      await verify.click();
      await expect(page.getByRole('alert')).toContainText('117');
      await shootPairs(page, 'audit-broken', language);
      await page.getByRole('row').nth(1).getByRole('link').click();
      await expect(page.getByRole('complementary')).toContainText('c0ffee');
      await shootPairs(page, 'audit-entry', language);
    });

    test('settings: profile', async ({ page }) => {
      await script(page);
      await page.goto('/settings?change=password');
      await expect(page.locator('input[type=password]').first()).toBeFocused();
      await shootPairs(page, 'settings-profile', language);
    });

    test('settings: a token is shown once', async ({ page }) => {
      await script(page, {
        'POST /api/tokens': (route) => route.fulfill(good({ ...TOKENS[0], name: 'Panel', token: 'x7'.repeat(26) })),
      });
      await page.goto('/settings/tokens');
      await expect(page.getByRole('table')).toBeVisible();
      await page.getByRole('button', { name: ar ? 'إنشاء رمز' : 'Make a token' }).click();
      await shootPairs(page, 'settings-token-new', language);
      await page.locator('form').getByRole('textbox').fill('Panel');
      await page.keyboard.press('Enter');
      await expect(page.getByText('x7x7')).toBeVisible();
      await shootPairs(page, 'settings-tokens', language);
    });

    test('settings: the server', async ({ page }) => {
      await script(page);
      await page.goto('/settings/server');
      await expect(page.getByText('gatehouse config check')).toBeVisible();
      await shootPairs(page, 'settings-server', language);
    });

    test('the API’s reference', async ({ page }) => {
      const document = readFileSync(new URL('../../../../docs/openapi.json', import.meta.url), 'utf8');
      await script(page, {
        '/api/openapi.json': (route) => route.fulfill({ status: 200, contentType: 'application/json', body: document }),
      });
      await page.goto('/reference');
      await expect(page.locator('details').first()).toBeVisible();
      await page.locator('details').first().locator('summary').click();
      await shootPairs(page, 'api-docs', language);
    });
  });
}
