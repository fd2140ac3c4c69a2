/** What any page may meet: loading, a failing server, no network, a filter that leaves nothing, no right to see it. */
import type { Page } from '@playwright/test';
import { expect, LANGUAGES, prefer, shootPairs, shootSizes, test, type Language } from './page.ts';
import { cut, good, ME, problem, RIGHTS, script, SESSIONS, TARGETS, USERS } from './scripted.ts';

interface Place {
  /** How its pictures begin. */
  name: string;
  path: string;
  /** What it reads. */
  api: string;
  /** A filter that leaves nothing. */
  filtered?: string;
  /** Those who may not see it exist. */
  guarded?: boolean;
  /** Reads again by itself, so that it can tell since when it could not. */
  live?: boolean;
}

const PLACES: readonly Place[] = [
  { name: 'sessions', path: '/sessions', api: '/api/sessions', filtered: '?q=nothing+of+this+name', live: true },
  { name: 'users', path: '/users', api: '/api/users', filtered: '?q=nothing+of+this+name', guarded: true, live: true },
  {
    name: 'groups',
    path: '/groups',
    api: '/api/groups',
    filtered: '?q=nothing+of+this+name',
    guarded: true,
    live: true,
  },
  { name: 'audit', path: '/audit', api: '/api/audit', guarded: true, live: true },
  { name: 'settings-tokens', path: '/settings/tokens', api: '/api/tokens' },
  { name: 'settings-server', path: '/settings/server', api: '/api/status', guarded: true },
  { name: 'api-docs', path: '/reference', api: '/api/openapi.json', filtered: '?q=nothing+of+this+name' },
];

const DOCUMENT = {
  openapi: '3.1.0',
  paths: {
    '/api/health': { get: { tags: ['health'], summary: 'How it is', responses: { 200: { description: 'ok' } } } },
  },
};

