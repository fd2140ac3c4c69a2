/**
 * What the live pages cost while somebody keeps them open: a thousand sessions, read every few seconds, and five live
 * events a second. Answers are scripted, the page is the built one. Prints the share of one core that the page's own
 * process takes, and that of the whole browser; see docs/performance.md.
 */
import { expect, test, type Browser, type Page } from '@playwright/test';
import { good, script, session, TARGETS } from '../e2e/scripted.ts';
import { Program } from '../e2e/program.ts';

const SECONDS = Number(process.env.GATEHOUSE_BENCH_SECONDS ?? 30);
const SESSIONS = 1000;
const EVENTS_PER_SECOND = 5;
/** Percent of one core. */
const TARGET = 5;

interface Spent {
  page: number;
  browser: number;
}

/** CPU seconds of the browser's processes so far. */
async function spent(browser: Browser): Promise<Spent> {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  await cdp.detach();
  const sum = (of: typeof processInfo) => of.reduce((all, { cpuTime }) => all + cpuTime, 0);
  return { page: sum(processInfo.filter(({ type }) => type === 'renderer')), browser: sum(processInfo) };
}

async function measure(browser: Browser, page: Page): Promise<Spent> {
  const begin = { ...(await spent(browser)), at: performance.now() };
  await new Promise((done) => setTimeout(done, SECONDS * 1000));
  const seconds = (performance.now() - begin.at) / 1000;
  const end = await spent(browser);
  expect(await page.getByRole('main').isVisible()).toBe(true);
  const share = (of: keyof Spent) => ((end[of] - begin[of]) / seconds) * 100;
  return { page: share('page'), browser: share('browser') };
}

test('live pages with a thousand sessions', async ({ browser }) => {
  const program = await Program.start(process.env.GATEHOUSE_TEST_BINARY!);
  const lines: string[] = [];
  try {
    for (const [name, path] of [
      ['live sessions', '/sessions'],
      ['targets as cards', '/?view=cards'],
      ['targets as a table', '/?view=table'],
    ] as const) {
      const context = await browser.newContext({ baseURL: program.url, viewport: { width: 1280, height: 800 } });
      const page = await context.newPage();
      await live(page);
      await page.goto(path);
      await expect(page.getByRole('main').getByRole('link').first()).toBeVisible();
      const share = await measure(browser, page);
      lines.push(`| ${name} | ${share.page.toFixed(1)} % | ${share.browser.toFixed(1)} % | ${TARGET} % |`);
      await context.close();
    }
  } finally {
    await program.end();
  }
  console.log(
    `| ${SESSIONS} sessions, ${EVENTS_PER_SECOND} events a second, ${SECONDS} s | page | whole browser | target |`,
  );
  console.log('| --- | --- | --- | --- |');
  for (const line of lines) console.log(line);
});

/** A server on which a thousand people work. */
async function live(page: Page): Promise<void> {
  let turn = 0;
  const sessions = () => {
    turn += 1;
    return Array.from({ length: SESSIONS }, (_, n) => {
      const one = session(n, { target_name: `Machine ${n}`, target_id: `t${n % 200}`, subject: `person ${n % 40}` });
      return { ...one, counters: { ...one.counters, target_bytes: one.counters.target_bytes + turn * (n + 1) * 4000 } };
    });
  };
  const targets = Array.from({ length: 200 }, (_, n) => ({
    ...TARGETS[n % TARGETS.length],
    id: `t${n}`,
    number: n + 1,
    name: `Machine ${n}`,
    active_sessions: 5,
  }));
  await script(page, {
    '/api/sessions': (route) => route.fulfill(good({ sessions: sessions(), total: SESSIONS, page: 1 })),
    '/api/targets': (route) => route.fulfill(good({ targets, total: targets.length })),
  });
  await page.routeWebSocket('**/ws/events*', (socket) => {
    let count = 0;
    const timer = setInterval(() => {
      count += 1;
      const payload = { session_id: `s${count % SESSIONS}`, target_name: 'Machine', changed: { counters: true } };
      const timestamp = new Date().toISOString();
      socket.send(JSON.stringify({ type: 'vnc_session_changed', timestamp, payload, id: `b-${count}` }));
    }, 1000 / EVENTS_PER_SECOND);
    socket.onClose(() => clearInterval(timer));
  });
}
