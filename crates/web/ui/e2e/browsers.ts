/** Other people's browsers, each as its own maker lets it be driven: enough of them for a smoke test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';
import { end, freePort } from './guest.ts';

/** One window of a browser with a profile that nobody used before. */
export interface Visit {
  goto(url: string): Promise<void>;
  /** The value of an expression in the page. */
  read<T>(expression: string): Promise<T>;
  click(selector: string): Promise<void>;
  /** Types into the n-th element that the selector finds. */
  fill(selector: string, n: number, text: string): Promise<void>;
  /** Presses keys where the focus is. */
  press(text: string): Promise<void>;
  /** Policy violations and errors, where the browser tells of them. */
  complaints(): string[];
  end(): Promise<void>;
}

export const BROWSERS: Record<'firefox' | 'webkit', () => Promise<Visit>> = { firefox, webkit };

/** Nothing but the page that was asked for is to be fetched. */
const QUIET = {
  'app.normandy.enabled': false,
  'app.shield.optoutstudies.enabled': false,
  'app.update.enabled': false,
  'browser.region.network.url': '',
  'browser.safebrowsing.downloads.remote.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.topsites.contile.enabled': false,
  'datareporting.healthreport.uploadEnabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'dom.push.connection.enabled': false,
  'extensions.blocklist.enabled': false,
  'extensions.getAddons.cache.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'extensions.update.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disablePrefetch': true,
  'network.trr.mode': 5,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
  'toolkit.telemetry.unified': false,
};

/** Firefox ESR by WebDriver BiDi. */
async function firefox(): Promise<Visit> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.GATEHOUSE_E2E_FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    extraPrefsFirefox: QUIET,
    timeout: 120_000,
    protocolTimeout: 120_000,
  });
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.evaluateOnNewDocument(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return {
    goto: async (url) => void (await page.goto(url)),
    read: <T>(expression: string) => page.evaluate(expression) as Promise<T>,
    click: (selector) => page.click(selector),
    fill: async (selector, n, text) => {
      const found = (await page.$$(selector))[n];
      if (!found) throw new Error(`no ${selector} number ${n}`);
      await found.type(text);
    },
    press: (text) => page.keyboard.type(text),
    complaints: () => complaints,
    end: () => browser.close(),
  };
}

/** What names an element in WebDriver [W3C WebDriver, 11]. */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/** WebKitGTK's own small browser by WebDriver, on a display of its own. */
async function webkit(): Promise<Visit> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-webkit-'));
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.reverse()) {
      await end(child);
      endGroup(child);
    }
    // Its helpers end a moment after it and still write meanwhile.
    await rm(home, { recursive: true, force: true, maxRetries: 20 });
  };
  try {
    const display = await startDisplay(children);
    const driver = await startDriver(children, display, home);
    const { sessionId } = await call<{ sessionId: string }>('POST', `${driver}/session`, {
      capabilities: { alwaysMatch: {} },
    });
    return visitBy(`${driver}/session/${sessionId}`, stop);
  } catch (failure) {
    await stop();
    throw failure;
  }
}

/** Ends what a program with a group of its own left behind. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // no such group: nothing was left
  }
}

async function startDisplay(children: ChildProcess[]): Promise<string> {
  const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  children.push(screen);
  const lines = createInterface({ input: screen.stdio[3] as NodeJS.ReadableStream });
  const [number] = (await Promise.race([once(lines, 'line'), missing(screen, 'Xvfb', 'xvfb')])) as [string];
  return `:${number.trim()}`;
}

async function startDriver(children: ChildProcess[], display: string, home: string): Promise<string> {
  const port = await freePort();
  const folders = { HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
  const driver = spawn('WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], {
    // No bus, so that nothing of the desktop is asked; no graphics card is there either.
    env: {
      ...process.env,
      ...folders,
      DISPLAY: display,
      DBUS_SESSION_BUS_ADDRESS: 'disabled:',
      LIBGL_ALWAYS_SOFTWARE: '1',
    },
    stdio: 'ignore',
    // Leads a group, so that a browser that it leaves behind ends too.
    detached: true,
  });
  children.push(driver);
  await Promise.race([listening(port, driver), missing(driver, 'WebKitWebDriver', 'webkit2gtk-driver')]);
  return `http://127.0.0.1:${port}`;
}

/** Fails as soon as the program is known not to start, or ends. */
async function missing(child: ChildProcess, program: string, debian: string): Promise<never> {
  const cause = await Promise.race([once(child, 'error').catch((error: unknown) => [error]), once(child, 'exit')]);
  throw new Error(`${program} does not run (Debian package ${debian}): ${String(cause[0])}`);
}

async function listening(port: number, driver: ChildProcess): Promise<void> {
  while (driver.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
  }
}

function visitBy(session: string, stop: () => Promise<void>): Visit {
  const find = async (selector: string, n: number) => {
    const found = await call<Record<string, string>[]>('POST', `${session}/elements`, {
      using: 'css selector',
      value: selector,
    });
    const id = found[n]?.[ELEMENT];
    if (id === undefined) throw new Error(`no ${selector} number ${n}`);
    return `${session}/element/${id}`;
  };
  return {
    goto: (url) => call('POST', `${session}/url`, { url }),
    read: (expression) => call('POST', `${session}/execute/sync`, { script: `return (${expression})`, args: [] }),
    click: async (selector) => call('POST', `${await find(selector, 0)}/click`, {}),
    fill: async (selector, n, text) => call('POST', `${await find(selector, n)}/value`, { text }),
    press: (text) => {
      const actions = [...text].flatMap((value) => [
        { type: 'keyDown', value },
        { type: 'keyUp', value },
      ]);
      return call('POST', `${session}/actions`, { actions: [{ type: 'key', id: 'keyboard', actions }] });
    },
    complaints: () => [],
    end: async () => {
      await call('DELETE', session).catch(() => undefined);
      await stop();
    },
  };
}

async function call<T>(method: string, url: string, body?: object): Promise<T> {
  const answer = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) });
  const { value } = (await answer.json()) as { value: T };
  if (!answer.ok) throw new Error(`WebDriver: ${JSON.stringify(value)}`);
  return value;
}