for (const language of LANGUAGES) {
  const ar = language === 'ar';
  test.describe(language, () => {
    test.beforeEach(({ page }) => prefer(page, language, 'light'));

    for (const place of PLACES) {
      const usual = {
        '/api/openapi.json': (route: { fulfill: (a: object) => unknown }) => route.fulfill(good(DOCUMENT)),
      };

      test(`${place.name}: loading shows its shape, a failing server is told, and trying again helps`, async ({
        page,
        watched,
      }) => {
        watched.allowNetworkErrors();
        await script(page, { ...usual, [place.api]: () => undefined });
        await page.goto(place.path);
        await expect(page.getByRole('main').getByRole('status')).toBeVisible();
        await shootPairs(page, `${place.name}-loading`, language);
        await script(page, { ...usual, [place.api]: (route) => route.fulfill(problem(503, 'store.unavailable')) });
        await page.goto(place.path);
        await expect(page.getByRole('alert')).toContainText('store.unavailable');
        await shootPairs(page, `${place.name}-error`, language);
        await script(page, usual);
        await page.getByRole('alert').getByRole('button').first().click();
        await expect(page.getByRole('alert')).toHaveCount(0);
      });

      if (place.filtered !== undefined) {
        test(`${place.name}: a filter that leaves nothing can be taken away`, async ({ page }) => {
          await script(page, usual);
          await page.goto(place.path + place.filtered);
          const clear = page.getByRole('main').getByRole('button', {
            name: ar ? 'إزالة عوامل التصفية' : 'Take the filters away',
          });
          await expect(clear).toBeVisible();
          await shootPairs(page, `${place.name}-filtered`, language);
          await clear.click();
          await expect(clear).toHaveCount(0);
          expect(new URL(page.url()).search).toBe('');
        });
      }

      if (place.live) {
        test(`${place.name}: without a network what was read stays, with its age`, async ({
          page,
          watched,
          context,
        }) => {
          watched.allowNetworkErrors();
          await script(page, usual);
          await page.goto(place.path);
          await expect(page.getByRole('table')).toBeVisible();
          await cut(page, context);
          await expect(page.locator('.stale')).toBeVisible();
          await expect(page.getByRole('table')).toBeVisible();
          await shootPairs(page, `${place.name}-offline`, language);
          await context.setOffline(false);
        });
      }

      if (place.guarded) {
        test(`${place.name}: not for everybody`, async ({ page }) => {
          await script(page, {
            ...usual,
            '/api/auth/me': (route) => route.fulfill(good({ ...ME, role: 'user', rights: RIGHTS.user })),
          });
          await page.goto(place.path);
          await expect(page.getByRole('alert')).toContainText('interface.no_right');
          await shootPairs(page, `${place.name}-no-right`, language);
        });
      }
    }

    test('audit: nothing yet, and a kind of which there is none', async ({ page }) => {
      await script(page, { '/api/audit': (route) => route.fulfill(good({ entries: [], total: 0, next: null })) });
      await page.goto('/audit');
      await expect(page.getByRole('heading', { level: 2 })).toBeVisible();
      await shootPairs(page, 'audit-empty', language);
      await page.goto('/audit?action=grant');
      await expect(
        page.getByRole('button', { name: ar ? 'إزالة عوامل التصفية' : 'Take the filters away' }),
      ).toBeVisible();
      await shootPairs(page, 'audit-filtered', language);
    });

    test('tokens: none yet', async ({ page }) => {
      await script(page, { '/api/tokens': (route) => route.fulfill(good({ tokens: [], total: 0 })) });
      await page.goto('/settings/tokens');
      await expect(page.getByText(ar ? 'لا رموز وصول لديك' : 'You have no API tokens')).toBeVisible();
      await shootPairs(page, 'settings-tokens-empty', language);
    });

    test('a part that cannot be read leaves the rest: who uses targets, older sessions, older entries', async ({
      page,
      watched,
    }) => {
      watched.allowNetworkErrors();
      const failing = { fulfill: problem(503, 'store.unavailable') };
      await script(page, { '/api/sessions': (route) => route.fulfill(failing.fulfill) });
      await page.goto('/');
      await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toHaveCount(TARGETS.length);
      await expect(page.locator('.partial')).toBeVisible();
      await shootSizes(page, 'targets-partial', language);

      await script(page, {
        '/api/sessions': (route) =>
          route.request().url().includes('cursor')
            ? route.fulfill(failing.fulfill)
            : route.fulfill(good({ sessions: SESSIONS, total: 900, page: 1, next: 'c2' })),
      });
      await page.goto('/sessions?show=ended');
      const older = page.getByRole('button', { name: ar ? 'عرض المزيد' : 'Show more' });
      await older.click();
      await expect(page.getByRole('alert')).toContainText('store.unavailable');
      await expect(older).toBeEnabled();
      await shootPairs(page, 'sessions-partial', language);

      const row = { seq: 9, at: new Date().toISOString(), action: 'login.done', prev_hash: 'a', hash: 'b' };
      await script(page, {
        '/api/audit': (route) =>
          route.request().url().includes('before')
            ? route.fulfill(failing.fulfill)
            : route.fulfill(good({ entries: [row], total: 90, next: 8 })),
      });
      await page.goto('/audit');
      await older.click();
      await expect(page.getByRole('alert')).toContainText('store.unavailable');
      await expect(page.getByRole('row')).toHaveCount(2);
      await shootPairs(page, 'audit-partial', language);

      await script(page, { '/api/users': (route) => route.fulfill(good({ users: USERS, total: 1400 })) });
      await page.goto('/users');
      await expect(page.locator('.partial')).toBeVisible();
      await shootPairs(page, 'users-partial', language);
    });

    test('panels of things that are not there', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      await script(page);
      for (const [name, path] of [
        ['target', '/targets/t99'],
        ['session', '/sessions/s99'],
        ['user', '/users/u99'],
        ['group', '/groups/g99'],
        ['audit-entry', '/audit/99'],
      ] as const) {
        await page.goto(path);
        await expect(page.getByRole('complementary').getByRole('alert')).toBeVisible();
        await shootPairs(page, `${name}-gone`, language);
      }
    });

    test('an operator adds a target for a group that they look after', async ({ page }) => {
      let sent: unknown;
      const groups = [
        { id: 'g1', name: 'Computing 101', operator: true },
        { id: 'g2', name: 'المكتبة', operator: true },
        { id: 'g3', name: 'Staff', operator: false },
      ];
      const rights = [...RIGHTS.user, 'manage_targets', 'test_target', 'freeze_session', 'change_policy'];
      await script(page, {
        '/api/auth/me': (route) => route.fulfill(good({ ...ME, role: 'operator', rights, groups })),
        'POST /api/targets': (route) => {
          sent = route.request().postDataJSON();
          return route.fulfill(good(TARGETS[0]));
        },
      });
      await page.goto('/targets/new');
      const panel = page.getByRole('complementary');
      await panel.getByRole('textbox').nth(0).fill('Room 3');
      await panel.getByRole('textbox').nth(1).fill('192.0.2.33:5901');
      await expect(panel.getByRole('group').getByRole('checkbox')).toHaveCount(2);
      await panel.getByLabel('Computing 101').check();
      await shootPairs(page, 'target-for-group', language);
      await panel.locator('button[type=submit]').click();
      await expect(page).toHaveURL(/\/targets\/t1/);
      expect(sent).toMatchObject({ name: 'Room 3', groups: ['g1'] });
      // What an operator may not see is not offered: people and groups are an administrator's.
      await expect(page.getByRole('navigation').locator('a[href="/users"]')).toHaveCount(0);
    });

    test('search that finds nothing says so', async ({ page }) => {
      await script(page);
      await page.goto('/');
      await expect(page.getByRole('main').getByRole('heading', { level: 2 })).toHaveCount(TARGETS.length);
      await page.keyboard.press('Control+k');
      await page.getByRole('dialog').getByRole('combobox').fill('zzzz');
      await expect(page.getByRole('dialog').getByRole('option')).toHaveCount(0);
      await shootPairs(page, 'search-nothing', language);
    });

    test('the way into a console: opening, one that runs elsewhere, a refusal', async ({ page, watched }) => {
      watched.allowNetworkErrors();
      await opening(page, language);
    });

    test('log in without a network', async ({ page, watched, context }) => {
      watched.allowNetworkErrors();
      await script(page);
      await page.goto('/login');
      await page.getByRole('textbox').first().fill('ada');
      await page.locator('input[type=password]').fill('nonsense');
      await cut(page, context);
      await page.keyboard.press('Enter');
      await expect(page.getByRole('alert')).toContainText('interface.offline');
      await shootSizes(page, 'login-offline', language);
      await context.setOffline(false);
    });
  });
}

async function opening(page: Page, language: Language): Promise<void> {
  const status = '/api/vm/t1/console/status';
  await script(page, { [status]: () => undefined });
  await page.goto('/open/t1');
  await expect(page.getByRole('status')).toBeVisible();
  await shootPairs(page, 'open-opening', language);
  await script(page, {
    [status]: (route) => route.fulfill(good({ available: true, active_session: { id: 's1', client_ip: '192.0.2.1' } })),
  });
  await page.goto('/open/t1');
  await expect(page.getByRole('heading')).toBeVisible();
  await shootPairs(page, 'open-running', language);
  await script(page, { [status]: (route) => route.fulfill(problem(404, 'target.not_found')) });
  await page.goto('/open/t1');
  await expect(page.getByRole('alert')).toContainText('target.not_found');
  await shootPairs(page, 'open-failed', language);
}
