import { defineConfig } from '@playwright/test';
import { PREVIEW } from './e2e/page.ts';

// Without a server (see e2e/server.ts) the pages come from Vite's preview under the same policy, which is enough for
// `states` (their answers are scripted) and not for `console`.
const served = Boolean(process.env.GATEHOUSE_E2E_URL ?? process.env.GATEHOUSE_TEST_BINARY);

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/server.ts',
  outputDir: 'test-results',
  fullyParallel: false,
  workers: 1,
  // Generous: a loaded machine is slow, and no test measures time.
  timeout: 240_000,
  expect: { timeout: 45_000 },
  reporter: [['list']],
  use: {
    trace: 'off',
    // Scripted answers would not reach a page whose files come from a worker; the tests of installing allow it.
    serviceWorkers: 'block',
    launchOptions: {
      executablePath: process.env.GATEHOUSE_E2E_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'states', testMatch: ['states.spec.ts', 'portal-states.spec.ts', 'every-state.spec.ts'] },
    { name: 'portal', testMatch: ['portal.spec.ts', 'keyboard.spec.ts'] },
    { name: 'smoke', testMatch: 'smoke.spec.ts' },
    { name: 'console', testMatch: ['console.spec.ts', 'behavior.spec.ts'] },
  ],
  ...(served
    ? {}
    : {
        webServer: {
          command: 'npx vite preview --port 4173 --strictPort --host 127.0.0.1',
          url: PREVIEW,
          reuseExistingServer: false,
        },
      }),
});
