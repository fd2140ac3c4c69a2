/** Log-in, portal and console in the browsers of other makers: that they work there at all. */
import { expect, test } from '@playwright/test';
import { BROWSERS, type Visit } from './browsers.ts';
import { Guest } from './guest.ts';
import { COLORS } from './house.ts';
import { LANGUAGES } from './page.ts';
import { Program } from './program.ts';

const PASSWORD = 'correct horse battery staple';

for (const [maker, start] of Object.entries(BROWSERS)) {
  test.describe.serial(maker, () => {
    let program: Program;
    let guest: Guest;
    let visit: Visit | undefined;

    test.beforeAll(async () => {
      const binary = process.env.GATEHOUSE_TEST_BINARY;
      if (!binary) throw new Error('set GATEHOUSE_TEST_BINARY to the program');
      program = await Program.start(binary, ['--demo']);
      guest = await Guest.start();
    });
    test.afterEach(async () => {
      const complaints = visit?.complaints() ?? [];
      await visit?.end();
      visit = undefined;
      expect(complaints, 'errors and policy violations').toEqual([]);
    });
    test.afterAll(async () => {
      await guest?.stop();
      await program?.end();
    });

    test('first run: the link, a password, a target', async () => {
      visit = await start();
      await visit.goto(program.link);
      await arrives(visit, 'location.pathname', '/welcome');
      await arrives(visit, `document.querySelectorAll('input[type=password]').length`, 2);
      await visit.fill('input[type=password]', 0, PASSWORD);
      await visit.fill('input[type=password]', 1, PASSWORD);
      await visit.click('button[type=submit]');
      await arrives(visit, `document.querySelector('.next') !== null`, true);
      await add(visit, guest.name, guest.url);
    });

    for (const language of LANGUAGES) {
      test(`log in, see the list, open consoles, type: ${language}`, async () => {
        visit = await start();
        await visit.goto(`${program.url}/login`);
        await arrives(visit, `document.querySelectorAll('form input').length`, 2);
        if ((await visit.read('document.documentElement.lang')) !== language) await visit.click('.language');
        await arrives(visit, 'document.documentElement.lang', language);
        expect(await visit.read('getComputedStyle(document.body).direction')).toBe(language === 'ar' ? 'rtl' : 'ltr');
        await visit.fill('form input', 0, 'admin');
        await visit.fill('input[type=password]', 0, PASSWORD);
        await visit.click('button[type=submit]');
        await opens(visit, 'test card');
        await leave(visit, program.url);
        await opens(visit, guest.name);
        const before = await guest.typed();
        await visit.press('gate');
        await expect.poll(() => guest.typed()).toBe(`${before}gate`);
        await leave(visit, program.url);
      });
    }
  });
}

/** Waits until an expression in the page has a value. */
function arrives(visit: Visit, expression: string, value: unknown): Promise<void> {
  return expect.poll(() => visit.read(expression), { message: expression }).toEqual(value);
}

/** Adds a target as the page's own script would. */
async function add(visit: Visit, name: string, url: string): Promise<void> {
  const body = JSON.stringify({ name, url });
  await visit.read(`void fetch('/api/targets', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(body)},
  }).then((answer) => (document.documentElement.dataset.added = answer.status + ${JSON.stringify(name)}))`);
  await arrives(visit, 'document.documentElement.dataset.added', `201${name}`);
}

/** Opens a console from the list and waits for its picture and the keyboard's focus. */
async function opens(visit: Visit, name: string): Promise<void> {
  const card = `[...document.querySelectorAll('main li')].find((li) => li.querySelector('h2')?.textContent.trim() === ${JSON.stringify(name)})`;
  await arrives(visit, `(${card}) !== undefined`, true);
  // Marked, so that the browser's own click finds it.
  await visit.read(`void ${card}.querySelector('.actions > .button.primary').setAttribute('data-smoke', '')`);
  await visit.click('[data-smoke]');
  await arrives(visit, `document.querySelector('[data-state]')?.dataset.state`, 'connected');
  await expect.poll(() => visit.read<number>(COLORS)).toBeGreaterThan(1);
  await arrives(visit, `document.activeElement === document.querySelector('.live canvas')`, true);
}

/** Ends what is open and goes back to the list: a session that lasts would be asked about at the next opening. */
async function leave(visit: Visit, url: string): Promise<void> {
  await visit.goto(url);
  await visit.read(`void (async () => {
    const { sessions } = await (await fetch('/api/sessions?status=active')).json();
    const kills = sessions.map(({ id }) => fetch('/api/sessions/' + id + '/kill', { method: 'POST' }));
    const answers = await Promise.all(kills);
    document.documentElement.dataset.left = answers.map(({ status }) => status).join();
  })()`);
  await arrives(visit, 'document.documentElement.dataset.left', '204');
}
