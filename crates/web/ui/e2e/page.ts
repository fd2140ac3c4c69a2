/** A page that is watched: every test fails on a policy violation, a console error, an accessibility finding or a sideways scroll. */
import { test as base, expect, type Page } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Language = 'en' | 'ar';
export type Theme = 'light' | 'dark';
export const LANGUAGES: readonly Language[] = ['en', 'ar'];
export const THEMES: readonly Theme[] = ['light', 'dark'];
export const SIZES = [
  { width: 390, height: 844 },
  { width: 768, height: 1024 },
  { width: 1280, height: 800 },
] as const;

/** Where Vite's preview serves the pages when there is no server. */
export const PREVIEW = 'http://127.0.0.1:4173';

const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screens = process.env.GATEHOUSE_SCREENS ?? resolve(here, '../../../../target/screens');

/** What the browser itself writes when a connection is refused that a test wants refused. */
export const NETWORK_NOISE = /Failed to load resource|WebSocket connection to .* failed/;

interface Watched {
  /** Set by tests whose subject is a failing connection. */
  allowNetworkErrors: () => void;
  /** Set by tests that know what else the browser will write, and why. */
  allow: (noise: RegExp) => void;
}

/** Collects what goes wrong on a page from now on. */
export async function watch(page: Page, isNoise: (text: string) => boolean = () => false): Promise<string[]> {
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    // What tests do to pages without a worker is not the page's doing.
    if (message.text() === 'Service Worker registration blocked by Playwright') return;
    if (isNoise(message.text())) return;
    errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return errors;
}

export const test = base.extend<{ watched: Watched }>({
  // Read here, since the server's address is known only after the configuration.
  // eslint-disable-next-line no-empty-pattern
  baseURL: async ({}, use) => use(process.env.GATEHOUSE_E2E_URL ?? PREVIEW),
  watched: [
    async ({ page }, use) => {
      const noises: RegExp[] = [];
      const errors = await watch(page, (text) => noises.some((noise) => noise.test(text)));
      const allow = (noise: RegExp) => void noises.push(noise);
      await use({ allow, allowNetworkErrors: () => allow(NETWORK_NOISE) });
      expect(errors, 'console errors and policy violations').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Before the first navigation: language and theme as a returning reader has them. */
export async function prefer(page: Page, language: Language, theme: Theme): Promise<void> {
  await page.addInitScript(
    ([lang, look]) => {
      localStorage.setItem('language', lang);
      localStorage.setItem('theme', look);
    },
    [language, theme] as const,
  );
}

/** Colors are judged when they stand still: a theme that just changed fades for a moment. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    await frame();
    await frame();
    const ends = document
      .getAnimations()
      .filter((a) => a.effect?.getComputedTiming().iterations !== Infinity)
      .map((a) => a.finished.catch(() => undefined));
    await Promise.all(ends);
  });
}

export async function expectAccessible(page: Page): Promise<void> {
  await settle(page);
  // Evaluated by the debugger, so the page's own policy is not loosened for it.
  await page.evaluate(`${axe};0`);
  const findings = await page.evaluate(async () => {
    const result = await (
      window as unknown as {
        axe: {
          run: (
            o: object,
          ) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      }
    ).axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      preload: false,
    } as object);
    return result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).join(' | ')}`);
  });
  // Soft: one run tells of every picture's findings.
  expect.soft(findings, 'accessibility findings').toEqual([]);
}

export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect.soft(over, 'pixels that stick out sideways').toBeLessThanOrEqual(0);
}

export async function expectLanguage(page: Page, language: Language): Promise<void> {
  await expect(page.locator('html')).toHaveAttribute('lang', language);
  await expect(page.locator('html')).toHaveAttribute('dir', language === 'ar' ? 'rtl' : 'ltr');
}

/** The picture `{page}-{state}-{language}-{theme}-{width}.png`, and the checks that hold for every picture. */
export async function shoot(page: Page, name: string, language: Language, theme: Theme, width: number): Promise<void> {
  await expectLanguage(page, language);
  await expectNoSidewaysScroll(page);
  await expectAccessible(page);
  await page.evaluate(() => document.fonts.ready);
  await mkdir(screens, { recursive: true });
  await page.screenshot({ path: `${screens}/${name}-${language}-${theme}-${width}.png`, animations: 'disabled' });
}

/** Every size in one theme: states that differ by layout are looked at in all of them. */
export async function shootSizes(page: Page, name: string, language: Language): Promise<void> {
  for (const theme of THEMES) {
    await page.evaluate((look) => (document.documentElement.dataset.theme = look), theme);
    for (const size of SIZES) {
      await page.setViewportSize(size);
      await shoot(page, name, language, theme, size.width);
    }
  }
}

/** Widths and themes of one language that, with those of the other, cover every pair of language, theme and width. */
const PAIRS: Record<Language, readonly Theme[]> = { en: ['light', 'dark', 'light'], ar: ['dark', 'light', 'dark'] };

/** Three pictures in each language: enough where a state does not change the layout. */
export async function shootPairs(page: Page, name: string, language: Language): Promise<void> {
  for (const [n, size] of SIZES.entries()) {
    const theme = PAIRS[language][n] ?? 'light';
    await page.evaluate((look) => (document.documentElement.dataset.theme = look), theme);
    await page.setViewportSize(size);
    await shoot(page, name, language, theme, size.width);
  }
}
