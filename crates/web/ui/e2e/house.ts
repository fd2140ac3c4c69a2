/** The way into the program and to a machine's console, as a person goes it. */
import type { APIRequestContext, Browser, BrowserContext, Page } from '@playwright/test';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, prefer, type Language } from './page.ts';

export const NAMES = {
  en: {
    console: 'Console',
    keys: 'Keys',
    clipboard: 'Clipboard',
    view: 'View',
    full: 'Full screen',
    leave: 'Leave full screen',
    viewOnly: 'View-only',
    keyboard: 'On-screen keyboard',
    send: 'Send to machine',
    type: 'Type as keys',
    touch: 'Keyboard',
    text: 'Text',
    end: 'End',
    more: 'More',
    leaveSession: 'End the session',
    allow: 'Allow sharing',
    copy: 'Copy',
    back: 'Back to the list',
  },
  ar: {
    console: 'وحدة التحكم',
    keys: 'مفاتيح خاصة',
    clipboard: 'الحافظة',
    view: 'العرض',
    full: 'ملء الشاشة',
    leave: 'الخروج من ملء الشاشة',
    viewOnly: 'للمشاهدة فقط',
    keyboard: 'لوحة مفاتيح على الشاشة',
    send: 'إرسال إلى الجهاز',
    type: 'كتابته بالمفاتيح',
    touch: 'لوحة المفاتيح',
    text: 'النص',
    end: 'إنهاء',
    more: 'المزيد',
    leaveSession: 'إنهاء الجلسة',
    allow: 'السماح بالمشاركة',
    copy: 'نسخ',
    back: 'العودة إلى القائمة',
  },
} as const;

/** How many different pixels the picture's upper left has: a blank canvas has one. */
export const COLORS = `(() => {
  const canvas = document.querySelector('.live canvas');
  if (!canvas || canvas.width === 0) return 0;
  const copy = document.createElement('canvas');
  copy.width = 400;
  copy.height = 300;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  return new Set(new Uint32Array(context.getImageData(0, 0, 400, 300).data.buffer)).size;
})()`;

/** What a console can be opened on. */
export interface Machine {
  name: string;
  url: string;
}

/**
 * Goes through the door of the program that all tests share and keeps its cookie in a file: one link lets in once, the
 * first test uses it up and the others come with the cookie.
 */
export async function unlock(browser: Browser, folder: string): Promise<string> {
  const link = process.env.GATEHOUSE_E2E_LINK;
  if (!process.env.GATEHOUSE_E2E_URL || !link) {
    throw new Error(
      'set GATEHOUSE_TEST_BINARY to the program, or GATEHOUSE_E2E_URL and GATEHOUSE_E2E_LINK to a running one',
    );
  }
  const door = `${folder}/door.json`;
  if (existsSync(door)) return door;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  // Whoever has no password yet is asked for one.
  await expect(page).toHaveURL(/\/(welcome)?$/);
  await mkdir(dirname(door), { recursive: true });
  await context.storageState({ path: door });
  await page.goto(link);
  await expect(page.getByRole('alert')).toContainText('admin.link_used');
  await context.close();
  return door;
}

export async function enter(context: BrowserContext, page: Page, language: Language, door: string): Promise<void> {
  const { cookies } = JSON.parse(await readFile(door, 'utf8')) as { cookies: [] };
  await context.addCookies(cookies);
  await prefer(page, language, 'light');
}

/** Adds the machine where it is not listed yet, opens its console and waits for the picture. */
export async function open(page: Page, language: Language, machine: Machine): Promise<void> {
  await page.goto('/');
  const { name } = machine;
  const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) });
  const answer = await page.request.get('/api/targets');
  const { targets } = (await answer.json()) as { targets: { name: string }[] };
  if (!targets.some((target) => target.name === name)) {
    await page
      .getByRole('main')
      .getByRole('link', { name: language === 'en' ? 'Add target' : 'إضافة وجهة' })
      .click();
    const panel = page.getByRole('complementary');
    await panel.getByLabel(language === 'en' ? 'Name' : 'الاسم', { exact: true }).fill(name);
    await panel.getByLabel(language === 'en' ? 'Address' : 'العنوان').fill(machine.url);
    await panel.locator('button[type=submit]').click();
    await expect(page).toHaveURL(/\/targets\/[0-9a-f-]+$/);
    await page.goto('/');
  }
  await row.getByRole('button').last().click();
  // A test before this one may have left its window open.
  const asked = page.getByRole('dialog').locator('button[type=submit]');
  await expect(page.locator('[data-state]').or(asked)).toBeVisible();
  if (await asked.isVisible()) await asked.click();
  await expectState(page, 'connected');
  await expect(page.locator('.live canvas')).toBeFocused();
}

export function expectState(page: Page, state: string): Promise<void> {
  // A loaded machine is slow and no less connected.
  const wanted = state === 'connected' ? /^(connected|slow)$/ : state;
  return expect(page.locator('[data-state]')).toHaveAttribute('data-state', wanted);
}

interface SessionRow {
  id: string;
  status: string;
  end_reason: string | null;
}

/** Sessions that run on a machine, the latest first. */
export async function sessionsOn(request: APIRequestContext, machine: Machine): Promise<string[]> {
  const answer = await request.get('/api/sessions?status=active');
  const { sessions } = (await answer.json()) as { sessions: (SessionRow & { target_name: string })[] };
  return sessions.filter((session) => session.target_name === machine.name).map(({ id }) => id);
}

/** The session that was started last on a machine. */
export async function sessionOn(request: APIRequestContext, machine: Machine): Promise<string> {
  const [latest] = await sessionsOn(request, machine);
  if (latest === undefined) throw new Error(`no session runs on ${machine.name}`);
  return latest;
}

/** What became of a session: its status and why it ended. */
export async function fateOf(request: APIRequestContext, id: string): Promise<string> {
  const row = (await (await request.get(`/api/sessions/${id}`)).json()) as SessionRow;
  return `${row.status} ${row.end_reason ?? ''}`.trim();
}

/** What an administrator does to a session, from elsewhere. */
export async function order(page: Page, id: string, verb: string, body: object = {}): Promise<void> {
  const headers = { origin: new URL(page.url()).origin };
  const answer = await page.request.post(`/api/sessions/${id}/${verb}`, { headers, data: body });
  expect(answer.status(), `${verb} of a session`).toBe(204);
}

/** How many different pixels a row of the picture has: a blank canvas has one. */
export function colors(page: Page): Promise<number> {
  return page.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
    const copy = new OffscreenCanvas(400, 40).getContext('2d', { willReadFrequently: true })!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, 400, 40);
    return new Set(new Uint32Array(data.buffer)).size;
  });
}
