/**
 * From a click, and from nothing, to the first picture: our page beside noVNC's own page through websockify, on the
 * same machine, in the same browser, in paired rounds. Prints medians, ratios and targets; see docs/performance.md.
 */
import { expect, test, type Browser, type Page } from '@playwright/test';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Guest, freePort } from '../e2e/guest.ts';
import { unlock } from '../e2e/house.ts';
import { Program } from '../e2e/program.ts';

const ROUNDS = Number(process.env.GATEHOUSE_BENCH_ROUNDS ?? 9);
const NOVNC = process.env.GATEHOUSE_BENCH_NOVNC ?? '/usr/share/novnc';
/** Milliseconds, of a release build on a quiet machine. */
const TARGETS = { click: 150, cold: 450 };

/** The same eye for both pages: notes when a canvas first shows anything but emptiness and black. */
function watchForPicture(): void {
  const seen = (canvas: HTMLCanvasElement): boolean => {
    if (canvas.width < 200 || canvas.height < 200) return false;
    const eye = new OffscreenCanvas(8, 8).getContext('2d', { willReadFrequently: true })!;
    eye.drawImage(canvas, canvas.width / 4, canvas.height / 4, canvas.width / 2, canvas.height / 2, 0, 0, 8, 8);
    const { data } = eye.getImageData(0, 0, 8, 8);
    return data.some((value, n) => n % 4 !== 3 && value > 0);
  };
  const look = () => {
    if ([...document.querySelectorAll('canvas')].some(seen)) performance.mark('bench-picture');
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  addEventListener('click', () => performance.mark('bench-click'), { capture: true, once: true });
}

/** Milliseconds from the click, or from the start of the navigation, to the picture. */
async function timeOf(page: Page, from: 'click' | 'navigation'): Promise<number> {
  // Asked by the debugger: the page's own policy forbids what waiting inside it would need.
  const isThere = () => page.evaluate(() => performance.getEntriesByName('bench-picture').length > 0);
  await expect.poll(isThere, { timeout: 30_000 }).toBe(true);
  return page.evaluate((start) => {
    const at = (name: string) => performance.getEntriesByName(name).at(-1)!.startTime;
    return at('bench-picture') - (start === 'click' ? at('bench-click') : 0);
  }, from);
}

/** A page that nobody opened before: no cache, no connection. */
async function fresh(browser: Browser, baseURL: string, cookies?: string): Promise<Page> {
  const context = await browser.newContext({ baseURL, ...(cookies ? { storageState: cookies } : {}) });
  const page = await context.newPage();
  await page.addInitScript(watchForPicture);
  return page;
}

async function original(guest: Guest): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const child = spawn('websockify', ['--web', NOVNC, `127.0.0.1:${port}`, `127.0.0.1:${guest.port}`], {
    stdio: 'ignore',
  });
  const failed = once(child, 'error').then(([error]: unknown[]) => {
    throw new Error(`websockify does not start (Debian package websockify): ${String(error)}`);
  });
  const listening = async () => {
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      const open = await new Promise((done) =>
        socket.once('connect', () => done(true)).once('error', () => done(false)),
      );
      socket.destroy();
      if (open) return;
    }
  };
  await Promise.race([listening(), failed]);
  return { url: `http://127.0.0.1:${port}`, child };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

test('click and navigation to the first picture', async ({ browser }, info) => {
  const program = await Program.start(process.env.GATEHOUSE_TEST_BINARY!);
  const guest = await Guest.start();
  await guest.paint('#336699');
  const peer = await original(guest);
  const results: Record<string, number[]> = { 'our click': [], 'noVNC click': [], 'our cold': [], 'noVNC cold': [] };
  try {
    process.env.GATEHOUSE_E2E_URL = program.url;
    process.env.GATEHOUSE_E2E_LINK = program.link;
    const door = await unlock(browser, info.outputDir);
    const setup = await fresh(browser, program.url, door);
    await setup.goto('/');
    const headers = { origin: program.url };
    const data = { name: 'bench', url: `vnc://127.0.0.1:${guest.port}` };
    const added = await setup.request.post('/api/targets', { headers, data });
    const { id } = (await added.json()) as { id: string };
    const rounds: [string, () => Promise<number>][] = [
      [
        'our click',
        async () => {
          const page = await fresh(browser, program.url, door);
          await page.goto('/');
          await page.waitForLoadState('networkidle', { timeout: 30_000 });
          const machine = { has: page.getByRole('heading', { name: 'bench' }) };
          await page.getByRole('listitem').filter(machine).getByRole('button').last().click();
          return finish(page, 'click');
        },
      ],
      [
        'noVNC click',
        async () => {
          const page = await fresh(browser, peer.url);
          await page.goto('/vnc.html');
          await page.waitForLoadState('networkidle', { timeout: 30_000 });
          await page.locator('#noVNC_connect_button').click();
          return finish(page, 'click');
        },
      ],
      [
        'our cold',
        async () => {
          const ticket = await setup.request.post(`/api/vm/${id}/console/request`, { headers, data: {} });
          const { console_path } = (await ticket.json()) as { console_path: string };
          const page = await fresh(browser, program.url);
          await page.goto(console_path, { waitUntil: 'commit' });
          return finish(page, 'navigation');
        },
      ],
      [
        'noVNC cold',
        async () => {
          const page = await fresh(browser, peer.url);
          await page.goto('/vnc.html?autoconnect=true&resize=scale', { waitUntil: 'commit' });
          return finish(page, 'navigation');
        },
      ],
    ];
    // The first round warms the programs and is not counted.
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const [name, run] of rounds) {
        const time = await run();
        if (round > 0) results[name]!.push(time);
      }
    }
    await setup.context().close();
  } finally {
    peer.child.kill();
    await program.end();
    await guest.stop();
  }
  report(results);
});

async function finish(page: Page, from: 'click' | 'navigation'): Promise<number> {
  const time = await timeOf(page, from);
  await page.context().close();
  return time;
}

function report(results: Record<string, number[]>): void {
  console.log(`| first picture, median of ${ROUNDS} paired rounds | Gatehouse | noVNC's page | ratio | target |`);
  console.log('| --- | --- | --- | --- | --- |');
  for (const [kind, words] of [
    ['click', 'click in a loaded page'],
    ['cold', 'cold navigation'],
  ] as const) {
    const [ours, theirs] = [median(results[`our ${kind}`]!), median(results[`noVNC ${kind}`]!)];
    expect(ours, 'a time that was measured').toBeGreaterThan(0);
    const ratio = (ours / theirs).toFixed(2);
    console.log(`| ${words} | ${ours.toFixed(0)} ms | ${theirs.toFixed(0)} ms | ${ratio} | ${TARGETS[kind]} ms |`);
  }
  for (const [name, values] of Object.entries(results)) {
    console.log(`${name}: ${values.map((v) => v.toFixed(0)).join(' ')} ms`);
  }
}
