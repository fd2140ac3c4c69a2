import { defineConfig } from '@playwright/test';

// GATEHOUSE_E2E_URL: a running server. Without it the pages come from Vite's preview under the same policy, which is
// enough for `states` (their answers are scripted) and not for `console`.
const url = process.env.GATEHOUSE_E2E_URL;
const preview = 'http://127.0.0.1:4173';

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  fullyParallel: false,
  workers: Number(process.env.GATEHOUSE_E2E_WORKERS ?? 2),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: url ?? preview,
    trace: 'off',
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
    { name: 'states', testMatch: 'states.spec.ts' },
    { name: 'console', testMatch: 'console.spec.ts', workers: 1 },
  ],
  ...(url
    ? {}
    : {
        webServer: {
          command: 'npx vite preview --port 4173 --strictPort --host 127.0.0.1',
          url: preview,
          reuseExistingServer: false,
        },
      }),
});
